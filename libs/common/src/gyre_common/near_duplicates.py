"""Which texts say nearly the same: by the word triples that they share, if no fact differs."""

import base64
import re
from collections.abc import Iterator, Sequence

from gyre_common.lines import folded
from gyre_common.text import holds_number, words

Triple = tuple[str, ...]
"""What stands together: three words in a row."""

_SENTENCE_START = re.compile(r"(?<=[.!?] )\w")
_VALUES = 256


class Wording:
    """The words of a text, as they are compared with another one's."""

    def __init__(self, text: str) -> None:
        as_written = words(_SENTENCE_START.sub(lambda start: start.group().lower(), text))
        in_lower_case = [word.casefold() for word in as_written]
        with_capitals = frozenset(as_written) - frozenset(in_lower_case)
        self._names = frozenset(word.casefold() for word in with_capitals)
        self._triples = frozenset(word_triples(in_lower_case))
        numbers = frozenset(filter(holds_number, set(in_lower_case)))
        self._facts = frozenset(each for each in self._triples if not numbers.isdisjoint(each))

    def is_near(self, other: "Wording", least: float) -> bool:
        """Whether the Jaccard similarity of the two sets of triples is `least` (0 to 1) or more and
        the texts tell of the same: every number stands between the same words in both, and not each
        of them has a name that the other has not ("Price of A: 5", "Price of B: 7"). What has a
        capital is a name, unless a sentence begins with it within a line.
        """
        return (
            self._facts == other._facts
            and not (self._names - other._names and other._names - self._names)
            and self.similarity(other) >= least
        )

    def similarity(self, other: "Wording") -> float:
        """The share of the triples of either that both have; 0 where neither has any."""
        shared = len(self._triples & other._triples)
        return shared / max(1, len(self._triples) + len(other._triples) - shared)


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
