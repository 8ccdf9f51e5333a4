"""Which texts say nearly the same: by the word triples that they share, if no fact differs."""

import base64
import re
from collections.abc import Iterator, Sequence

from gyre_common.lines import folded
from gyre_common.text import holds_number, words

Triple = tuple[str, ...]
"""What stands together: three words in a row."""

_SENTENCE_START = re.compile(r"(?<=[.!?] )\w")
_LINE_START = re.compile(r"^[^\w\n]{0,8}\w", re.MULTILINE)
_VALUES = 256


class Wording:
    """The words of a text, as they are compared with another one's."""

    def __init__(self, text: str) -> None:
        in_lower_case = [word.casefold() for word in words(text)]
        self._words = frozenset(in_lower_case)
        self._with_capital = _with_capital(text)
        within_lines = _SENTENCE_START.sub(_lowered, text)
        self._names = _with_capital(_LINE_START.sub(_lowered, within_lines))
        self._first_words = _with_capital(within_lines) - self._names
        self._triples = frozenset(word_triples(in_lower_case))
        numbers = frozenset(filter(holds_number, self._words))
        self._facts = frozenset(each for each in self._triples if not numbers.isdisjoint(each))

    def is_near(self, other: "Wording", least: float) -> bool:
        """Whether the Jaccard similarity of the two sets of triples is `least` (0 to 1) or more and
        the texts tell of the same: every number stands between the same words in both, and not each
        of them has a name that the other has not ("Price of A: 5", "Price of B: 7"). What has a
        capital is a name; but not where a sentence begins with it, nor where a line does and the
        other text has the word at all.
        """
        return (
            self._facts == other._facts
            and not (self._names_unknown_to(other) and other._names_unknown_to(self))
            and self.similarity(other) >= least
        )

    def _names_unknown_to(self, other: "Wording") -> frozenset[str]:
        return (self._names - other._with_capital) | (self._first_words - other._words)

    def similarity(self, other: "Wording") -> float:
        """The share of the triples of either that both have; 0 where neither has any."""
        shared = len(self._triples & other._triples)
        return shared / max(1, len(self._triples) + len(other._triples) - shared)


def _with_capital(text: str) -> frozenset[str]:
    """In lower case."""
    return frozenset(word.casefold() for word in words(text) if word != word.lower())


def _lowered(start: re.Match[str]) -> str:
    return start.group().lower()


def name_of(title: str, document_id: str) -> str:
    """What a document is called, as it is compared with another one's name: its title, else the
    last part of its id.
    """
    return folded(title or document_id.rsplit("/", 1)[-1])


def word_triples(some_words: Sequence[str]) -> Iterator[Triple]:
    """Every three words in a row; of fewer than three all, of none nothing."""
    if 0 < len(some_words) < 3:
        yield tuple(some_words)
    yield from zip(some_words, some_words[1:], some_words[2:], strict=False)


def estimated_similarity(one: str, other: str) -> float:
    """What `Wording.similarity` would say of the documents of two sketches, about; 0 to 1.

    A sketch is a document's lowest hashes, a byte of each, as base64. It is the share of the places
    at which both agree, less what agrees by chance (Li and König 2010, WWW, theorem 1).
    """
    places = list(zip(base64.b64decode(one), base64.b64decode(other), strict=False))
    agreeing = sum(a == b for a, b in places) / max(1, len(places))
    return max(0.0, (agreeing - 1 / _VALUES) / (1 - 1 / _VALUES))
