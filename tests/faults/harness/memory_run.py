"""The delivery layer under faults on a Kafka in memory: seconds a run, so that many seeds fit.

`python -m tests.faults.harness.memory_run --seed S --actions N [--kills K] [--runs R] [--bug NAME]`
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID
from zlib import crc32

from gyre_common.bus import Record
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.envelope import text_header
from gyre_common.errors import Retryable

from tests.bus_contract import MessageSent
from tests.faults.harness import seeded_bugs
from tests.faults.harness.checker import Entry, Holdings, Verdict, judge
from tests.faults.harness.history import Act, Kind
from tests.faults.harness.memory_cluster import FETCH_RECORDS, Member, MemoryCluster
from tests.faults.harness.schedule import Fault, FaultKind, Plan, printed, schedule
from tests.faults.harness.shapes import (
    SHAPES,
    STORES,
    a_message,
    group_id,
    needs_several_calls,
    register,
    topics_of,
)

MEMBERS = 3
TENANTS = 3
KEYS = 12
DELIVERY = Delivery(
    partition_records=10,
    read_ahead=200,
    retry_first=0.002,
    retry_longest=0.02,
    commit_every=0.01,
    drain_limit=5.0,
    parked_streak=12,
)
"""Small bounds, so that partitions are paused and values left in Kafka all the time."""

_OUTSTANDING = 300
_BURST = 20
_TAIL = 150
"""Acts after the last fault, for what a rebalance would put right."""
_DUPLICATES = 15
_POISON = 3
_HANDLER_SECONDS = 0.002
_RETRYABLE, _GLITCH, _ANSWER_LOST, _ALWAYS_FAILS = 0.02, 0.01, 0.04, 0.004
_SILENT_SECONDS = 0.03
_POLL = 0.002
_BAD_DEPLOY_RECORDS = 1_500


@dataclass
class Run:
    """One run: what was sent, what was written, and what is wrong besides."""

    seed: int
    actions: int
    patience: float
    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    acts: list[Act] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    always_failing: set[str] = field(default_factory=set)
    hit_by_bad_deploy: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    kills_with_work: int = 0
    handler_is_broken: bool = False
    glitched: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.failing = random.Random(self.seed + 1)
        self.topics = topics_of(f"memory-{self.seed}")
        self._shape_of: dict[str, str] = {}
        self.members: list[Member] = []
        self._written: set[str] = set()

    def new_member(self) -> Member:
        """One more process with a handler of every shape."""
        member = Member(self.cluster, f"m{len(self.members)}", DELIVERY)
        self.members.append(member)
        register(member, self.topics, _MemberRecorder(self, member), _Failures(self))
        return member

    def record(self, entries: Sequence[Entry]) -> None:
        """Append to the log of what was written."""
        self.log += entries
        self._written.update(entry.act for entry in entries)

    def send(self, count: int, *, poison: bool = False) -> None:
        """So many acts more, over keys, tenants and shapes at random."""
        for _ in range(count):
            number, shape = len(self.acts), self.chance.choice(SHAPES)
            key = f"k{self.chance.randrange(KEYS)}"
            act = Act(
                kind=Kind.SUBMIT,
                tenant=f"t{self.chance.randrange(TENANTS)}",
                key=f"long-{number}" if needs_several_calls(shape, number) else key,
                id=str(UUID(int=self.chance.getrandbits(128), version=4)),
                value=str(number),
                at=self.cluster.now(),
                acknowledged_at=self.cluster.now(),
                poison=poison,
            )
            self.acts.append(act)
            self._shape_of[act.id] = shape
            if self.chance.random() < _ALWAYS_FAILS:
                self.always_failing.add(act.id)
            self._append(act)

    def _append(self, act: Act) -> None:
        topic = self.topics[self._shape_of[act.id]]
        event = a_message(act)
        key = topic.key(event).encode()
        value = b'{"no": "message"}' if act.poison else event.to_json()
        self.cluster.append(topic.name, crc32(key) % topic.partitions, key, value, act.id)

    def send_again(self) -> None:
        """The last ones once more, with the same ids."""
        for act in self.acts[-_DUPLICATES:]:
            self._append(act)

    @property
    def parked(self) -> list[str]:
        """Ids of the acts in the dead letters."""
        return [text_header(each.raw.headers, "ce_id") or "" for each in self.cluster.parked]

    @property
    def outstanding(self) -> int:
        """Acts that are neither written nor parked."""
        return len(self.acts) - len(self._written | set(self.parked))

    async def until_settled(self) -> None:
        """Until all is handled and committed, or nothing happens for so many seconds."""
        moved_at, before = time.monotonic(), -1
        while self.outstanding or self.cluster.lag:
            now = len(self.log) + len(self.cluster.parked) + len(self.cluster.commits)
            if now != before:
                moved_at, before = time.monotonic(), now
            if time.monotonic() - moved_at > self.patience:
                break
            await asyncio.sleep(_POLL)

    def verdict(self) -> Verdict:
        """Judge what there is now."""
        holdings = Holdings(
            log=self.log,
            commits=self.cluster.commits,
            given_up=self.cluster.given_up,
            parked=self.parked,
            bugs=self.always_failing | self.hit_by_bad_deploy,
            stores=STORES,
        )
        return judge(self.acts, holdings)


class _MemberRecorder:
    """Implements `Recorder`: what a dead member writes goes nowhere."""

    def __init__(self, run: Run, member: Member) -> None:
        self._run = run
        self._member = member

    def writer(self, topic: str) -> str:
        return self._member.writer

    def now(self) -> float:
        return self._run.cluster.now()

    @contextmanager
    def work(self, records: int) -> Iterator[None]:
        self._member.in_flight += records
        try:
            yield
        finally:
            self._member.in_flight -= records

    async def write(self, entries: Sequence[Entry]) -> None:
        if not self._member.dead:
            self._run.record(entries)
        await asyncio.sleep(0)


class _Failures:
    """Implements `Failures`: at random, at every record of some acts, or all of a bad deploy."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._glitched = run.glitched

    async def before(self, records: Sequence[Record[MessageSent]]) -> None:
        run, chance = self._run, self._run.failing
        await asyncio.sleep(chance.random() * _HANDLER_SECONDS)
        if run.handler_is_broken:
            run.hit_by_bad_deploy.update(str(each.event_id) for each in records)
            raise RuntimeError("a bad deploy")
        if any(str(each.event_id) in run.always_failing for each in records):
            raise RuntimeError("this one always fails")
        if chance.random() < _RETRYABLE:
            raise Retryable("the store is away")
        self._glitch(records, _GLITCH)

    async def after(self, records: Sequence[Record[MessageSent]]) -> None:
        if self._run.failing.random() < _ANSWER_LOST:
            raise Retryable("the answer of the store is lost")
        self._glitch(records, _ANSWER_LOST)

    def _glitch(self, records: Sequence[Record[MessageSent]], share: float) -> None:
        """At most once an act: a bug that strikes three times parks a record by right."""
        acts = {str(each.event_id) for each in records}
        if self._run.failing.random() < share and acts.isdisjoint(self._glitched):
            self._glitched |= acts
            raise RuntimeError("a glitch")


