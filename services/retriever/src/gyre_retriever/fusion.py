"""Makes one ranking of two. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

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

from gyre_retriever.search_index import Hit, SearchResult


@dataclass(frozen=True)
class RankedPassage:
    """A passage with its raw score in each leg that found it, and the fused one.

    `propensity` is the probability with which it was shown; `explored` tells that it would not have
    been, by its score.
    """

    hit: Hit
    scores: Mapping[str, float]
    explored: bool = False
    propensity: float = 1.0

    @property
    def score(self) -> float:
        """The final score: higher is better."""
        return self.scores[FUSED]


def fuse(result: SearchResult, recipe: RetrievalSettings) -> list[RankedPassage]:
    """Every passage that a leg found, best first; equal scores are ordered by chunk id."""
    legs = {BM25: result.bm25 or (), DENSE: result.dense or ()}
    weights = {BM25: recipe.bm25_weight, DENSE: recipe.dense_weight}
    hits = {hit.chunk_id: hit for leg in (legs[DENSE], legs[BM25]) for hit in leg}
    raw: dict[UUID, dict[str, float]] = {key: {} for key in hits}
    by_rank = dict.fromkeys(hits, 0.0)
    for name, leg in legs.items():
        for hit, points in zip(leg, reciprocal_ranks(len(leg), recipe.rrf_k), strict=True):
            raw[hit.chunk_id][name] = hit.score
            by_rank[hit.chunk_id] += weights[name] * points
    fused = by_rank
    if recipe.fusion is Fusion.WEIGHTED_SUM:
        leg_spans = spans(result)
        fused = {key: weighted_sum(scores, weights, leg_spans) for key, scores in raw.items()}
    ranked = [RankedPassage(hit, {**raw[key], FUSED: fused[key]}) for key, hit in hits.items()]
    return sorted(ranked, key=lambda each: (-each.score, each.hit.chunk_id))


def without_repeats(ranked: Sequence[RankedPassage]) -> list[RankedPassage]:
    """Of passages with the same words only the best one stays."""
    best_by_text: dict[str, RankedPassage] = {}
    for each in ranked:
        best_by_text.setdefault(" ".join(each.hit.chunk.text.split()), each)
    return list(best_by_text.values())


def spans(result: SearchResult) -> dict[str, Span]:
    """By leg, how far its scores reach; a leg that found nothing is missing."""
    legs = {BM25: result.bm25 or (), DENSE: result.dense or ()}
    leg_spans = {name: span_of([hit.score for hit in leg]) for name, leg in legs.items()}
    return {name: span for name, span in leg_spans.items() if span is not None}
