"""What looking at answers several times costs: an interval a look, which err together as one does.

A group sequential test (Jennison and Turnbull 2000, Group Sequential Methods, chapters 7 and 9).
Each look spends a part of the error, little at first, by the function of Lan and DeMets 1983
(Biometrika 70(3)) that resembles O'Brien and Fleming's: so the last interval is hardly wider than
if nobody had looked before. Looking less often than was planned, or stopping because nothing is to
be gained any more, errs less.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import signal, stats

_STEP = 0.004
_WIDEST = 8.0
"""Of the grid of the summed evidence, whose variance at the end is 1."""

_FUTILE = 0.05


def tails_of_looks(shares: Sequence[float], error: float) -> list[float]:
    """The one-sided error that each look's bound is to have by itself, so that all together err at
    most `error`, one-sided. `shares` of the evidence are there at each look: they grow, to 1.
    """
    grid = np.arange(-_WIDEST, _WIDEST + _STEP, _STEP)
    density, tails = None, []
    for before, now in pairwise((0.0, *shares)):
        step = stats.norm.pdf(grid, scale=math.sqrt(now - before))
        density = step if density is None else signal.fftconvolve(density, step, "same") * _STEP
        above = (np.cumsum(density[::-1])[::-1] - density / 2) * _STEP
        bound = np.interp(_spent(now, error) - _spent(before, error), above[::-1], grid[::-1])
        tails.append(float(stats.norm.sf(bound / math.sqrt(now))))
        density = np.where(grid < bound, density, 0.0)
    return tails


def _spent(share: float, error: float) -> float:
    if share == 0:
        return 0.0
    return float(2 * stats.norm.sf(stats.norm.isf(error / 2) / math.sqrt(share)))


def is_futile(difference: float, spread: float, share: float, tail: float) -> bool:
    """Whether a difference will hardly (in 5 % of cases) be above 0 at the last look, by a bound of
    that one-sided error, even if it were in truth at the upper end of its 95 % interval now
    (conditional power, chapter 10). `spread` is its standard error, `share` what is there.
    """
    if spread == 0:
        return difference <= 0
    now = difference / spread
    drift = (now + stats.norm.isf(0.025)) / math.sqrt(share)
    expected = now * math.sqrt(share) + drift * (1 - share)
    still_open = math.sqrt(1 - share)
    return bool(stats.norm.sf((stats.norm.isf(tail) - expected) / still_open) < _FUTILE)
