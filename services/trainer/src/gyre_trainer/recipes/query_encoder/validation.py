"""How good fused retrieval is, on questions of the training side that taught nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from gyre_common.fusion import Span
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gyre_trainer.gate.bootstrap import mean_and_error
from gyre_trainer.gate.decision import ONE_SIDED
from gyre_trainer.gate.ranking import STEP, STEPS
from gyre_trainer.gate.refit import surely_best
from gyre_trainer.recipes.query_encoder.questions import Question
from gyre_trainer.recipes.query_encoder.run_data import Corpus, Flags, Floats, Found
from gyre_trainer.recipes.query_encoder.targets import bm25_points

CUT = 10
HALF_WAY = 0.5
Scores = NDArray[np.float64]
Strings = NDArray[np.str_]


class Quality(BaseModel):
    """nDCG@10 of judged passages (0..1) at one share of the tuned weights, fusion weights refitted.

    `voted` and `new` are the questions whose documents had votes to learn from and those whose had
    none; a slice without questions is None. `error` and `new_error` are standard errors of the
    difference from the base, question by question. `behind` tells by how many standard errors of
    their difference the share lies behind the one that does best.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    dense_weight: float
    overall: float
    voted: float | None
    new: float | None
    error: float = 0.0
    new_error: float = 0.0
    behind: float = 0.0
    dense_alone: float


@dataclass(frozen=True)
class _Judged:
    """The judged passages of a question: where they stand, how good they are, BM25's points."""

    positions: NDArray[np.int64]
    gains: Scores
    bm25: Scores
    in_bm25: Flags
    held_out: bool
    cluster: str
    hidden: Flags | None


@dataclass(frozen=True)
class _Fused:
    """The dense weight, each question's nDCG by it, the dense leg's mean alone."""

    weight: float
    values: Scores
    dense_alone: float


