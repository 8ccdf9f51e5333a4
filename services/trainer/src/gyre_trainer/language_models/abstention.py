"""From which confidence of the reader a version answers: chosen on what people said."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gyre_trainer.data_sets.answers import AnswerKind, declines
from gyre_trainer.language_models.inputs import Sample

ANSWERS_AT = "answers_at"
"""The setting of a generator version."""

_THRESHOLDS = np.linspace(0, 1, 21)
_EQUAL = 1e-9
_LEAST = 25
"""Questions of either kind, answered and not."""


def chosen_threshold(samples: Sequence[Sample], base: str | None) -> float | None:
    """The threshold with the best balanced accuracy: the mean of the shares of questions with an
    answer that are at least as sure, and of those without one that are less. None leaves `base`,
    the base's own: questions are too few, or the best gains no more than one standard error of the
    paired difference (the rule of Breiman et al. 1984, section 3.4.3): chance moves nothing.
    """
    known = [
        (sample.confidence, not declines(sample.answer))
        for sample in samples
        if sample.confidence is not None and _says_what_is_wanted(sample)
    ]
    confidence = np.array([each for each, _ in known])
    wanted = np.array([each for _, each in known], dtype=bool)
    if min(wanted.sum(), (~wanted).sum()) < _LEAST:
        return None
    # Of either kind half, whatever their numbers.
    weights = np.where(wanted, 0.5 / wanted.sum(), 0.5 / (~wanted).sum())
    right = (confidence >= _THRESHOLDS[:, None]) == wanted
    accuracy = right @ weights
    ties = np.flatnonzero(accuracy >= accuracy.max() - _EQUAL)
    best = int(ties[len(ties) // 2])
    if (threshold := _number(base)) is not None:
        of_base = (confidence >= threshold) == wanted
        gain = accuracy[best] - of_base @ weights
        if gain <= _standard_error(right[best], of_base, weights) + _EQUAL:
            return None
    return round(float(_THRESHOLDS[best]), 2)


def _number(text: str | None) -> float | None:
    """None for what the generator refuses as well."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _says_what_is_wanted(sample: Sample) -> bool:
    return sample.row.kind is not AnswerKind.DISTILLED and sample.row.desirable


def _standard_error(
    one: NDArray[np.bool_], other: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float:
    difference = one.astype(float) - other
    return float(np.sqrt((weights**2) @ (difference - difference @ weights) ** 2))
