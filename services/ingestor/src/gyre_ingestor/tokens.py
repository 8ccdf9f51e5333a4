"""How long a piece of text is for the encoder, and where one that is too long is cut."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise

from gyre_common.model_folders import shipped_file
from gyre_common.text import prose_spans
from tokenizers import Tokenizer

SPECIAL_TOKENS = 2
"""[CLS] and [SEP] around every input (Devlin et al. 2019, arXiv:1810.04805, section 3)."""

CHARACTERS_PER_TOKEN = 16
_SEGMENT_CHARACTERS = 32_768

Span = tuple[int, int]
"""Where a piece of a text starts and ends, in characters."""

Cut = Callable[[str], Iterable[int]]
"""Where the parts of a text start."""


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


def _segments(text: str) -> Iterator[Span]:
    """Cut between words, so that a huge text is never tokenized, and held, as a whole."""
    start = 0
    while start < len(text):
        end = min(start + _SEGMENT_CHARACTERS, len(text))
        if end < len(text):
            space = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
            end = space if space > start else end
        yield start, end
        start = end


def split(
    text: str, span: Span, cuts: Sequence[Cut], size: Callable[[int, int], int], budget: int
) -> Iterator[Span]:
    """Cut what is over the budget, by the first of `cuts`; what is still too long by the next.

    An endless word is cut anywhere. `size` measures a span of `text`; no piece is larger than
    `budget`, many are much smaller.
    """
    start, end = span
    if size(start, end) <= budget:
        yield span
        return
    if not cuts:
        # A token is one character or more. Equal pieces leave no short end, which the tokenizer
        # would spell out where it gives up on a word of more than 100 characters.
        step = -(-(end - start) // -(-(end - start) // budget))
        for first in range(start, end, step):
            yield first, min(first + step, end)
        return
    bounds = [start, *(start + at for at in cuts[0](text[start:end]) if 0 < at < end - start), end]
    for first, last in pairwise(bounds):
        stripped_end = first + len(text[first:last].rstrip())
        if stripped_end > first:
            yield from split(text, (first, stripped_end), cuts[1:], size, budget)


def _matches(pattern: re.Pattern[str]) -> Cut:
    return lambda text: (match.start() for match in pattern.finditer(text))


def _sentences(text: str) -> Iterator[int]:
    return (start for start, _ in prose_spans(text))


_LINE_START = re.compile(r"(?<=\n)(?=[^\n])")
_WORD_START = re.compile(r"(?<=\s)(?=\S)")

BY_LINE: Sequence[Cut] = (_matches(_LINE_START), _matches(_WORD_START))
"""Between lines, then between words."""

BY_SENTENCE: Sequence[Cut] = (_sentences, *BY_LINE)
