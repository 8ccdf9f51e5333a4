"""What the metrics read: texts as weighted terms."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gyre_common.text import Kind, Sentence, content_terms, numbers, sentences, terms

_NEGATIONS = frozenset({"not", "no", "never", "none", "neither", "nor", "cannot", "without"})


@dataclass(frozen=True)
class Statement:
    """A sentence, and what must agree between a claim and its source."""

    text: str
    terms: frozenset[str]
    numbers: frozenset[str]
    negated: bool


def statements(text: str) -> list[Statement]:
    """The sentences that say something; headings and lone symbols do not."""
    return [s for s in map(_statement, sentences(text)) if s is not None]


def _statement(sentence: Sentence) -> Statement | None:
    meaning = frozenset(content_terms(sentence.text))
    if not meaning or sentence.kind is Kind.HEADING:
        return None
    words = terms(sentence.text)
    return Statement(
        text=sentence.text,
        terms=meaning,
        numbers=numbers(sentence.text),
        negated=any(word in _NEGATIONS or word.endswith("n't") for word in words),
    )


class WeightedPassages:
    """The passages of one answer, best first, and how much each term tells among them."""

    def __init__(self, texts: Sequence[str], headings: Sequence[str] = ()) -> None:
        self.texts = tuple(texts)
        self._headings = tuple(headings) or ("",) * len(self.texts)

    @cached_property
    def statements(self) -> Sequence[Sequence[Statement]]:
        """The statements of each passage."""
        return [statements(text) for text in self.texts]

    @cached_property
    def terms(self) -> Sequence[frozenset[str]]:
        """The terms of each passage with its heading."""
        pairs = zip(self.texts, self._headings, strict=True)
        return [frozenset(content_terms(f"{heading}\n{text}")) for text, heading in pairs]

    @cached_property
    def numbers(self) -> Sequence[frozenset[str]]:
        """The numbers of each passage with its heading."""
        pairs = zip(self.texts, self._headings, strict=True)
        return [numbers(f"{heading}\n{text}") for text, heading in pairs]

    @cached_property
    def _weights(self) -> Mapping[str, float]:
        pool = [s.terms for group in self.statements for s in group]
        counts = Counter(term for statement_terms in pool for term in statement_terms)
        return {term: _weight(len(pool), count) for term, count in counts.items()}

    def share(self, statement_terms: Iterable[str], passage_terms: frozenset[str]) -> float:
        """Share of the weight of `statement_terms` that `passage_terms` has; weights are inverse
        document frequencies over the passages' sentences, so that what is everywhere counts little.
        """
        unseen = _weight(sum(len(group) for group in self.statements), 0)
        weights = {term: self._weights.get(term, unseen) for term in statement_terms}
        total = sum(weights.values())
        return sum(w for t, w in weights.items() if t in passage_terms) / total if total else 0.0


def _weight(n: int, count: int) -> float:
    return math.log(1 + (n - count + 0.5) / (count + 0.5))
