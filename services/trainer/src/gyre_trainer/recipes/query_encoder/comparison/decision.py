"""The rule: a gain overall, and no loss for questions about documents that nobody voted on."""

import math
from collections.abc import Mapping

from gyre_common.events.training import Decision

from gyre_trainer.recipes.query_encoder.comparison.report import (
    MeasuredSlice,
    Rule,
    SliceName,
    signed,
)

_TWO_SIDED, ONE_SIDED, _POWER = 1.960, 1.645, 0.842
"""Normal quantiles of 97.5 %, 95 % and 80 %."""


def decide(
    slices: Mapping[SliceName, MeasuredSlice], rule: Rule
) -> tuple[Decision, tuple[str, ...]]:
    """The verdict, and a sentence for each thing that speaks against the candidate."""
    overall, new = slices[SliceName.OVERALL], slices[SliceName.NEW]
    unclear = _missing(slices, rule)
    against: list[str] = []
    if overall.low is not None and overall.low <= 0:
        reason, settled = _no_gain(overall)
        (against if settled else unclear).append(reason)
    if new.one_sided_low is not None and new.one_sided_low <= -rule.margin:
        reason, settled = _may_lose(new, rule.margin)
        (against if settled else unclear).append(reason)
    if against:
        return Decision.REFUSED, (*against, *unclear)
    return (Decision.TOO_SMALL, tuple(unclear)) if unclear else (Decision.PASSED, ())


def needed(one: MeasuredSlice, rule: Rule) -> int | None:
    """How many questions that differ would settle this slice in 4 of 5 cases, were it as it seems.

    None where it is settled. The spread of a mean falls with the root of their number.
    """
    least = rule.least if one.name is not SliceName.OVERALL else 1
    if one.difference is None or not one.spread:
        return least if one.clusters < least else None
    clusters = one.clusters
    if one.name is SliceName.OVERALL and one.low is not None and one.low <= 0 < one.difference:
        clusters = _sample(one, _TWO_SIDED + _POWER, one.difference)
    room = one.difference + rule.margin
    unproved = one.one_sided_low is not None and one.one_sided_low <= -rule.margin
    if one.name is SliceName.NEW and unproved and room > 0:
        clusters = _sample(one, ONE_SIDED + _POWER, room)
    clusters = max(clusters, least)
    return clusters if clusters > one.clusters else None


def _sample(one: MeasuredSlice, quantiles: float, effect: float) -> int:
    assert one.spread is not None, "a slice with a difference has a spread"
    return math.ceil(one.clusters * (quantiles * one.spread / effect) ** 2)


def _missing(slices: Mapping[SliceName, MeasuredSlice], rule: Rule) -> list[str]:
    return [
        f"the slice `{one.name}` has {one.clusters} different questions of the {rule.least} that "
        "are needed to tell"
        for one in (slices[SliceName.VOTED], slices[SliceName.NEW])
        if one.clusters < rule.least
    ]


def _no_gain(overall: MeasuredSlice) -> tuple[str, bool]:
    assert overall.difference is not None
    if overall.difference <= 0:
        return f"no gain overall: {_describe(overall)}", True
    return f"the gain overall may be chance: {_describe(overall)}{_more(overall)}", False


def _may_lose(new: MeasuredSlice, margin: float) -> tuple[str, bool]:
    assert new.difference is not None
    bound = f"the one-sided 95 % bound is {signed(new.one_sided_low or 0.0)}"
    if new.difference <= -margin:
        return f"a loss on documents nobody voted on: {_describe(new)}", True
    return (
        f"a loss of more than {100 * margin:.1f} on documents nobody voted on cannot be ruled out: "
        f"{signed(new.difference)}, {bound}{_more(new)}",
        False,
    )


def _describe(one: MeasuredSlice) -> str:
    assert one.difference is not None
    return f"{signed(one.difference)} ({signed(one.low or 0.0)} to {signed(one.high or 0.0)})"


def _more(one: MeasuredSlice) -> str:
    return f"; about {one.needed} different questions would tell" if one.needed else ""
