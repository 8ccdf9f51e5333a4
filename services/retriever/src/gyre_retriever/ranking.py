"""Makes one ranking of two, and now and then shows what it would not. Pure, but for the dice."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_common.fusion import (
    BM25,
    DENSE,
    FUSED,
    Fusion,
    Span,
    reciprocal_ranks,
    span_of,
    weighted_sum,
)
from gyre_common.retrieval_settings import RetrievalSettings

from gyre_retriever.ports import SearchResult

SAFE_SLOTS = 2
"""The first slots are what most people read, and always live's own."""


@dataclass(frozen=True)
class RankedPassage:
    """A passage with its raw score in each leg that found it, and the fused one.

    `propensity` is the probability with which it was shown; `explored` tells that it would not have
    been, by its score. `duplicates` are others that it stands for; the scores are those of the best
    of them all.
    """

    chunk: IndexedChunk
    scores: Mapping[str, float]
    duplicates: Sequence[IndexedChunk] = ()
    explored: bool = False
    propensity: float = 1.0

    @property
    def score(self) -> float:
        """The final score: higher is better."""
        return self.scores[FUSED]


def fuse(result: SearchResult, recipe: RetrievalSettings) -> list[RankedPassage]:
    """Every passage that a leg found, as `in_order` orders them."""
    weights = {BM25: recipe.bm25_weight, DENSE: recipe.dense_weight}
    chunks: dict[UUID, IndexedChunk] = {}
    raw: dict[UUID, dict[str, float]] = defaultdict(dict)
    fused: dict[UUID, float] = defaultdict(float)
    for leg, hits in result.legs.items():
        for hit, points in zip(hits, reciprocal_ranks(len(hits), recipe.rrf_k), strict=True):
            key = hit.chunk.chunk_id
            chunks[key] = hit.chunk
            raw[key][leg] = hit.score
            fused[key] += weights[leg] * points
    if recipe.fusion is Fusion.WEIGHTED_SUM:
        leg_spans = spans(result)
        fused = {key: weighted_sum(scores, weights, leg_spans) for key, scores in raw.items()}
    ranked = [
        RankedPassage(chunk, {**raw[key], FUSED: fused[key]}) for key, chunk in chunks.items()
    ]
    return in_order(ranked)


def in_order(passages: Iterable[RankedPassage]) -> list[RankedPassage]:
    """Best first; equal scores are ordered by chunk id."""
    return sorted(passages, key=lambda each: (-each.score, each.chunk.chunk_id))


def spans(result: SearchResult) -> dict[str, Span]:
    """By leg, how far its scores reach; a leg that found nothing is missing."""
    leg_spans = {leg: span_of([hit.score for hit in hits]) for leg, hits in result.legs.items()}
    return {leg: span for leg, span in leg_spans.items() if span is not None}


def explore(
    ranked: Sequence[RankedPassage], limit: int, share: float, rng: Random
) -> list[RankedPassage]:
    """The best `limit` passages, of which one may give its slot to a passage from behind them.

    With m slots behind the first two and n passages behind the limit, each of the m slots shows one
    of the n, evenly chosen, with probability e = min(share, 1/m), and at most one slot does. So a
    passage of those slots is shown with propensity 1 - e, one from behind with m * e / n, and one
    of the first two with 1.

    Live only learns what its own ranking shows; votes on these passages tell of the rest, and the
    propensities let whoever learns from votes weigh them (Swaminathan and Joachims 2015, JMLR
    16:1731, equation 3: one over the propensity).
    """
    top, rest = list(ranked[:limit]), ranked[limit:]
    slots = limit - SAFE_SLOTS
    if share <= 0 or slots < 1 or not rest:
        return top
    each = min(share, 1 / slots)
    top[SAFE_SLOTS:] = [replace(one, propensity=1 - each) for one in top[SAFE_SLOTS:]]
    if rng.random() < slots * each:
        slot, passage = SAFE_SLOTS + rng.randrange(slots), rng.choice(rest)
        top[slot] = replace(passage, explored=True, propensity=slots * each / len(rest))
    return top
