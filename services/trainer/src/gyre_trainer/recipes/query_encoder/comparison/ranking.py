"""Fuses the legs of one question again, by other weights, from their raw scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.fusion import BM25, DENSE, Span, weighted_sum

STEP = 0.05
STEPS = (1, 2, 3)
"""So many a fit may raise the share of the semantic leg above live's: the leg that has learned."""

Ranking = Sequence[str]
"""Chunk ids, best first."""


@dataclass(frozen=True)
class Weights:
    """What each leg's normalised score counts in the sum."""

    bm25: float
    dense: float


@dataclass(frozen=True)
class LegHit:
    """One passage's raw score in each leg, None where that did not find it; and the fused one."""

    chunk_id: str
    bm25: float | None
    dense: float | None
    fused: float = 0.0

    @property
    def scores(self) -> dict[str, float]:
        """By leg, of those that found it."""
        by_leg = {BM25: self.bm25, DENSE: self.dense}
        return {leg: score for leg, score in by_leg.items() if score is not None}


@dataclass(frozen=True)
class Legs:
    """One reply of the retriever: its passages in the order it gave them, and each leg's span."""

    hits: Sequence[LegHit]
    spans: Mapping[str, Span]

    @property
    def order(self) -> list[str]:
        """As the retriever ranked them."""
        return [hit.chunk_id for hit in self.hits]

    def ranked(self, weights: Weights) -> list[str]:
        """As the retriever's weighted sum would rank them by these weights, ties included."""
        by_leg = {BM25: weights.bm25, DENSE: weights.dense}
        scores = {hit.chunk_id: weighted_sum(hit.scores, by_leg, self.spans) for hit in self.hits}
        return sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
