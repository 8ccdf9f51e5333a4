"""Hands records to a handler, one at a time or in batches, and sorts what goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, Generic, TypeVar

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from gyre_common.bus.call_limit import CallLimit
from gyre_common.bus.decoding import NoEventFromOutside
from gyre_common.bus.envelope import header
from gyre_common.bus.partition import Pending
from gyre_common.bus.record import BATCH, CURRENT, RawRecord, Record, TenantOf
from gyre_common.bus.scheduler import LONGEST_TURN, Scheduler, is_set
from gyre_common.bus.tenant_turns import take_more_of
from gyre_common.errors import Poison, Retryable
from gyre_common.events.event import Event
from gyre_common.telemetry import tracer
from gyre_common.telemetry.tracing import trace_from

E = TypeVar("E", bound=Event)

Handler = Callable[[E], Awaitable[None]]
InvalidHandler = Callable[[RawRecord, NoEventFromOutside], Awaitable[None]]
"""Hears of a record before it is parked. It may raise as a handler does."""

_LEFT_SIZE = 16 * 1024
_TENANTS_AT_ONCE = 4


class OneByOne(Generic[E]):
    """Implements `Handling` for handlers of single events."""

    keeps_key_order = True

    def __init__(
        self,
        decode: Callable[[RawRecord], Record[E] | None],
        handler: Handler[E],
        concurrency: int,
        *,
        tenant_of: TenantOf | None = None,
        on_invalid: InvalidHandler | None = None,
    ) -> None:
        self.at_once = concurrency
        self.tenant_of = tenant_of
        self._on_invalid = on_invalid
        self._decode = decode
        self._handler = handler

    async def work(self, scheduler: Scheduler) -> None:
        """Handle records until no more may start."""
        traced = is_tracing()
        with scheduler.call_limit() as limit:
            had_turn = limit.ended_at
            while (pending := scheduler.take()) is not None:
                try:
                    if not await scheduler.complete(pending):
                        continue
                    record = await self._decoded(pending.raw)
                    if record is not None:
                        CURRENT.set(record)
                        limit.at = pending.raw
                        with handling_span(record, traced=traced), limit:
                            await self._handler(record.event)
                        scheduler.handled((pending,), limit.took)
                except Retryable as error:
                    scheduler.hold([pending], error)
                except Poison as error:
                    await scheduler.park(pending, error)
                except Exception as error:  # noqa: BLE001 - whatever a handler raises is sorted here
                    await self._retry_or_park(scheduler, pending, error)
                else:
                    scheduler.finish(pending)
                if limit.ended_at - had_turn > LONGEST_TURN:
                    await asyncio.sleep(0)
                    had_turn = perf_counter()

    async def _decoded(self, raw: RawRecord) -> Record[E] | None:
        try:
            return self._decode(raw)
        except NoEventFromOutside as problem:
            if self._on_invalid is not None:
                await self._on_invalid(raw, problem)
            raise

    async def _retry_or_park(
        self, scheduler: Scheduler, pending: Pending, error: Exception
    ) -> None:
        """A bug may be a glitch: a few tries, the key waiting meanwhile, then it is parked."""
        if await scheduler.wait_before_retry(pending):
            pending.partition.put_back(pending)
        elif not scheduler.leaving:
            await scheduler.park(pending, error)


T = TypeVar("T")

Part = list[tuple[Pending, T]]
BatchHandler = Callable[[Sequence[T]], Awaitable[Sequence[T] | None]]
"""Returns the records that need another call: they come again behind others of their tenant."""


@dataclass(frozen=True)
class BatchSize:
    """A batch is ready at `max_records`, or once its values have `max_bytes`, or its oldest record
    waited `max_wait` seconds.
    """

    max_records: int
    max_wait: float
    max_bytes: float = inf


class InBatches(Generic[T]):
    """Implements `Handling` for handlers of many records.

    One batch is handled at a time, and each partition's records stand in it in their order, so a
    batch never reorders a key. Where tenants take turns, several batches are, each of one tenant
    who has no other.
    """

    keeps_key_order = False

    def __init__(
        self,
        decode: Callable[[RawRecord], T | None],
        handler: BatchHandler[T],
        size: BatchSize,
        *,
        tenant_of: TenantOf | None = None,
    ) -> None:
        self._decode = decode
        self._handler = handler
        self.size = size
        self.tenant_of = tenant_of
        self.at_once = 1 if tenant_of is None else _TENANTS_AT_ONCE

    async def work(self, scheduler: Scheduler) -> None:
        """Handle batches until no more may start."""
        CURRENT.set(BATCH)
        if self.tenant_of is not None:
            await self._work_by_tenant(scheduler)
            return
        probe: Pending | None = None
        with scheduler.call_limit() as limit:
            while True:
                batch, probe = await self._next_batch(scheduler, probe)
                if not batch:
                    return
                await self._handle(scheduler, limit, batch)
                await asyncio.sleep(0)

    async def _work_by_tenant(self, scheduler: Scheduler) -> None:
        busy = scheduler.tenants.busy
        with scheduler.call_limit() as limit:
            while not scheduler.leaving and (first := scheduler.take()) is not None:
                busy.add(first.tenant)
                try:
                    batch = await self._batch_of_tenant(scheduler, first)
                    await self._handle(scheduler, limit, batch)
                finally:
                    busy.discard(first.tenant)
                await asyncio.sleep(0)

    async def _batch_of_tenant(self, scheduler: Scheduler, first: Pending) -> list[Pending]:
        """A partition whose last attempt failed is tried alone, as in `_next_batch`."""
        batch, ready_at = [first], first.arrived + self.size.max_wait
        if first.partition.failures:
            take = partial(first.partition.take_along, only=first.tenant)
        else:
            take = partial(take_more_of, first.tenant, scheduler.partitions)
        while not scheduler.leaving:
            while self._has_room(batch) and (more := take()):
                batch.append(more)
            patience = ready_at - perf_counter()
            if first.partition.failures or not self._has_room(batch) or patience <= 0:
                break
            scheduler.arrival.clear()
            if not await is_set(scheduler.arrival, within=patience):
                break
        return batch

    async def _next_batch(
        self, scheduler: Scheduler, probe: Pending | None
    ) -> tuple[list[Pending], Pending | None]:
        """As many records as fit, once they are there or the first one waited long enough.

        A partition whose last attempt failed is tried alone, so that what is wrong with it does
        not hold up the others: its first record is handed back beside the batch, to lead the next.
        """
        if probe is not None:
            return self._fill([], probe), None
        batch: list[Pending] = []
        while not scheduler.leaving:
            while self._has_room(batch) and (pending := scheduler.take()):
                if not pending.partition.failures:
                    self._fill(batch, pending)
                elif batch:
                    return batch, pending
                else:
                    return self._fill([], pending), None
            if not batch or not self._has_room(batch):
                return batch, None
            patience = batch[0].arrived + self.size.max_wait - perf_counter()
            if patience <= 0:
                return batch, None
            scheduler.arrival.clear()
            if not await is_set(scheduler.arrival, within=patience):
                return batch, None
        return [], None

    def _fill(self, batch: list[Pending], first: Pending) -> list[Pending]:
        """Add a record and those behind it in its partition, as far as they fit."""
        batch.append(first)
        take = first.partition.take_along
        while self._has_room(batch) and (more := take()):
            batch.append(more)
        return batch

    def _has_room(self, batch: list[Pending]) -> bool:
        """A value that was left in Kafka counts as a large one."""
        if self.size.max_bytes == inf:
            return len(batch) < self.size.max_records
        size = sum(each.size if each.raw.value else _LEFT_SIZE for each in batch)
        return len(batch) < self.size.max_records and size < self.size.max_bytes

    async def _handle(self, scheduler: Scheduler, limit: CallLimit, batch: list[Pending]) -> None:
        """Hand a batch over; split it where it fails, until the culprit is alone."""
        whole: list[Pending] = []
        for position, pending in enumerate(batch):
            try:
                if await scheduler.complete(pending):
                    whole.append(pending)
            except Retryable as error:
                scheduler.hold([*whole, *batch[position:]], error)
                return
        good = await self._decoded(scheduler, whole)
        parts = self._put_back_held(scheduler, [good] if good else [])
        while parts:
            part = parts.pop()
            try:
                postponed = await self._call(scheduler, limit, part)
            except Retryable as error:
                unfinished = part + [item for later in reversed(parts) for item in later]
                scheduler.hold([pending for pending, _ in unfinished], error)
                return
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is sorted here
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                elif not isinstance(error, Poison) and await scheduler.wait_before_retry(
                    part[0][0]
                ):
                    parts.append(part)
                elif not scheduler.leaving:
                    await scheduler.park(part[0][0], error)
            else:
                for pending, _ in part:
                    if pending in postponed:
                        scheduler.postpone(pending, behind=self.size.max_records)
                    else:
                        scheduler.finish(pending)
            parts = self._put_back_held(scheduler, parts)
            if scheduler.leaving or scheduler.stopped:
                put_back(parts)
                return

    def _put_back_held(self, scheduler: Scheduler, parts: list[Part[T]]) -> list[Part[T]]:
        """The rest of a batch that may still be handled, the last part first."""
        waits = scheduler.holds.keep_back
        if not len(scheduler.holds):
            return parts
        put_back([[item for item in part if waits(item[0])] for part in parts])
        going_on = [[item for item in part if not waits(item[0])] for part in parts]
        return [part for part in going_on if part]

    async def _call(self, scheduler: Scheduler, limit: CallLimit, part: Part[T]) -> Set[Pending]:
        """Returns what the handler did not finish."""
        records = [record for _, record in part]
        for record in records:
            if isinstance(record, Record):
                record.begin()
        limit.at = part[0][0].raw
        with batch_span(scheduler.topic, records), limit:
            unfinished = await self._handler(records) or ()
        postponed = {
            pending for pending, record in part if any(record is each for each in unfinished)
        }
        done = [pending for pending, _ in part if pending not in postponed]
        scheduler.handled(done, limit.took)
        return postponed

    async def _decoded(self, scheduler: Scheduler, batch: list[Pending]) -> Part[T]:
        """The records of a batch that parse; the others are parked, tombstones done with."""
        good: Part[T] = []
        for pending in batch:
            try:
                record = self._decode(pending.raw)
            except Poison as error:
                await scheduler.park(pending, error)
                continue
            if record is None:
                scheduler.finish(pending)
            else:
                good.append((pending, record))
        return good


def put_back(parts: Sequence[Part[Any]]) -> None:
    """Of a batch, the last part first: it comes again, each partition's records in their order."""
    for part in parts:
        for pending, _ in reversed(part):
            pending.partition.put_back(pending)


