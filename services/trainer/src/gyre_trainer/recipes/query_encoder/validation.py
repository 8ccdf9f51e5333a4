"""How good fused retrieval is, on questions of the training side that taught nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gyre_trainer.recipes.query_encoder.comparison.decision import ONE_SIDED
from gyre_trainer.recipes.query_encoder.comparison.questions import GateQuestion, grade_of
from gyre_trainer.recipes.query_encoder.comparison.ranking import Legs
from gyre_trainer.recipes.query_encoder.comparison.refit import WeightFit, fit_at_share, fit_weights
from gyre_trainer.recipes.query_encoder.exact_search import exact_legs
from gyre_trainer.recipes.query_encoder.inputs import EncodedCorpus, Flags, Floats, LiveHits
from gyre_trainer.recipes.query_encoder.questions import TrainingQuestion
from gyre_trainer.training.bootstrap import mean_and_error

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
class _MeasuredQuestion:
    """A question as it is measured, what live found for it, what its asker cannot see."""

    question: GateQuestion
    live_hits: LiveHits
    hidden: Flags | None


class Validation:
    """Questions with what live's BM25 leg found for them; the dense leg is searched exactly.

    They are measured as the comparison measures, each question alike.
    """

    def __init__(
        self,
        questions: Sequence[TrainingQuestion],
        corpus: EncodedCorpus,
        live: Mapping[str, LiveHits],
        *,
        dense_weight: float,
        depth: int,
    ) -> None:
        """Both are live's: the dense leg's share in the weighted sum, and each leg's hits."""
        self._corpus = corpus
        self._dense_weight = dense_weight
        self._depth = depth
        judged = [_judged(str(at), each, corpus, live) for at, each in enumerate(questions)]
        self._judged = [one for one in judged if one is not None]
        self._questions = [one.question for one in self._judged]
        self._clusters: Strings = np.array([one.cluster for one in self._questions], dtype=np.str_)
        self._new = np.array([one.new for one in self._questions], dtype=np.bool_)
        self.texts = [one.text for one in self._questions]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many questions there are, and of those how many in each slice."""
        new = int(self._new.sum())
        return {"overall": len(self._questions), "voted": len(self._questions) - new, "new": new}

    def qualities(self, vectors: Mapping[float, Floats]) -> list[Quality]:
        """Judge the vectors of `texts` at each share, 0 among them; without questions all are 0.

        The dense leg's weight is live's, unless another one surely does better here.
        """
        if not self._questions:
            return [self._nothing(share) for share in sorted(vectors)]
        legs = {share: self._legs(vectors[share]) for share in sorted(vectors)}
        mass = np.ones(len(self._questions))
        fitted = {
            share: fit_weights(self._questions, each, self._dense_weight, mass)
            for share, each in legs.items()
        }
        best = max((each.values for each in fitted.values()), key=lambda values: values.mean())
        return [
            self._quality(
                share,
                each,
                fit_at_share(self._questions, legs[share], 1.0),
                fitted[0.0].values,
                best,
            )
            for share, each in fitted.items()
        ]

    def _quality(
        self, share: float, fitted: WeightFit, dense_alone: WeightFit, base: Scores, best: Scores
    ) -> Quality:
        new, gain = self._new, fitted.values - base
        return Quality(
            share=share,
            dense_weight=fitted.weights.dense,
            overall=float(fitted.values.mean()),
            voted=_mean(fitted.values[~new]),
            new=_mean(fitted.values[new]),
            error=_error(gain, self._clusters),
            new_error=_error(gain[new], self._clusters[new]),
            behind=self._behind(fitted.values, best),
            dense_alone=float(dense_alone.values.mean()),
        )

    def _legs(self, vectors: Floats) -> dict[str, Legs]:
        similarity = vectors @ self._corpus.vectors.T
        return {
            each.question.question_id: exact_legs(
                each.live_hits,
                row,
                self._corpus.position,
                depth=self._depth,
                hidden=each.hidden,
                among=each.question.grades,
            )
            for row, each in zip(similarity, self._judged, strict=True)
        }

    def _behind(self, values: Scores, best: Scores) -> float:
        """In standard errors of their paired difference."""
        mean = float((best - values).mean())
        if mean <= 1e-9:
            return 0.0
        return round(mean / max(_error(best - values, self._clusters), 1e-9), 6)

    def _nothing(self, share: float) -> Quality:
        return Quality(
            share=share,
            dense_weight=round(self._dense_weight, 4),
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
    without_fall = [each for each in tuned if _does_not_fall(each, base)]
    near = [each for each in without_fall if each.behind <= 1]
    if near:
        return max(each.share for each in near)
    return max([base, *without_fall], key=lambda each: each.overall).share


def _does_not_fall(quality: Quality, base: Quality) -> bool:
    if quality.new is None or base.new is None:
        return True
    return quality.new >= base.new - ONE_SIDED * quality.new_error


def _judged(
    name: str, question: TrainingQuestion, corpus: EncodedCorpus, live: Mapping[str, LiveHits]
) -> _MeasuredQuestion | None:
    live_hits = next((live[each] for each in question.ids if each in live), None)
    grades = {
        chunk: grade_of(label)
        for chunk, label in question.labels.items()
        if chunk in corpus.position
    }
    if live_hits is None or not any(grades.values()):
        return None
    measured = GateQuestion(
        question_id=name,
        tenant=question.tenant,
        acl=question.acl,
        text=question.text,
        cluster=question.cluster,
        new=question.held_out,
        grades=grades,
        chance=1.0,
    )
    return _MeasuredQuestion(measured, live_hits, corpus.hidden(question.tenant, question.acl))


def _error(gains: Scores, clusters: Strings) -> float:
    """The standard error of their mean; 0 where one question alone tells of none."""
    if len(set(clusters)) < 2:
        return 0.0
    return mean_and_error(gains, np.ones(len(gains)), clusters)[1]


def _mean(values: Scores) -> float | None:
    return float(values.mean()) if len(values) else None
