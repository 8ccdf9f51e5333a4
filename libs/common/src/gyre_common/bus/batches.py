"""Hands records to a handler many at a time, and finds the one that spoils a batch."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from gyre_common.bus.call_limit import CallLimit
from gyre_common.bus.partition import Pending
from gyre_common.bus.record import BATCH, CURRENT, RawRecord, Record
from gyre_common.bus.scheduler import Scheduler
from gyre_common.bus.spans import batch_span
from gyre_common.errors import Poison, Retryable

T = TypeVar("T")

BatchHandler = Callable[[Sequence[T]], Awaitable[None]]


@dataclass(frozen=True)
class BatchSize:
    """A batch is ready at `max_records`, or once its oldest record waited `max_wait` seconds."""

    max_records: int
    max_wait: float


class InBatches(Generic[T]):
    """Implements `Handling` for handlers of many records.

    One batch is handled at a time, and each partition's records stand in it in their order, so a
    batch never reorders a key.
    """

    at_once = 1
    keeps_key_order = False

    def __init__(
        self,
        decode: Callable[[RawRecord], T | None],
        handler: BatchHandler[T],
        size: BatchSize,
    ) -> None:
        self._decode = decode
        self._handler = handler
        self._size = size

    async def work(self, scheduler: Scheduler) -> None:
        """Handle batches until no more may start."""
        CURRENT.set(BATCH)
        probe: Pending | None = None
        with scheduler.call_limit() as limit:
            while True:
                batch, probe = await self._next_batch(scheduler, probe)
                if not batch:
                    return
                await self._handle(scheduler, limit, batch)
                await asyncio.sleep(0)

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
            while len(batch) < self._size.max_records and (pending := scheduler.take()):
                if not pending.partition.on_probe:
                    self._fill(batch, pending)
                elif batch:
                    return batch, pending
                else:
                    return self._fill([], pending), None
            if not batch or len(batch) >= self._size.max_records:
                return batch, None
            patience = batch[0].arrived + self._size.max_wait - perf_counter()
            if not await self._wait_for_more(scheduler, patience):
                return batch, None
        return [], None

    def _fill(self, batch: list[Pending], first: Pending) -> list[Pending]:
        """Add a record and those behind it in its partition, as far as they fit."""
        batch.append(first)
        take = first.partition.take_along
        while len(batch) < self._size.max_records and (more := take()):
            batch.append(more)
        return batch

    async def _wait_for_more(self, scheduler: Scheduler, patience: float) -> bool:
        if patience <= 0:
            return False
        scheduler.arrival.clear()
        try:
            await asyncio.wait_for(scheduler.arrival.wait(), patience)
        except TimeoutError:
            return False
        return True

    async def _handle(self, scheduler: Scheduler, limit: CallLimit, batch: list[Pending]) -> None:
        """Hand a batch over; split it where it fails, until the culprit is alone."""
        good = await self._decoded(scheduler, batch)
        parts = [good] if good else []
        while parts:
            part = parts.pop()
            try:
                await self._call(scheduler, limit, [record for _, record in part])
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
                    scheduler.finish(pending)
            if scheduler.leaving or scheduler.stopped:
                for pending, _ in reversed([item for later in reversed(parts) for item in later]):
                    pending.partition.put_back(pending)
                return

    async def _call(self, scheduler: Scheduler, limit: CallLimit, records: list[T]) -> None:
        for record in records:
            if isinstance(record, Record):
                record.begin()
        with batch_span(scheduler.consumer.topic, records), limit:
            await self._handler(records)
        scheduler.handled(len(records), limit.took)

    async def _decoded(self, scheduler: Scheduler, batch: list[Pending]) -> list[tuple[Pending, T]]:
        """The records of a batch that parse; the others are parked, tombstones done with."""
        good: list[tuple[Pending, T]] = []
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
