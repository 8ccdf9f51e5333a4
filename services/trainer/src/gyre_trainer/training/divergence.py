"""Stops a training whose loss says that it leads nowhere."""

import math
from collections.abc import Sequence
from statistics import fmean

from gyre_common.errors import FailedPrecondition

_STEPS = 5
_TIMES = 3.0
_LEAST = 0.1
"""Mean loss of the first steps from which a multiple of it says something: GRPO's is near 0."""


def check_loss(losses: Sequence[float], steps: int) -> None:
    """`losses` are those of the steps so far, of `steps` in all. Raises FailedPrecondition where
    the last is no number, or the last ones together are three times as high as the first.
    """
    at = f"at step {len(losses)} of {steps}: lower the learning rate"
    if not math.isfinite(losses[-1]):
        raise FailedPrecondition(f"the loss is {losses[-1]} {at}")
    if len(losses) < 2 * _STEPS:
        return
    first, last = fmean(losses[:_STEPS]), fmean(losses[-_STEPS:])
    if first >= _LEAST and last > _TIMES * first:
        raise FailedPrecondition(
            f"the training diverges: its loss was {first:.3g} and is {last:.3g} {at}"
        )
