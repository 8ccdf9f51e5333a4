"""The arithmetic of fusion: the retriever ranks by it, and the trainer fits its weights by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

BM25, DENSE, FUSED = "bm25", "dense", "fused"
LEGS = (BM25, DENSE)


class Fusion(StrEnum):
    """How two ranked lists become one."""

    RRF = "rrf"
    WEIGHTED_SUM = "weighted_sum"


@dataclass(frozen=True)
class Span:
    """How far the scores of one leg reach: all that its normalisation depends on."""

    hits: int
    least: float
    greatest: float

    def normalised(self, score: float) -> float:
        """Between 0 and 1, by the least and the greatest of the leg (Lee 1997, SIGIR)."""
        width = self.greatest - self.least
        return (score - self.least) / width if width else 1.0


def span_of(scores: Sequence[float]) -> Span | None:
    """The span of a leg's scores, in any order; None for a leg that found nothing."""
    return Span(len(scores), min(scores), max(scores)) if scores else None


def weighted_sum(
    scores: Mapping[str, float], weights: Mapping[str, float], spans: Mapping[str, Span]
) -> float:
    """The fused score of one passage: each leg's normalised score by the leg's weight.

    All three are by leg; a leg that did not find the passage is missing from `scores`. Legs are
    added up in one order everywhere, so that equal inputs give equal floats.
    """
    legs = (leg for leg in LEGS if leg in scores)
    return sum((weights[leg] * spans[leg].normalised(scores[leg]) for leg in legs), 0.0)


def reciprocal_ranks(hits: int, k: float) -> list[float]:
    """Reciprocal rank fusion: Cormack, Clarke and Büttcher 2009, SIGIR, equation 1."""
    return [1.0 / (k + rank) for rank in range(1, hits + 1)]
