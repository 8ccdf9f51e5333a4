"""Which faults come when: a list made from a seed, printed before the run, the same every time."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong."""

    KILL = "kill"
    """SIGKILL: no time to put anything in order."""
    STOP = "stop"
    """SIGSTOP, and SIGCONT after `duration`."""
    TERMINATE = "terminate"
    """SIGTERM: it drains and leaves, and another one comes."""
    BROKER_RESTART = "broker-restart"
    BROKER_OF_THREE = "broker-of-three"
    """One broker of a cluster of three is killed, and comes back after `duration`."""
    CUT = "cut"
    """The link to an engine breaks for `duration`."""
    SLOW = "slow"
    """The link to an engine is slow for `duration`."""
    DUPLICATES = "duplicates"
    """What was sent is sent again, with the same ids."""
    REPLAY = "replay"
    """A group reads from the beginning again."""
    POISON = "poison"
    HOSTILE = "hostile"
    """Codecs that are broken, headers that are not UTF-8."""
    CLOCK = "clock"
    """The clock jumps."""
    DISK_FULL = "disk-full"
    """No room for `duration`."""
    REBALANCE = "rebalance"
    """Members join and leave for `duration`."""
    BUG = "bug"
    """A handler has a bug for `duration`."""
    ENGINE_ERRORS = "engine-errors"
    """An engine answers some calls with errors, at random, for `duration`."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        at: after how many acknowledged actions; so the order does not hang on the machine's speed.
        kind: what happens.
        target: to whom: a service, an engine, a link, a number.
        duration: seconds until it is put right; 0 where there is nothing to put right.
    """

    at: int
    kind: FaultKind
    target: str
    duration: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.duration:g} s" if self.duration else ""
        return f"{self.at:>9}  {self.kind} {self.target}{lasting}"


@dataclass(frozen=True)
class Plan:
    """So many faults of a kind, over these targets in turn, each lasting about so many seconds."""

    kind: FaultKind
    count: int
    targets: Sequence[str]
    duration: float = 0.0


def schedule(seed: int, actions: int, plans: Sequence[Plan]) -> list[Fault]:
    """The faults of a run of so many actions, in their order, the same for the same arguments.

    They begin after a twentieth of the actions and end before the last twentieth, so that there is
    work in flight. Each kind is spread evenly with jitter, and a target comes as often as any other
    of its plan; a duration is between a half and one and a half of what was planned.

    Raises:
        ValueError: a plan has faults and no targets.
    """
    faults = []
    for plan in plans:
        if plan.count and not plan.targets:
            raise ValueError(f"{plan.count} faults of kind {plan.kind} and nothing to hit")
        # By kind, so that another number of one kind leaves all others where they were.
        chance = random.Random(f"{seed} {plan.kind}")
        first, last = actions * 0.05, actions * 0.95
        step = (last - first) / max(1, plan.count)
        targets = _in_turn(plan, chance)
        for number in range(plan.count):
            at = int(first + step * (number + chance.random()))
            duration = round(plan.duration * chance.uniform(0.5, 1.5), 2)
            faults.append(Fault(at, plan.kind, targets[number], duration))
    return sorted(faults)


def _in_turn(plan: Plan, chance: random.Random) -> list[str]:
    """Every target once before one comes again, in another order each time."""
    targets: list[str] = []
    while len(targets) < plan.count:
        targets += chance.sample(list(plan.targets), len(plan.targets))
    return targets[: plan.count]


def printed(seed: int, faults: Sequence[Fault], not_run: Mapping[FaultKind, str]) -> str:
    """The schedule for people, with what is not run and why."""
    counts: dict[FaultKind, int] = {}
    for fault in faults:
        counts[fault.kind] = counts.get(fault.kind, 0) + 1
    total = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    lines = [f"seed {seed}: {len(faults)} faults: {total}", *map(str, faults)]
    return "\n".join(lines + [f"  not run  {kind}: {why}" for kind, why in not_run.items()])
