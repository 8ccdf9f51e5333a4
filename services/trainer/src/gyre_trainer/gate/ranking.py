"""Fuses the legs of one question again, by other weights, from their raw scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.fusion import BM25, DENSE, Span

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
    fused: float


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
        scores = {hit.chunk_id: self._score(hit, weights) for hit in self.hits}
        return sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))

    def _score(self, hit: LegHit, weights: Weights) -> float:
        # The retriever adds up in this order too: floats are the same to the last bit.
        score = 0.0
        if hit.bm25 is not None:
            score += weights.bm25 * self.spans[BM25].normalised(hit.bm25)
        if hit.dense is not None:
            score += weights.dense * self.spans[DENSE].normalised(hit.dense)
        return score
