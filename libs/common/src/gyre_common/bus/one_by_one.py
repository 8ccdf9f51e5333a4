"""Hands records to a handler one at a time: in order per key, different keys at once."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Generic, TypeVar

from gyre_common.bus.partition import Pending
from gyre_common.bus.record import CURRENT, RawRecord, Record
from gyre_common.bus.scheduler import LONGEST_TURN, Scheduler
from gyre_common.bus.spans import handling_span, is_tracing
from gyre_common.errors import Poison, Retryable
from gyre_common.events.event import Event

E = TypeVar("E", bound=Event)

Handler = Callable[[E], Awaitable[None]]


class OneByOne(Generic[E]):
    """Implements `Handling` for handlers of single events."""

    keeps_key_order = True

    def __init__(
        self, decode: Callable[[RawRecord], Record[E] | None], handler: Handler[E], concurrency: int
    ) -> None:
        self.at_once = concurrency
        self._decode = decode
        self._handler = handler

    async def work(self, scheduler: Scheduler) -> None:
        """Handle records until no more may start."""
        traced = is_tracing()
        with scheduler.call_limit() as limit:
            had_turn = limit.ended_at
            while (pending := scheduler.take()) is not None:
                try:
                    record = self._decode(pending.raw)
                    if record is not None:
                        CURRENT.set(record)
                        with handling_span(record, traced=traced), limit:
                            await self._handler(record.event)
                        scheduler.handled(1, limit.took)
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

    async def _retry_or_park(
        self, scheduler: Scheduler, pending: Pending, error: Exception
    ) -> None:
        """A bug may be a glitch: a few tries, the key waiting meanwhile, then it is parked."""
        if await scheduler.wait_before_retry(pending):
            pending.partition.put_back(pending)
        elif not scheduler.leaving:
            await scheduler.park(pending, error)