class Validation:
    """Questions with what live's BM25 leg found for them; the dense leg is searched exactly."""

    def __init__(
        self,
        questions: Sequence[Question],
        corpus: Corpus,
        live: Mapping[str, Found],
        *,
        dense_weight: float,
        depth: int,
    ) -> None:
        """Both are live's: the dense leg's share in the weighted sum, and each leg's hits."""
        self._depth = depth
        judged = [(each, _judged(each, corpus, live)) for each in questions]
        kept = [(question, one) for question, one in judged if one is not None]
        self.texts = [question.text for question, _ in kept]
        self._judged = [one for _, one in kept]
        self._clusters: Strings = np.array([one.cluster for one in self._judged], dtype=np.str_)
        self._corpus = corpus
        around = (round(dense_weight + STEP * step, 4) for step in (0, *STEPS))
        self._weights = [weight for weight in around if 0 <= weight <= 1]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many questions there are, and of those how many in each slice."""
        new = sum(each.held_out for each in self._judged)
        return {"overall": len(self._judged), "voted": len(self._judged) - new, "new": new}

    def qualities(self, vectors: Mapping[float, Floats]) -> list[Quality]:
        """Judge the vectors of `texts` at each share, 0 among them; without questions all are 0.

        The dense leg's weight is live's, unless another one surely does better here.
        """
        if not self._judged:
            return [self._nothing(share) for share in sorted(vectors)]
        fused = {share: self._fused(vectors[share]) for share in sorted(vectors)}
        best = max((each.values for each in fused.values()), key=lambda values: values.mean())
        return [self._quality(share, each, fused[0.0], best) for share, each in fused.items()]

    def _quality(self, share: float, fused: _Fused, base: _Fused, best: Scores) -> Quality:
        new = np.array([each.held_out for each in self._judged])
        gain = fused.values - base.values
        return Quality(
            share=share,
            dense_weight=fused.weight,
            overall=float(fused.values.mean()),
            voted=_mean(fused.values[~new]),
            new=_mean(fused.values[new]),
            error=_error(gain, self._clusters),
            new_error=_error(gain[new], self._clusters[new]),
            behind=self._behind(fused.values, best),
            dense_alone=fused.dense_alone,
        )

    def _fused(self, vectors: Floats) -> _Fused:
        similarity = vectors @ self._corpus.vectors.T
        legs = [
            _dense_leg(row, each, self._depth)
            for row, each in zip(similarity, self._judged, strict=True)
        ]
        by_weight = np.array(
            [
                [
                    _ndcg((1 - weight) * each.bm25 + weight * dense, each.gains, found)
                    for each, (dense, found) in zip(self._judged, legs, strict=True)
                ]
                for weight in (*self._weights, 1.0)
            ]
        )
        fused, alone = by_weight[:-1], by_weight[-1]
        # As the gate fits weights: they stay at live's, which come first, unless others are better.
        better = surely_best(fused[0], list(fused[1:]), np.ones(len(fused[0])), self._clusters)
        chosen = 0 if better is None else better + 1
        return _Fused(self._weights[chosen], fused[chosen], float(alone.mean()))

    def _behind(self, values: Scores, best: Scores) -> float:
        """In standard errors of their paired difference."""
        mean = float((best - values).mean())
        if mean <= 1e-9:
            return 0.0
        return round(mean / max(_error(best - values, self._clusters), 1e-9), 6)

    def _nothing(self, share: float) -> Quality:
        return Quality(
            share=share,
            dense_weight=self._weights[0],
            overall=0.0,
            voted=None,
            new=None,
            dense_alone=0.0,
        )


def chosen_share(qualities: Sequence[Quality]) -> float:
    """The largest share that is as good as the best while the new slice does not fall; else 0.

    A fall counts when chance does not explain it (one-sided, 95 %, as the gate bounds it). As good
    as the best is what lies within one standard error of it; the largest share, because what was
    judged is what live showed, and so speaks for live. Where none is as good, the best of those
    without a fall, 0 among them. Without any question it is the share nearest to half-way
    (Wortsman et al. 2022, arXiv:2109.01903).
    """
    base = next(each for each in qualities if each.share == 0)
    tuned = [each for each in qualities if each.share > 0]
    if base.voted is None and base.new is None:
        return min(tuned or [base], key=lambda each: abs(each.share - HALF_WAY)).share
    held = [each for each in tuned if _holds(each, base)]
    near = [each for each in held if each.behind <= 1]
    if near:
        return max(each.share for each in near)
    return max([base, *held], key=lambda each: each.overall).share


def _holds(quality: Quality, base: Quality) -> bool:
    if quality.new is None or base.new is None:
        return True
    return quality.new >= base.new - ONE_SIDED * quality.new_error


def _judged(question: Question, corpus: Corpus, live: Mapping[str, Found]) -> _Judged | None:
    found = next((live[each] for each in question.ids if each in live), None)
    labels = {
        corpus.position[chunk]: label
        for chunk, label in question.labels.items()
        if chunk in corpus.position
    }
    if found is None or not any(label > 0 for label in labels.values()):
        return None
    points = bm25_points(found)
    ids = [corpus.passages[position].chunk_id for position in labels]
    return _Judged(
        positions=np.array(list(labels)),
        gains=np.maximum(np.array(list(labels.values())), 0.0),
        bm25=np.array([points.get(chunk, 0.0) for chunk in ids]),
        in_bm25=np.array([chunk in points for chunk in ids]),
        held_out=question.held_out,
        cluster=question.cluster,
        hidden=corpus.hidden(question.tenant, question.acl),
    )


def _dense_leg(similarity: Floats, judged: _Judged, depth: int) -> tuple[Scores, Flags]:
    """The dense leg's points of the judged passages, and which of them any leg found."""
    seen = similarity if judged.hidden is None else similarity[~judged.hidden]
    depth = min(depth, len(seen))
    least = float(np.partition(seen, -depth)[-depth])
    span = Span(depth, least, float(seen.max()))
    raw = similarity[judged.positions]
    in_dense = raw >= least
    points = [
        span.normalised(float(each)) if there else 0.0
        for each, there in zip(raw, in_dense, strict=True)
    ]
    return np.array(points), in_dense | judged.in_bm25


def _ndcg(scores: Scores, gains: Scores, found: Flags) -> float:
    """nDCG@10 of the judged passages alone, ranked by their scores; what no leg found is lost.

    Järvelin and Kekäläinen 2002, ACM TOIS 20(4), with linear gains; "condensed lists": Sakai 2007,
    SIGIR.
    """
    order = np.argsort(-scores[found], kind="stable")[:CUT]
    ideal = np.sort(gains)[::-1][:CUT]
    discounts = 1 / np.log2(np.arange(2, CUT + 2))
    return float(
        (gains[found][order] * discounts[: len(order)]).sum()
        / (ideal * discounts[: len(ideal)]).sum()
    )


def _error(gains: Scores, clusters: Strings) -> float:
    """The standard error of their mean; 0 where one question alone tells of none."""
    if len(set(clusters)) < 2:
        return 0.0
    return mean_and_error(gains, np.ones(len(gains)), clusters)[1]


def _mean(values: Scores) -> float | None:
    return float(values.mean()) if len(values) else None
