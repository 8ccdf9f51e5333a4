"""Fits the weights of the legs to an encoder, by questions that neither train nor judge it.

They stay at live's unless chance does not explain what others gain (one-sided, 95 %), and only the
leg that has learned gains weight: what wrong votes take from it costs most on documents that nobody
asked about. A larger weight for a tuned encoder brings most where people have voted and may cost
where nobody has: so the never-voted validation questions bound the choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyre_trainer.gate.bootstrap import Names, mean_and_error
from gyre_trainer.gate.decision import ONE_SIDED
from gyre_trainer.gate.ndcg import ndcg
from gyre_trainer.gate.questions import GateQuestion
from gyre_trainer.gate.ranking import STEP, STEPS, Legs, Ranking, Weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Tried:
    """One choice, and each question's nDCG@10 by it."""

    weights: Weights
    values: Floats


def refit(
    questions: Sequence[GateQuestion],
    legs: Mapping[str, Legs],
    start: Weights,
    live: Mapping[str, Ranking],
) -> tuple[Weights, float]:
    """Weights that add up to 1, and their nDCG@10 on these questions.

    The best of those above `start` that gain on `start` by more than chance explains, and by which
    the never-voted questions do not lose against `live`'s rankings, by more than one standard
    error; `start`'s own share where there is none, or no question at all.
    """
    share = start.dense / (start.bm25 + start.dense)
    if not questions:
        return _of(share), 0.0
    mass = np.array([question.weight for question in questions])
    clusters = np.array([question.cluster for question in questions])
    new = np.array([question.new for question in questions])
    before = np.array(ndcg(questions, live))
    own = _try(questions, legs, share, 0)
    moved = [_try(questions, legs, share, step) for step in STEPS]
    allowed = [one for one in moved if _holds((one.values - before)[new], mass[new], clusters[new])]
    chosen = own
    best = surely_best(own.values, [one.values for one in allowed], mass, clusters)
    if best is not None:
        chosen = allowed[best]
    return chosen.weights, float(np.average(chosen.values, weights=mass))


def surely_best(own: Floats, others: Sequence[Floats], mass: Floats, clusters: Names) -> int | None:
    """Which of `others` does best on average, of those that beat `own` by more than chance
    explains (one-sided, 95 %, over clusters of near-identical questions); None where none does.
    All have a value a question.
    """
    gains = [mean_and_error(values - own, mass, clusters) for values in others]
    sure = [at for at, (mean, error) in enumerate(gains) if mean > ONE_SIDED * error + 1e-9]
    return max(sure, key=lambda at: gains[at][0], default=None)


def _try(
    questions: Sequence[GateQuestion], legs: Mapping[str, Legs], share: float, steps: int
) -> _Tried:
    weights = _of(min(1.0, share + steps * STEP))
    rankings = {q.question_id: legs[q.question_id].ranked(weights) for q in questions}
    return _Tried(weights, np.array(ndcg(questions, rankings)))


def _holds(gains: Floats, mass: Floats, clusters: Names) -> bool:
    """Not below nothing by more than one standard error, or, where one question alone tells of
    none, not at all.
    """
    if len(set(clusters)) < 2:
        return bool((gains >= 0).all())
    mean, error = mean_and_error(gains, mass, clusters)
    return mean >= -error - 1e-9


def _of(dense: float) -> Weights:
    return Weights(bm25=round(1 - dense, 4), dense=round(dense, 4))
