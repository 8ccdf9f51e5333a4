"""Bugs for our own delivery layer, each one changed line of it, to see whether the harness bites.

A bug names a function and a line of it; installing it compiles the function with the line changed.
A line that is there no more is an error, so this table stays true.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any


class LineGone(Exception):
    """The code is not what a seeded bug changes: give the bug its new line."""


@dataclass(frozen=True)
class Change:
    """`line` of the function `place` (`module:Class.function`, in `gyre_common.bus`), once."""

    place: str
    line: str
    instead: str


@dataclass(frozen=True)
class SeededBug:
    """One bug.

    Attributes:
        name: for people and the command line.
        changes: to the code.
        caught_as: what is broken: a list of the verdict, or "problems" of the run.
    """

    name: str
    changes: tuple[Change, ...]
    caught_as: str

    def install(self) -> Callable[[], None]:
        """Put it in. Returns what takes it out again. Raises LineGone."""
        undo = [_install(change) for change in self.changes]

        def uninstall() -> None:
            for step in reversed(undo):
                step()

        return uninstall

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Inside the block the delivery layer has this bug."""
        uninstall = self.install()
        try:
            yield
        finally:
            uninstall()


def _install(change: Change) -> Callable[[], None]:
    module_name, _, path = change.place.partition(":")
    class_name, _, function_name = path.partition(".")
    module = import_module(f"gyre_common.bus.{module_name}")
    owner: Any = getattr(module, class_name)
    original = getattr(owner, function_name)
    source = textwrap.dedent(inspect.getsource(original))
    if source.count(change.line) != 1:
        raise LineGone(f"{change.place} does not have this line once: {change.line}")
    changed: dict[str, Any] = {}
    code = compile(source.replace(change.line, change.instead), f"<{change.place}>", "exec")
    exec(code, module.__dict__, changed)
    setattr(owner, function_name, changed[function_name])
    return lambda: setattr(owner, function_name, original)


def _bug(name: str, place: str, line: str, instead: str, caught_as: str) -> SeededBug:
    return SeededBug(name, (Change(place, line, instead),), caught_as)


BUGS = [
    _bug(
        "what was read is committed, not what was handled",
        "partition:Partition.add",
        "self._newest = raw.offset",
        "self._newest = self.watermark = raw.offset",
        "commits_ahead",
    ),
    _bug(
        "the watermark is one too high",
        "partition:Partition.finish",
        "self.watermark = offset + 1",
        "self.watermark = offset + 2",
        "commits_ahead",
    ),
    _bug(
        "the watermark is one too low",
        "partition:Partition.finish",
        "self.watermark = offset + 1",
        "self.watermark = offset",
        "problems",
    ),
    _bug(
        "the watermark passes a gap",
        "partition:Partition.finish",
        "self._finished.add(offset)",
        "self._finished.add(offset); self.watermark = offset + 1",
        "commits_ahead",
    ),
    _bug(
        "an error is swallowed",
        "handling:OneByOne._retry_or_park",
        "await scheduler.park(pending, error)",
        "scheduler.finish(pending)",
        "lost",
    ),
    _bug(
        "a retry counts as handled",
        "scheduler:Scheduler.hold",
        "pending.partition.put_back(pending)",
        "self.finish(pending)",
        "lost",
    ),
    _bug(
        "an id is random",
        "record:Record.next_id",
        "derived_id(self.event_id, self.maker, self._ids_derived)",
        "new_id()",
        "duplicated",
    ),
    _bug(
        "the ids of a second attempt go on where the first one was",
        "record:Record.begin",
        "self._ids_derived = 0",
        "pass",
        "duplicated",
    ),
    _bug(
        "a full partition is not paused once there was a rebalance",
        "scheduler:Scheduler.forget",
        "self._by_place.clear()",
        "self._by_place.clear(); self._full = list",
        "problems",
    ),
    _bug(
        "a paused partition is not resumed",
        "scheduler:Scheduler._resume_if_it_may",
        "self._flow.resume(partition)",
        "pass",
        "lost",
    ),
    _bug(
        "a batch is acknowledged before its handler",
        "handling:InBatches._handle",
        "good = await self._decoded(scheduler, batch)",
        "good = await self._decoded(scheduler, batch);"
        " [setattr(p.partition, 'watermark', p.raw.offset + 1) for p in batch]",
        "commits_ahead",
    ),
    _bug(
        "the second half of a batch that failed is forgotten",
        "handling:InBatches._handle",
        "parts += [part[middle:], part[:middle]]",
        "parts += [part[:middle]]",
        "lost",
    ),
    _bug(
        "an unfinished record of a batch is forgotten",
        "handling:InBatches._handle",
        "scheduler.postpone(pending, behind=self.size.max_records)",
        "scheduler.finish(pending)",
        "lost",
    ),
    _bug(
        "a dead letter is dropped",
        "scheduler:Scheduler.park",
        "await self._flow.park(pending.raw, cause, attempts)",
        "pass",
        "lost",
    ),
    _bug(
        "a drain does not wait",
        "scheduler:Scheduler.drain",
        "if self._workers:",
        "if False:",
        "after_handover",
    ),
    _bug(
        "a retry goes behind its key",
        "partition:Partition.put_back",
        "self._ready.appendleft(pending)",
        "(self._enqueue(pending, pending.lane), self._free(pending.lane))"
        " if pending.lane is not None else self._ready.appendleft(pending)",
        "reordered",
    ),
    _bug(
        "keys are not kept in order",
        "scheduler:Scheduler.add",
        'raw.key if lanes else None, b""',
        'None, b""',
        "reordered",
    ),
    _bug(
        "partitions that were given up are remembered",
        "subscription:KafkaSubscription.on_partitions_revoked",
        "self.scheduler.forget()",
        "self.scheduler.leaving = False; self.scheduler._hurry.clear()",
        "lost",
    ),
    SeededBug(
        "what was given up is committed again",
        (
            Change("scheduler:Scheduler.forget", "self.partitions.clear()", "pass"),
            Change(
                "subscription:KafkaSubscription._commit",
                "(offset, note) != partition.committed",
                "place not in offsets",
            ),
        ),
        "commits_back",
    ),
    _bug(
        "the breaker never opens",
        "delivery:Breaker.objection",
        "self._reason = self._too_many()",
        "pass",
        "problems",
    ),
    _bug(
        "a gate that closed stays closed",
        "scheduler:Scheduler._wait_before_probe",
        "partition.probe()",
        "pass",
        "lost",
    ),
    _bug(
        "a value that was left in Kafka is not read again",
        "scheduler:Scheduler.complete",
        "pending.raw = await self._flow.read_again(pending.raw)",
        "pass",
        "lost",
    ),
]
"""Twenty-two, one line each."""

BY_NAME = {bug.name: bug for bug in BUGS}
