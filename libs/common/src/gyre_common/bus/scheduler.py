"""Runs handlers over the records of one subscription: what may start, and what to do on failure.

Nothing here knows Kafka: the bus on the real broker and the in-memory one share it.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from gyre_common.bus.call_limit import CallLimit, HandlerTooSlow
from gyre_common.bus.decoding import NoEventFromOutside
from gyre_common.bus.delivery import Breaker, Delivery
from gyre_common.bus.measures import Measures
from gyre_common.bus.partition import Partition, Pending
from gyre_common.bus.record import LeftValue, RawRecord, RecordGone, TenantOf, Unreadable
from gyre_common.bus.tenant_turns import TenantTurns
from gyre_common.errors import Poison, Retryable

log = logging.getLogger(__name__)

LONGEST_TURN = 0.02
"""Seconds of handling after which the event loop must get its turn."""

_SHOWN_FAILURES = 3
_SAME_PARTITION = 100


class Flow(Protocol):
    """Where records come from and dead ones go."""

    def pause(self, partition: Partition) -> None:
        """Bring no more of this partition's records."""

    def resume(self, partition: Partition) -> None:
        """Bring them again."""

    def without_value(self, raw: RawRecord) -> RawRecord:
        """The record with a `LeftValue`."""

    async def read_again(self, raw: RawRecord) -> RawRecord:
        """The record with its value. Raises `Retryable` if that fails for now, RecordGone."""

    async def park(self, raw: RawRecord, cause: Exception, attempts: int) -> None:
        """Keep a record that cannot be handled. Raises `Retryable` if that fails for now."""

    def partition_held(self, partition: Partition) -> None:
        """This partition does not go on until `Scheduler.skip`, or a restart."""


class Handling(Protocol):
    """How records are handed to a handler: one by one, or in batches; with `tenant_of`, tenants
    take turns.
    """

    at_once: int
    keeps_key_order: bool
    tenant_of: TenantOf | None

    async def work(self, scheduler: "Scheduler") -> None:
        """Handle records until the scheduler has no more that may start."""


