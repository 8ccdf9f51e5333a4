"""Shows, now and then, a passage that would not have been shown. Pure, but for the dice.

Live only learns what its own ranking shows; votes on these passages tell of the rest, and the
propensities let whoever learns from votes weigh them (Swaminathan and Joachims 2015, JMLR 16:1731,
equation 3: one over the propensity).
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from gyre_retriever.fusion import RankedPassage

SAFE_SLOTS = 2
"""The first slots are what most people read, and always live's own."""


def explore(
    ranked: Sequence[RankedPassage], limit: int, share: float, rng: Random
) -> list[RankedPassage]:
    """The best `limit` passages, of which one may give its slot to a passage from behind them.

    With m slots behind the first two and n passages behind the limit, each of the m slots shows one
    of the n, evenly chosen, with probability e = min(share, 1/m), and at most one slot does. So a
    passage of those slots is shown with propensity 1 - e, one from behind with m * e / n, and one
    of the first two with 1.
    """
    top, rest = list(ranked[:limit]), ranked[limit:]
    slots = limit - SAFE_SLOTS
    if share <= 0 or slots < 1 or not rest:
        return top
    each = min(share, 1 / slots)
    top[SAFE_SLOTS:] = [replace(one, propensity=1 - each) for one in top[SAFE_SLOTS:]]
    if rng.random() < slots * each:
        slot, passage = SAFE_SLOTS + rng.randrange(slots), rng.choice(rest)
        top[slot] = replace(passage, explored=True, propensity=slots * each / len(rest))
    return top
