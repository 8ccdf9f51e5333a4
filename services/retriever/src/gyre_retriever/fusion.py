"""Makes one ranking of two. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from gyre_retriever.recipe import Fusion, Recipe
from gyre_retriever.search_index import Found, Hit

BM25, DENSE, FUSED = "bm25", "dense", "fused"


@dataclass(frozen=True)
class Ranked:
    """A passage with its raw score in each leg that found it, and the fused one."""

    hit: Hit
    scores: Mapping[str, float]

    @property
    def score(self) -> float:
        """The final score: higher is better."""
        return self.scores[FUSED]


def fuse(found: Found, recipe: Recipe) -> list[Ranked]:
    """Every passage that a leg found, best first; equal scores are ordered by chunk id."""
    legs = {
        BM25: (recipe.bm25_weight, found.bm25 or ()),
        DENSE: (recipe.dense_weight, found.dense or ()),
    }
    hits: dict[UUID, Hit] = {}
    raw: dict[UUID, dict[str, float]] = {}
    fused: dict[UUID, float] = {}
    for name, (weight, leg) in legs.items():
        points = _reciprocal_ranks(leg, recipe.rrf_k)
        if recipe.fusion is Fusion.WEIGHTED_SUM:
            points = _normalised(leg)
        for hit, point in zip(leg, points, strict=True):
            key = hit.chunk_id
            hits.setdefault(key, hit)
            raw.setdefault(key, {})[name] = hit.score
            fused[key] = fused.get(key, 0.0) + weight * point
    ranked = [Ranked(hits[key], {**raw[key], FUSED: fused[key]}) for key in hits]
    return sorted(ranked, key=lambda each: (-each.score, each.hit.chunk_id))


def without_repeats(ranked: Sequence[Ranked], limit: int) -> list[Ranked]:
    """The best `limit` passages; of passages with the same words only the best one stays."""
    kept: dict[str, Ranked] = {}
    for each in ranked:
        kept.setdefault(" ".join(each.hit.chunk.text.split()), each)
        if len(kept) == limit:
            break
    return list(kept.values())


def _reciprocal_ranks(leg: Sequence[Hit], k: float) -> list[float]:
    """Reciprocal rank fusion: Cormack, Clarke and Büttcher 2009, SIGIR, equation 1."""
    return [1.0 / (k + rank) for rank in range(1, len(leg) + 1)]


def _normalised(leg: Sequence[Hit]) -> list[float]:
    """Scores between 0 and 1, by the least and the greatest of the leg (Lee 1997, SIGIR)."""
    if not leg:
        return []
    greatest, least = leg[0].score, leg[-1].score
    width = greatest - least
    return [(hit.score - least) / width if width else 1.0 for hit in leg]
