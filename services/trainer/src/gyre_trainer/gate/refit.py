"""Fits the weights of the legs to an encoder, by questions that neither train nor judge it.

A larger weight for a tuned encoder brings most where people have voted and costs where nobody has:
so the never-voted validation questions bound the choice, and of nearly equal weights the one
nearest to what is live wins (the one-standard-error rule: Breiman et al. 1984, section 3.4.3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyre_trainer.gate.ndcg import ndcg
from gyre_trainer.gate.questions import GateQuestion
from gyre_trainer.gate.ranking import REACH, STEP, Legs, Ranking, Weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Tried:
    """One choice: how far it is from live's, and each question's nDCG@10 by it."""

    weights: Weights
    distance: float
    values: Floats


def refit(
    questions: Sequence[GateQuestion],
    legs: Mapping[str, Legs],
    start: Weights,
    live: Mapping[str, Ranking],
) -> tuple[Weights, float]:
    """Weights that add up to 1, and their nDCG@10 on these questions.

    The best of those around `start` by which the never-voted questions do not lose against `live`'s
    rankings, by more than one standard error; `start`'s own share where there is none, or no
    question at all.
    """
    share = start.dense / (start.bm25 + start.dense)
    if not questions:
        return _of(share), 0.0
    mass = np.array([question.weight for question in questions])
    new = np.array([question.new for question in questions])
    before = np.array(ndcg(questions, live))
    tried = [_try(questions, legs, share, steps) for steps in range(-REACH, REACH + 1)]
    allowed = [one for one in tried if _is_near(one.values[new], before[new], mass[new])]
    if not allowed:
        allowed = [min(tried, key=lambda one: one.distance)]
    everything = np.ones_like(new, dtype=np.bool_)
    best = max(allowed, key=lambda one: _mean(one.values, mass, everything))
    near = [one for one in allowed if _is_near(one.values, best.values, mass)]
    chosen = min(near, key=lambda one: one.distance)
    return chosen.weights, _mean(chosen.values, mass, everything)


def _try(
    questions: Sequence[GateQuestion], legs: Mapping[str, Legs], share: float, steps: int
) -> _Tried:
    weights = _of(min(1.0, max(0.0, share + steps * STEP)))
    rankings = {q.question_id: legs[q.question_id].ranked(weights) for q in questions}
    return _Tried(weights, abs(weights.dense - share), np.array(ndcg(questions, rankings)))


def _is_near(values: Floats, best: Floats, mass: Floats) -> bool:
    """Within one standard error of their paired difference; none differ where there are none."""
    if not len(values):
        return True
    differences = best - values
    mean = float(np.average(differences, weights=mass))
    spread = float(np.sqrt(np.sum((mass * (differences - mean)) ** 2)) / mass.sum())
    error = spread * np.sqrt(len(values) / (len(values) - 1)) if len(values) > 1 else 0.0
    return bool(mean <= error + 1e-9)


def _mean(values: Floats, mass: Floats, chosen: NDArray[np.bool_]) -> float:
    return float(np.average(values[chosen], weights=mass[chosen])) if chosen.any() else 0.0


def _of(dense: float) -> Weights:
    return Weights(bm25=round(1 - dense, 4), dense=round(dense, 4))