_NOTHING = nullcontext()
_MOST_LINKS = 32


def handling_span(record: Record[Any], *, traced: bool) -> AbstractContextManager[Any]:
    """A span for one record. Nothing at all where nobody traces: a span costs more than decoding.

    Without tracing in this process, a trace that came with the record is still passed on.
    """
    raw = record.raw
    if not traced and (not raw.headers or header(raw.headers, "traceparent") is None):
        return _NOTHING
    return tracer.start_as_current_span(
        f"{raw.topic} process",
        context=trace_from(record.headers),
        kind=trace.SpanKind.CONSUMER,
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": raw.topic,
            "messaging.destination.partition.id": str(raw.partition),
            "messaging.kafka.offset": raw.offset,
        },
    )


def batch_span(topic: str, records: Sequence[object]) -> AbstractContextManager[Any]:
    """A span for a batch, linked to the traces that its first records came with."""
    if not is_tracing():
        return _NOTHING
    return tracer.start_as_current_span(
        f"{topic} process",
        kind=trace.SpanKind.CONSUMER,
        links=[
            trace.Link(context)
            for record in records[:_MOST_LINKS]
            if isinstance(record, Record) and (context := _sent_context(record)) is not None
        ],
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": topic,
            "messaging.batch.message_count": len(records),
        },
    )


def _sent_context(record: Record[Any]) -> trace.SpanContext | None:
    context = trace.get_current_span(trace_from(record.headers)).get_span_context()
    return context if context.is_valid else None


def is_tracing() -> bool:
    """Tell whether this process makes spans."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)
