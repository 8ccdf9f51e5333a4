"""How long a piece of text is for the encoder."""

from array import array
from bisect import bisect_left
from functools import cache

from gyre_common.model_folders import shipped_file
from tokenizers import Tokenizer

SPECIAL_TOKENS = 2
"""[CLS] and [SEP] around every input (Devlin et al. 2019, arXiv:1810.04805, section 3)."""

CHARACTERS_PER_TOKEN = 16
_SEGMENT_CHARACTERS = 32_768


@cache
def encoder_tokenizer() -> Tokenizer:
    """The tokenizer of the encoder that ships with Gyre, without cutting or padding."""
    tokenizer = Tokenizer.from_file(str(shipped_file("tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def token_count(text: str) -> int:
    """The tokens of a text that stands alone, without special ones."""
    return len(encoder_tokenizer().encode(text, add_special_tokens=False).ids)


class TokenRuler:
    """Measures any span of one text after tokenizing it once.

    WordPiece never joins words, so the tokens of a span between two words are those of the text.
    """

    def __init__(self, text: str) -> None:
        self._starts = array("I")
        for start, end in _segments(text):
            encoding = encoder_tokenizer().encode(text[start:end], add_special_tokens=False)
            self._starts.extend(start + first for first, _ in encoding.offsets)

    def size(self, start: int, end: int) -> int:
        """Tokens of a span, but at least one for `CHARACTERS_PER_TOKEN` characters.

        A word of more than 100 characters is one unknown token, however long: it may not make a
        passage endless.
        """
        first = bisect_left(self._starts, start)
        tokens = bisect_left(self._starts, end) - first
        if first == len(self._starts) or self._starts[first] != start:
            tokens += 1  # it begins inside a word, whose rest is a token too
        return max(tokens, -(-(end - start) // CHARACTERS_PER_TOKEN))


def _segments(text: str) -> list[tuple[int, int]]:
    """Cut between words, so that a huge text is never tokenized, and held, as a whole."""
    segments = []
    start = 0
    while start < len(text):
        end = start + _SEGMENT_CHARACTERS
        if end < len(text):
            space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
            end = space if space > start else end
        segments.append((start, min(end, len(text))))
        start = end
    return segments
