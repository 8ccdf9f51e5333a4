"""Finds questions that are nearly the same, so that a split never has one on either side."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from datasketch import MinHash, MinHashLSH
from gyre_common.lines import folded
from gyre_common.text import content_terms

SAME = 0.8
"""Jaccard similarity of the sets of content terms from which two questions are one."""

_BANDS, _ROWS = 25, 5
"""Of pairs at 0.8 this misses 5 in 100,000 (1 - (1 - 0.8^5)^25; Leskovec et al., Mining of Massive
Datasets, section 3.4), and many pairs below are found only to be turned down."""


def clusters(questions: Sequence[str]) -> list[str]:
    """A name for each question; near-identical ones share theirs.

    Alike are questions with the same words but for case, white space and punctuation, and those
    whose content terms overlap enough; what is alike to the same question is in one cluster. The
    names, and who shares them, do not depend on the order of the questions.
    """
    groups: dict[frozenset[str], set[str]] = defaultdict(set)
    for question in set(questions):
        groups[_terms(question)].add(question)
    keys = sorted(groups, key=sorted)
    sets = _Sets(len(keys))
    for one, other in _similar(keys):
        sets.join(one, other)
    members: dict[int, list[str]] = defaultdict(list)
    for number, key in enumerate(keys):
        members[sets.of(number)] += groups[key]
    names = {q: _name(alike) for alike in members.values() for q in alike}
    return [names[question] for question in questions]


def _terms(question: str) -> frozenset[str]:
    """Its content terms; where it has none, its own words, marked so that they match no others."""
    terms = frozenset(content_terms(question))
    return terms or frozenset({f"\n{folded(question)}"})


def _similar(keys: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of places whose sets overlap enough; exact, but for the pairs that hashing misses."""
    near = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    encoded = ([term.encode() for term in key] for key in keys)
    for number, sketch in enumerate(MinHash.generator(encoded, num_perm=_BANDS * _ROWS)):
        for other in near.query(sketch):
            if _jaccard(keys[number], keys[other]) >= SAME:
                yield number, other
        near.insert(number, sketch, check_duplication=False)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _name(questions: Iterable[str]) -> str:
    return hashlib.sha256(min(questions).encode()).hexdigest()[:16]


class _Sets:
    """Disjoint sets of the numbers below `count` (Tarjan 1975, doi:10.1145/321879.321884)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def of(self, number: int) -> int:
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.of(one), self.of(other)))
        self._above[high] = low
