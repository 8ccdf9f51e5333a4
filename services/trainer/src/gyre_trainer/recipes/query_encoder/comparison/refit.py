"""Fits the weights of the legs to an encoder, by questions that neither train nor judge it.

They stay at live's unless chance does not explain what others gain (one-sided, 95 %), and only the
leg that has learned gains weight: what wrong votes take from it costs most on documents that nobody
asked about. A larger weight for a tuned encoder brings most where people have voted and may cost
where nobody has: so the never-voted validation questions bound the choice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyre_trainer.recipes.query_encoder.comparison.decision import ONE_SIDED
from gyre_trainer.recipes.query_encoder.comparison.ndcg import ndcg
from gyre_trainer.recipes.query_encoder.comparison.questions import GateQuestion
from gyre_trainer.recipes.query_encoder.comparison.ranking import (
    STEP,
    STEPS,
    Legs,
    Ranking,
    Weights,
)
from gyre_trainer.training.bootstrap import Names, mean_and_error

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WeightFit:
    """Weights that add up to 1, and each question's nDCG@10 by them."""

    weights: Weights
    values: Floats


def refit(
    questions: Sequence[GateQuestion],
    legs: Mapping[str, Legs],
    start: Weights,
    live: Mapping[str, Ranking],
) -> tuple[Weights, float]:
    """The fitted weights, and their mean nDCG@10 on these questions.

    Of the weights above `start` only those count by which the never-voted questions do not lose
    against `live`'s rankings, by more than one standard error. Without a question it is `start`.
    """
    share = start.dense / (start.bm25 + start.dense)
    if not questions:
        return _weights_of(share), 0.0
    mass = np.array([question.weight for question in questions])
    clusters = np.array([question.cluster for question in questions])
    new = np.array([question.new for question in questions])
    before = np.array(ndcg(questions, live))

    def allowed(fitted: WeightFit) -> bool:
        return _does_not_fall((fitted.values - before)[new], mass[new], clusters[new])

    best_fit = fit_weights(questions, legs, share, mass, allowed)
    return best_fit.weights, float(np.average(best_fit.values, weights=mass))


def fit_weights(
    questions: Sequence[GateQuestion],
    legs: Mapping[str, Legs],
    share: float,
    mass: Floats,
    allowed: Callable[[WeightFit], bool] = lambda _: True,
) -> WeightFit:
    """The best of the allowed shares of the dense leg above `share` that gain on it by more than
    chance explains; `share` itself where there is none. `mass` is what each question counts.
    """
    clusters = np.array([question.cluster for question in questions])
    own = fit_at_share(questions, legs, share)
    above = sorted({min(1.0, share + step * STEP) for step in STEPS} - {share})
    fits = [one for one in (fit_at_share(questions, legs, each) for each in above) if allowed(one)]
    best = surely_best(own.values, [one.values for one in fits], mass, clusters)
    return own if best is None else fits[best]


def fit_at_share(
    questions: Sequence[GateQuestion], legs: Mapping[str, Legs], share: float
) -> WeightFit:
    """What the dense leg's `share` of the weighted sum comes to."""
    weights = _weights_of(share)
    rankings = {q.question_id: legs[q.question_id].ranked(weights) for q in questions}
    return WeightFit(weights, np.array(ndcg(questions, rankings)))


def surely_best(own: Floats, others: Sequence[Floats], mass: Floats, clusters: Names) -> int | None:
    """Which of `others` does best on average, of those that beat `own` by more than chance
    explains (one-sided, 95 %, over clusters of near-identical questions); None where none does.
    All have a value a question.
    """
    gains = [mean_and_error(values - own, mass, clusters) for values in others]
    sure = [at for at, (mean, error) in enumerate(gains) if mean > ONE_SIDED * error + 1e-9]
    return max(sure, key=lambda at: gains[at][0], default=None)


def _does_not_fall(gains: Floats, mass: Floats, clusters: Names) -> bool:
    """Not below nothing by more than one standard error, or, where one question alone tells of
    none, not at all.
    """
    if len(set(clusters)) < 2:
        return bool((gains >= 0).all())
    mean, error = mean_and_error(gains, mass, clusters)
    return mean >= -error - 1e-9


def _weights_of(dense: float) -> Weights:
    return Weights(bm25=round(1 - dense, 4), dense=round(dense, 4))