class Scheduler:
    """The records of one subscription that were read and are not finished.

    `topic` and `group` name the subscription in logs and metrics; `partitions` are those that
    records came from.
    """

    def __init__(
        self, handling: Handling, flow: Flow, delivery: Delivery, *, topic: str, group: str
    ) -> None:
        self.topic = topic
        self.group = group
        self.partitions: list[Partition] = []
        self.delivery = delivery
        self.breaker = Breaker(delivery)
        self.measures = Measures(topic, group)
        self.stopped: str | None = None
        self.failed = False
        self.leaving = False
        self.arrival = asyncio.Event()
        self._handling = handling
        self._flow = flow
        self._by_place: dict[tuple[str, int], Partition] = {}
        self._turn = 0
        self._take_count = 0
        self.tenants = TenantTurns()
        self._workers: set[asyncio.Task[None]] = set()
        self._limits: set[CallLimit] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._room = asyncio.Event()
        self._hurry = asyncio.Event()

    def add(self, records: Iterable[RawRecord]) -> None:
        """Take records in, in the order of their offsets, and start work on them."""
        lanes, tenant_of = self._handling.keeps_key_order, self._handling.tenant_of
        by_place = self._by_place
        arrived = perf_counter()
        count = 0
        for raw in records:
            partition = by_place.get((raw.topic, raw.partition))
            if partition is None:
                partition = Partition(raw.topic, raw.partition)
                by_place[raw.topic, raw.partition] = partition
                self.partitions.append(partition)
            lane, tenant = raw.key if lanes else None, b""
            if tenant_of is not None:
                tenant = tenant_of(raw)
                raw = self._left_where_full(partition, raw)
            count += partition.add(raw, lane, arrived, tenant)
        self.measures.consumed += count
        self.arrival.set()
        self._wake()

    def _left_where_full(self, partition: Partition, raw: RawRecord) -> RawRecord:
        """Reading goes on, for whoever comes behind; memory holds no more values than it may."""
        delivery = self.delivery
        is_full = partition.unfinished >= delivery.partition_records
        if raw.value and (is_full or partition.unfinished_bytes >= delivery.partition_bytes):
            return self._flow.without_value(raw)
        return raw

    async def complete(self, pending: Pending) -> bool:
        """Give a record the value that was left in Kafka; False where it is there no more, and the
        record is done with. Raises Retryable.
        """
        if type(pending.raw.value) is LeftValue:
            try:
                pending.raw = await self._flow.read_again(pending.raw)
            except RecordGone as error:
                log.error("record is gone", extra=self.log_fields(cause=str(error)))
                self.finish(pending)
                return False
        return True

    def log_fields(self, **more: object) -> dict[str, object]:
        """For a log record's `extra`."""
        return {"topic": self.topic, "group": self.group, **more}

    @property
    def unfinished(self) -> int:
        """Records read and not finished."""
        return sum(partition.unfinished for partition in self.partitions)

    @property
    def busy(self) -> bool:
        """Whether records are unfinished or partitions paused."""
        return any(partition.unfinished or partition.paused for partition in self.partitions)

    async def make_room(self, patience: float) -> None:
        """Wait a moment for full partitions to empty; pause those that stay full.

        A pause costs a second fetch of what was fetched ahead, so a short wait is cheaper.
        """
        if not self._full():
            return
        self._room.clear()
        if not await is_set(self._room, within=patience):
            for partition in self._full():
                self._pause(partition)

    def _full(self) -> list[Partition]:
        return [p for p in self.partitions if not p.paused and not self._has_room(p)]

    def _has_room(self, partition: Partition, share: float = 1.0) -> bool:
        """Whether less is unfinished than that share of what may be."""
        if self._handling.tenant_of is not None:
            # Keys stay in memory, so they are bounded too.
            return (
                partition.unfinished < share * self.delivery.read_ahead
                and partition.unfinished_bytes < share * 2 * self.delivery.partition_bytes
            )
        return (
            partition.unfinished < share * self.delivery.partition_records
            and partition.unfinished_bytes < share * self.delivery.partition_bytes
        )

    def _pause(self, partition: Partition) -> None:
        partition.paused = True
        self._flow.pause(partition)

    def _resume_if_it_may(self, partition: Partition) -> None:
        if partition.paused and not (
            self.leaving or self.stopped or partition.failures or partition.held_record
        ):
            partition.paused = False
            self._flow.resume(partition)

    def take(self) -> Pending | None:
        """The next record that may start; partitions take turns of many records."""
        if self.stopped:
            return None
        if self._handling.tenant_of is not None:
            return self.tenants.take(self.partitions)
        turns = self.partitions
        self._take_count += 1
        first = self._turn + (self._take_count % _SAME_PARTITION == 0)
        for turn in range(first, first + len(turns)):
            pending = turns[turn % len(turns)].take()
            if pending is not None:
                self._turn = turn % len(turns)
                return pending
        return None

    def finish(self, pending: Pending) -> None:
        """The work on this record is done."""
        partition = pending.partition
        partition.finish(pending, perf_counter())
        self._open_after(pending)
        if self._has_room(partition, share=0.5):
            self._room.set()
            if partition.paused:
                self._resume_if_it_may(partition)

    def postpone(self, pending: Pending, *, behind: int) -> None:
        """The work on this record got on, and so many others of its tenant may come before the
        rest of it; its partition waits for nothing.
        """
        self.tenants.postpone(pending)
        pending.partition.postpone(pending, behind, perf_counter(), drop=self.leaving)
        self._open_after(pending)

    def _open_after(self, pending: Pending) -> None:
        partition = pending.partition
        if partition.failures and pending.attempts and not partition.closed:
            cause = partition.waits_for
            partition.open()
            for other in self.partitions:  # what they wait for is back
                if other.closed and other.waits_for == cause:
                    other.probe()
            self._wake()

    def handled(self, count: int, seconds: float) -> None:
        """A call of the handler went well."""
        self.breaker.handled(count)
        self.measures.handled(count, seconds)

    def hold(self, pendings: list[Pending], cause: BaseException) -> None:
        """Put unfinished records back and keep their partitions waiting, each by itself."""
        for pending in reversed(pendings):
            pending.attempts += 1
            pending.partition.put_back(pending)
        self.measures.retried += len(pendings)
        for partition in {id(p.partition): p.partition for p in pendings}.values():
            partition.too_slow = isinstance(cause, HandlerTooSlow)
            partition.waits_for = "" if partition.too_slow else str(cause)
            if partition.close() and not self.leaving:
                self._wait_before_probe(partition, cause)

    def _wait_before_probe(self, partition: Partition, cause: BaseException) -> None:
        failures = partition.failures
        pause = self._backoff(failures)
        self._pause(partition)
        log.warning(
            "waiting to try again",
            extra=self.log_fields(
                partition=partition.number,
                failures=failures,
                pause_seconds=round(pause, 3),
                cause=describe(cause),
            ),
        )

        def probe() -> None:
            self._timers.discard(timer)
            if partition.failures == failures:
                partition.probe()
                self._wake()

        timer = asyncio.get_running_loop().call_later(pause, probe)
        self._timers.add(timer)

    def _backoff(self, failures: int) -> float:
        """Seconds to wait after so many failures: doubling, bounded, with jitter."""
        longest = self.delivery.retry_longest
        pause = min(longest, self.delivery.retry_first * 2.0 ** min(failures - 1, 30))
        return pause * random.uniform(0.5, 1.0)

    async def wait_before_retry(self, pending: Pending) -> bool:
        """After a bug: wait a little and try again, a few times. False once it was enough, or the
        process is leaving (then the record stays unfinished, for whoever reads it next).
        """
        pending.bugs += 1
        if pending.bugs >= self.delivery.bug_tries:
            return False
        pending.attempts += 1
        self.measures.retried += 1
        return not await is_set(self._hurry, within=self._backoff(pending.bugs))

    async def park(self, pending: Pending, cause: Exception) -> None:
        """Move a record that cannot be handled out of the way, unless there are too many."""
        if isinstance(cause, Unreadable):
            self._hold_record(pending, str(cause))
            return
        foreign = isinstance(cause, NoEventFromOutside)
        objection = None if foreign else self.breaker.objection()
        if objection is not None:
            reason = f"{objection}; the last one: {describe(cause)}"
            self.stop(reason)
            self._hold_record(pending, reason)
            return
        attempts = pending.attempts + 1
        try:
            await self._flow.park(pending.raw, cause, attempts)
        except Retryable as error:
            self.hold([pending], error)
            return
        except Exception as error:  # noqa: BLE001 - it shall cost this partition only
            self._hold_record(
                pending, f"it cannot be parked: {describe(error)}; it failed: {describe(cause)}"
            )
            return
        self.measures.parked("poison" if isinstance(cause, Poison) else "bug")
        log.error(
            "record parked",
            extra=self.log_fields(
                partition=pending.raw.partition,
                offset=pending.raw.offset,
                attempts=attempts,
                cause=describe(cause),
            ),
            exc_info=None if isinstance(cause, Poison) else cause,
        )
        self.finish(pending)

    def _hold_record(self, pending: Pending, cause: str) -> None:
        partition = pending.partition
        if self.leaving:
            partition.put_back(pending)
            return
        partition.hold(pending, cause)
        self.measures.partition_held(partition.topic, partition.number, pending.raw.offset)
        self._pause(partition)
        log.error(
            "partition held: mend the cause and restart the service, or `gyre dlq skip` the record",
            extra={
                **self.log_fields(partition=partition.number, offset=pending.raw.offset),
                "topic": partition.topic,
                "cause": cause,
            },
        )
        self._flow.partition_held(partition)

    def skip(self, partition: Partition) -> None:
        """Pass over the record that a partition is held at, and go on. An open breaker tries the
        next record.
        """
        self.measures.released(partition.topic, partition.number)
        self.finish(partition.release())
        if self.failed:
            return
        self.stopped = None
        for each in self.partitions:
            self._resume_if_it_may(each)
        self._wake()

    @property
    def problems(self) -> list[str]:
        """Why records of some partitions, or of all, are not handled."""
        problems = [
            f"{p.topic} partition {p.number} is held at offset {p.held_record.raw.offset}: "
            f"{p.held_cause}"
            for p in self.partitions
            if p.held_record is not None
        ]
        problems += [
            f"{p.topic} partition {p.number} does not get on: {p.failures} times a handler took "
            f"longer than {self.delivery.handler_limit:g} s at offset {p.oldest_unfinished} or "
            "behind it"
            for p in self.partitions
            if p.too_slow
        ]
        if self.stopped is None:
            return problems
        return problems[:1] or [self.stopped]

    @property
    def waits(self) -> list[str]:
        """What some partitions wait for, each thing once, unless a few tries may help."""
        waiting = [p for p in self.partitions if p.failures >= _SHOWN_FAILURES and p.waits_for]
        causes = dict.fromkeys(partition.waits_for for partition in waiting)
        return [f"waits, and loses nothing: {cause}" for cause in causes]

    def fail(self, error: BaseException) -> None:
        """The delivery layer itself failed: only a restart helps."""
        self.failed = True
        self.stop(f"the delivery layer itself failed: {describe(error)}")
        log.error("delivery failed", extra=self.log_fields(), exc_info=error)

    def stop(self, reason: str) -> None:
        """Take no more records until the held one is skipped or the process is restarted."""
        if self.stopped is not None:
            return
        self.stopped = reason
        for partition in self.partitions:
            self._pause(partition)
        self.arrival.set()
        log.error(
            "consuming stopped: mend the cause and restart, or `gyre dlq skip` the record",
            extra=self.log_fields(reason=reason),
        )

    def _wake(self) -> None:
        if self.stopped:
            return
        startable = sum(partition.startable(self.tenants.busy) for partition in self.partitions)
        for _ in range(min(startable, self._handling.at_once - len(self._workers))):
            worker = asyncio.get_running_loop().create_task(self._handling.work(self))
            self._workers.add(worker)
            worker.add_done_callback(self._worker_ended)

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if worker.cancelled():
            return
        error = worker.exception()
        if error is not None:
            self.fail(error)
        elif not self.leaving:
            self._wake()

    @contextmanager
    def call_limit(self) -> Iterator[CallLimit]:
        """For a worker: times and bounds the calls it makes."""
        limit = CallLimit(self.delivery.handler_limit)
        self._limits.add(limit)
        try:
            yield limit
        finally:
            self._limits.discard(limit)

    def tick(self) -> None:
        """Once in a while: end calls that take too long, and publish the measures."""
        for limit in self._limits:
            limit.check()
        self.measures.publish(self.unfinished)
        self.measures.stalled_seconds.set(self._stalled_seconds())

    def _stalled_seconds(self) -> float:
        """For how long the watermark of some partition has stood still before a record."""
        moved = [partition.moved_at for partition in self.partitions if partition.unfinished]
        return perf_counter() - min(moved) if moved else 0.0

    async def drain(self, limit: float) -> None:
        """Finish what was started and what would be repeated by others, then let go of it all.

        Back-off is cut short; what still runs after `limit` seconds is cancelled, so that it
        never runs beside the partition's next owner.
        """
        self.leaving = True
        self._hurry.set()
        self.arrival.set()
        for partition in self.partitions:
            partition.drop_unstarted_tail()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._workers:
            _, unfinished = await asyncio.wait(self._workers, timeout=limit)
            for worker in unfinished:
                worker.cancel()
            if unfinished:
                log.warning(
                    "handlers cancelled: they took longer than the drain may",
                    extra=self.log_fields(handlers=len(unfinished)),
                )
                await asyncio.wait(unfinished, timeout=1.0)

    def forget(self) -> None:
        """Let go of all partitions, and be ready for the next ones."""
        for partition in self.partitions:
            if partition.held_record is not None:
                self.measures.released(partition.topic, partition.number)
        self._by_place.clear()
        self.partitions.clear()
        self._turn = 0
        if not self.failed:
            self.stopped = None  # the breaker still objects: what is read again opens it again
        self._hurry.clear()
        self.leaving = False


async def is_set(event: asyncio.Event, *, within: float) -> bool:
    """Wait until an event is set. False if it was not, within so many seconds."""
    try:
        await asyncio.wait_for(event.wait(), within)
    except TimeoutError:
        return False
    return True


def describe(error: BaseException) -> str:
    """The kind of an error and what it says, on one short line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500]
