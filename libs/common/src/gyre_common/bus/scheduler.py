"""Runs handlers over the records of one subscription: what may start, and what to do on failure.

Nothing here knows Kafka: the bus on the real broker and the in-memory one share it.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from gyre_common.bus.breaker import Breakers, Party, Scope
from gyre_common.bus.call_limit import CallLimit, HandlerTooSlow
from gyre_common.bus.decoding import NoEventFromOutside
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.holds import MOST_TENANTS, Held, Holds
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
_MOST_REMEMBERED = 4
"""Offsets that one partition remembers behind a held tenant's, in lengths of `read_ahead`."""


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

    def held(self, held: Held) -> None:
        """This does not go on until `Scheduler.skip`, or a restart."""


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
        self.breakers = Breakers(delivery)
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
        self.holds = Holds(self.partitions, self.tenants, self.measures, flow.held)
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
                partition = self.partition_at(raw.topic, raw.partition)
            lane, tenant = raw.key if lanes else None, b""
            if tenant_of is not None:
                tenant = tenant_of(raw)
                raw = self._left_where_full(partition, raw)
            count += partition.add(raw, lane, arrived, tenant)
        self.measures.consumed += count
        self.arrival.set()
        self._wake()

    def partition_at(self, topic: str, number: int) -> Partition:
        """This partition, a new one where nothing came from it yet."""
        partition = self._by_place.get((topic, number))
        if partition is None:
            partition = self._by_place[topic, number] = Partition(topic, number)
            self.partitions.append(partition)
        return partition

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
    def at_rest(self) -> bool:
        """Whether nothing happens any more by itself: what is unfinished is held."""
        return self.stopped is not None or not (self._workers or self._timers or self._startable)

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
                and partition.remembered < share * _MOST_REMEMBERED * self.delivery.read_ahead
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
            self.leaving or self.stopped or partition.failures or partition.held
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
        is_next = self._take_count % _SAME_PARTITION == 0
        if not is_next and self._turn < len(turns):
            pending = turns[self._turn].take()
            if pending is not None:
                return pending
        first = self._turn + is_next
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
        is_waited_for = partition.paused or not self._room.is_set()
        if is_waited_for and self._has_room(partition, share=0.5):
            self._room.set()
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

    def handled(self, pendings: Sequence[Pending], seconds: float) -> None:
        """A call of the handler went well."""
        if self.breakers.is_watching:
            for party, count in Counter(map(self._party, pendings)).items():
                self.breakers.handled(party, count)
        self.measures.handled(len(pendings), seconds)

    def _party(self, pending: Pending) -> Party:
        if self._handling.tenant_of is not None:
            return pending.tenant
        return pending.partition.topic, pending.partition.number

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
            self._hold(pending, str(cause))
            return
        if not isinstance(cause, NoEventFromOutside) and self._is_objected_to(pending, cause):
            return
        attempts = pending.attempts + 1
        try:
            await self._flow.park(pending.raw, cause, attempts)
        except Retryable as error:
            self.hold([pending], error)
            return
        except Exception as error:  # noqa: BLE001 - it shall cost this partition only
            self._hold(
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

    def _is_objected_to(self, pending: Pending, cause: Exception) -> bool:
        """Whether the record is held, for whom it is broken, since too many like it were parked."""
        objection = self.breakers.objection(self._party(pending))
        if objection is None:
            return False
        reason = f"{objection.reason}; the last one: {describe(cause)}"
        if objection.to_everybody:
            scope = Scope.TOPIC
        elif self._handling.tenant_of is None:
            scope = Scope.PARTITION
        elif self.holds.has_room_for(pending.tenant):
            scope = Scope.TENANT
        else:
            scope, reason = Scope.TOPIC, f"{MOST_TENANTS} tenants are held, and one more: {reason}"
        if scope is Scope.TOPIC:
            self.stop(reason)
        self._hold(pending, reason, scope)
        return True

    def _hold(self, pending: Pending, cause: str, breaker: Scope | None = None) -> None:
        if self.leaving:
            pending.partition.put_back(pending)
            return
        self.holds.hold(Held(pending, cause, breaker))
        if breaker is not Scope.TENANT:
            self._pause(pending.partition)

    def skip(self, held: Held) -> None:
        """Pass over a held record, and go on. An open breaker tries the next record."""
        pending = self.holds.release(held)
        if pending is None:
            return
        self.finish(pending)
        if self.failed:
            return
        if held.tenant is None and (held.breaker is Scope.TOPIC or not self._stops):
            self.stopped = None
        for each in self.partitions:
            self._resume_if_it_may(each)
        self._wake()

    def give_up(self, held: Held) -> None:
        """Forget what was read of a held partition: it is read again, once it is resumed here.

        Nothing of it runs, and it has been paused for so long that nothing of it is on its way.
        Tenants that are held there are held again once their records were read.
        """
        partition = held.pending.partition
        if self.holds.release(held) is None:
            return
        self.holds.release_tenants(partition)
        self.partitions.remove(partition)
        del self._by_place[partition.topic, partition.number]
        self._turn = 0
        following = self.partition_at(partition.topic, partition.number)
        following.paused = True
        self._resume_if_it_may(following)
        self._wake()

    @property
    def _stops(self) -> list[Held]:
        """Records at which everything stopped."""
        return [held for held in self.holds if held.breaker is Scope.TOPIC]

    @property
    def problems(self) -> list[str]:
        """Why records of some partitions, or of all, are not handled."""
        problems = self.holds.problems
        problems += [
            f"{p.topic} partition {p.number} does not get on: {p.failures} times a handler took "
            f"longer than {self.delivery.handler_limit:g} s at offset {p.oldest_unfinished} or "
            "behind it"
            for p in self.partitions
            if p.too_slow
        ]
        if self.stopped is None:
            return problems
        first = [str(held) for held in self._stops] or [self.stopped]
        return list(dict.fromkeys(first + problems))

    @property
    def troubles(self) -> list[str]:
        """What goes wrong while the others' records are handled, or will be handled by itself: held
        tenants, stuck handlers, what partitions wait for (each thing once, unless a few tries may
        help).
        """
        waiting = [p for p in self.partitions if p.failures >= _SHOWN_FAILURES and p.waits_for]
        causes = dict.fromkeys(partition.waits_for for partition in waiting)
        stuck = [limit.trouble for limit in self._limits if limit.trouble]
        waits = [f"waits, and loses nothing: {cause}" for cause in causes]
        return [*self.holds.troubles, *stuck, *waits]

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
        if self.stopped or self.leaving:  # a drain waits for the workers that it met
            return
        for _ in range(min(self._startable, self._handling.at_once - len(self._workers))):
            worker = asyncio.get_running_loop().create_task(self._handling.work(self))
            self._workers.add(worker)
            worker.add_done_callback(self._worker_ended)

    @property
    def _startable(self) -> int:
        barred = self.tenants.barred
        return sum(partition.startable(barred) for partition in self.partitions)

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
        delivery = self.delivery
        limit = CallLimit(
            delivery.handler_limit,
            stuck_after=delivery.handler_limit * delivery.stuck_share,
            about=self.log_fields(),
        )
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
        self.holds.forget()
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
