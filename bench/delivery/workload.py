"""What every arm of the benchmark consumes, and how it is timed."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from gyre_common.events.event import Event, Timestamp
from gyre_common.events.topic import Topic

EVENT_BYTES = 480
PARTITIONS = 8
KEYS = 10_000
HANDLER_SECONDS = 200e-6


class WorkloadEvent(Event):
    """An event of typical shape: an id, a time, a few numbers, text."""

    event_id: UUID
    happened_at: Timestamp
    ordinal: int
    score: float
    text: str


def topic(name: str) -> Topic[WorkloadEvent]:
    return Topic(
        name,
        WorkloadEvent,
        key=lambda event: str(event.ordinal % KEYS),
        summary="",
        partitions=PARTITIONS,
    )


def event(ordinal: int) -> WorkloadEvent:
    bare = WorkloadEvent(
        event_id=UUID(int=ordinal),
        happened_at=datetime(2026, 1, 1, tzinfo=UTC),
        ordinal=ordinal,
        score=0.5,
        text="",
    )
    return bare.model_copy(update={"text": "x" * (EVENT_BYTES - len(bare.to_json()))})


@dataclass
class DeliveryStopwatch:
    """Runs from the first record handled to the last; counts wall time and this process's CPU."""

    expected: int
    waits: bool

    def __post_init__(self) -> None:
        self.handled = 0
        self.done = asyncio.Event()
        self._wall = self._cpu = 0.0

    async def call(self, records: int) -> None:
        """One call of the handler with so many records: returns at once, or waits 200 µs."""
        if not self.handled:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        if self.waits:
            await asyncio.sleep(HANDLER_SECONDS)
        self.handled += records
        if self.handled >= self.expected and not self.done.is_set():
            self._wall = time.perf_counter() - self._wall
            self._cpu = time.process_time() - self._cpu
            self.done.set()

    @property
    def result(self) -> dict[str, float]:
        return {"wall": self._wall, "cpu": self._cpu, "handled": self.handled}