def plans(kills: int) -> list[Plan]:
    """What goes wrong, beside what the handlers do by themselves."""
    anybody = [f"member {number}" for number in range(MEMBERS)]
    return [
        Plan(FaultKind.KILL, kills, anybody),
        Plan(FaultKind.STOP, max(1, kills // 2), anybody, _SILENT_SECONDS),
        Plan(FaultKind.TERMINATE, max(1, kills // 3), anybody),
        Plan(FaultKind.REBALANCE, max(1, kills // 2), ["another member"]),
        Plan(FaultKind.DUPLICATES, max(1, kills // 3), ["the last acts"]),
        Plan(FaultKind.POISON, max(1, kills // 2), ["every shape"]),
        Plan(FaultKind.REPLAY, 1, ["every group"]),
        Plan(FaultKind.BUG, 1, ["every handler"]),
    ]


async def run_once(seed: int, actions: int, kills: int, *, patience: float = 30.0) -> Run:
    """Send, hurt and wait. What is broken is in `verdict()` and `problems`.

    `patience` is how many seconds nothing may happen until all that is missing counts as lost.
    """
    run = Run(seed, actions, patience)
    await run.cluster.join(*(run.new_member() for _ in range(MEMBERS)))
    faults = schedule(seed, actions, plans(kills))
    try:
        while len(run.acts) < actions + _TAIL:
            while faults and faults[0].at <= len(run.acts):
                await _happen(run, faults.pop(0))
            run.send(_BURST)
            if not await _until(lambda: run.outstanding < _OUTSTANDING, patience):
                break
        await run.until_settled()
        run.problems += [problem for each in run.cluster.members for problem in each.problems]
        _check_bounds(run)
        for member in list(run.cluster.members):
            await run.cluster.leave(member)
        await asyncio.sleep(_HANDLER_SECONDS)  # for what should not run any more
        _check_commits(run)
    finally:
        for member in run.cluster.members:
            member.die()
    return run


async def _until(reached: Callable[[], object], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not reached():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL)
    return True


async def _happen(run: Run, fault: Fault) -> None:
    cluster = run.cluster
    number = fault.target.rpartition(" ")[2]
    member = cluster.members[int(number) if number.isdecimal() else 0]
    match fault.kind:
        case FaultKind.KILL:
            await _until_working(run, member)
            run.kills_with_work += member.in_flight > 0
            await cluster.kill(member)
            await cluster.join(run.new_member())
        case FaultKind.STOP:
            await _until_working(run, member)
            await cluster.lose(member)
            await asyncio.sleep(fault.duration)
            await cluster.return_lost(member)
        case FaultKind.TERMINATE:
            await cluster.leave(member)
            await cluster.join(run.new_member())
        case FaultKind.REBALANCE:
            await cluster.join(run.new_member())
            await cluster.leave(cluster.members[0])
        case FaultKind.DUPLICATES:
            run.send_again()
        case FaultKind.POISON:
            run.send(_POISON, poison=True)
        case FaultKind.REPLAY:
            await cluster.replay(0.5)
            await cluster.join(*(run.new_member() for _ in range(MEMBERS)))
        case FaultKind.BUG:
            await _deploy_badly(run)


async def _until_working(run: Run, member: Member) -> None:
    """Until a handler of this member runs; there is always something to do."""

    def is_working() -> bool:
        if not run.outstanding:
            run.send(_BURST)
        return member.in_flight > 0

    if not await _until(is_working, run.patience):
        run.problems.append("a member that is to be killed has no work in flight")


async def _deploy_badly(run: Run) -> None:
    """Every handler fails until every member says that it has stopped; then it is replaced."""
    cluster = run.cluster
    run.handler_is_broken = True
    parked = len(cluster.parked)
    for _ in range(_BAD_DEPLOY_RECORDS // _BURST):
        run.send(_BURST)
        await asyncio.sleep(_POLL)
        if all(member.problems for member in cluster.members):
            break
    await _until(
        lambda: all(member.problems for member in cluster.members) or not run.outstanding,
        run.patience,
    )
    if not all(member.problems for member in cluster.members):
        count = len(cluster.parked) - parked
        run.problems.append(f"a bad deploy parked {count} records, and nobody stopped")
    run.handler_is_broken = False
    for member in list(cluster.members):
        await cluster.kill(member)
    await cluster.join(*(run.new_member() for _ in range(MEMBERS)))


def _check_bounds(run: Run) -> None:
    """What is in memory of one partition: its bound, and a fetch more at most."""
    most = max(member.most_unfinished for member in run.members)
    bound = DELIVERY.partition_records + FETCH_RECORDS
    if most > bound:
        run.problems.append(f"{most} records of one partition were in memory, of at most {bound}")


def _check_commits(run: Run) -> None:
    """Once all is handled, the commits reach the ends."""
    for shape, topic in run.topics.items():
        for place, log in run.cluster.logs.items():
            offset = run.cluster.committed.get((group_id(shape, topic), place), 0)
            if place.topic == topic.name and offset != len(log):
                run.problems.append(f"{shape} ended at {offset} of {len(log)} in {place.partition}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--actions", type=int, default=600)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--patience", type=float, default=30.0)
    parser.add_argument("--bug", choices=sorted(seeded_bugs.BY_NAME))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.bug:
        seeded_bugs.BY_NAME[options.bug].install()
    broken = 0
    for seed in range(options.seed, options.seed + options.runs):
        started = time.monotonic()
        if options.runs == 1:
            faults = schedule(seed, options.actions, plans(options.kills))
            sys.stdout.write(printed(seed, faults, {}) + "\n")
        run = asyncio.run(run_once(seed, options.actions, options.kills, patience=options.patience))
        verdict = run.verdict()
        broken += not verdict.clean or bool(run.problems)
        sys.stdout.write(
            f"seed {seed}: {verdict}; {run.kills_with_work} kills with work in flight, "
            f"{len(run.cluster.parked)} parked, {time.monotonic() - started:.1f} s\n"
        )
        sys.stdout.writelines(f"    {problem}\n" for problem in run.problems)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
