"""The telemetry service's Kafka edge: every topic becomes rows, and so do all dead letters."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from gyre_common.bus import EventBus, RawRecord, Record
from gyre_common.events import ALL_TOPICS
from gyre_common.events.event import Event
from gyre_common.events.topic import Topic
from gyre_common.redaction import redacted

from gyre_telemetry.service import TableRow, Telemetry
from gyre_telemetry.translation import TRANSLATIONS, Origin, dead_letter, origin_of

GROUP = "telemetry"
E = TypeVar("E", bound=Event)


def build_handlers(bus: EventBus, telemetry: Telemetry, *, records: int, wait: float) -> None:
    """Let everything that happens become rows: a batch at so many records, or once its first one
    waited so many seconds.
    """

    def on(topic: Topic[E], translate: Callable[[E, Origin], Iterator[TableRow]]) -> None:
        def rows_of(batch: Sequence[Record[E]]) -> list[TableRow]:
            return [
                row
                for record in batch
                for row in translate(redacted(record.event), origin_of(record.raw))
            ]

        async def on_events(batch: Sequence[Record[E]]) -> None:
            # In a thread: redacting a batch of long texts takes seconds.
            await telemetry.record(await asyncio.to_thread(rows_of, batch))

        on_events.__name__ = f"on_{translate.__name__}"
        bus.on_batch(topic, group=GROUP, max_records=records, max_wait=wait)(on_events)

    for topic, translate in TRANSLATIONS:
        on(topic, translate)

    dead_letters = [topic.dlq for topic in ALL_TOPICS]

    @bus.on_raw_batch(dead_letters, group=f"{GROUP}-dlq", max_records=records, max_wait=wait)
    async def on_dead_letter(batch: Sequence[RawRecord]) -> None:
        await telemetry.record(row for raw in batch for row in dead_letter(raw, origin_of(raw)))
