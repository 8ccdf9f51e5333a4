"""In which order held-out questions are asked, when one looks at the answers, and when to stop."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gyre_common.events.training import Decision

from gyre_trainer.data_sets.answers import declines
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.language_models.report import (
    MUST_NOT_LOSE,
    MeasuredSlice,
    SliceName,
    surely_worse,
)
from gyre_trainer.training.bootstrap import ONE_LOOK, Tails
from gyre_trainer.training.repeated_looks import is_futile, tails_of_looks

_SHARES = (0.4, 0.6, 0.8)
_FEWEST = 20
"""Different questions, before which nobody looks: fewer make no interval of an error that small."""


@dataclass(frozen=True)
class Look:
    """After so many questions, which are this share of the different ones. `tails` are those of its
    intervals, `last` those of the last look.
    """

    questions: int
    share: float
    tails: Tails
    last: Tails


def in_asking_order(samples: Sequence[Sample], seed: str) -> list[Sample]:
    """The same for a seed. Near-identical questions stand together, and however many are asked, all
    kinds have the same share of them: tenants, `new`, those with an answer and those without.
    """
    kinds: dict[tuple[object, ...], dict[str, list[Sample]]] = defaultdict(dict)
    for cluster, members in _by_cluster(samples).items():
        first = members[0]
        kind = (first.row.tenant, first.row.held_out, declines(first.answer))
        kinds[kind][cluster] = members
    placed = []
    for of_kind in kinds.values():
        drawn = sorted((_drawn(f"{seed} {name}"), name) for name in of_kind)
        for place, (number, name) in enumerate(drawn):
            placed.append(((place + number) / len(drawn), name, of_kind[name]))
    return [sample for *_, members in sorted(placed) for sample in members]


def looks_at(ordered: Sequence[Sample], *, early: bool) -> list[Look]:
    """When to look; once, at the end, unless `early`."""
    sizes = [len(members) for members in _by_cluster(ordered).values()]
    counts = [math.ceil(share * len(sizes)) for share in _SHARES if early]
    counts = [count for count in counts if _FEWEST <= count < len(sizes)]
    if not counts:
        return [Look(len(ordered), 1.0, ONE_LOOK, ONE_LOOK)]
    counts.append(len(sizes))
    shares = [count / len(sizes) for count in counts]
    errors = (tails_of_looks(shares, error) for error in (ONE_LOOK.two_sided, ONE_LOOK.one_sided))
    tails = [Tails(*each) for each in zip(*errors, strict=True)]
    return [
        Look(sum(sizes[:count]), share, each, tails[-1])
        for count, share, each in zip(counts, shares, tails, strict=True)
    ]


def reason_to_stop(
    decision: Decision, slices: Sequence[MeasuredSlice], look: Look, *, margin: float
) -> str:
    """Why nothing more has to be asked; nothing where it has to."""
    if look.share == 1.0:
        return ""
    of = {one.name: one for one in slices}
    harm = (
        (SliceName.GROUNDED, margin),
        (SliceName.SOURCES, margin),
        (SliceName.DECLINING, 0.0),
    )
    if decision is Decision.PASSED and not any(_leans_below(of[name], by) for name, by in harm):
        return "its intervals decide"
    if surely_worse(slices, margin):
        return "it is surely worse"
    for name, may_lose, tail in (
        (SliceName.OVERALL, 0.0, look.last.two_sided),
        *((name, margin, look.last.one_sided) for name in MUST_NOT_LOSE),
    ):
        one = of.get(name)
        if one is None or one.difference is None or one.spread is None:
            continue
        if is_futile(one.difference + may_lose, one.spread, look.share, tail):
            return f"`{name}` would hardly pass any more"
    return ""


def _leans_below(one: MeasuredSlice, by: float) -> bool:
    return one.difference is not None and one.difference < -by


def _by_cluster(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    clusters: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        clusters[sample.row.cluster].append(sample)
    return clusters


def _drawn(text: str) -> float:
    """In [0, 1)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
