"""The telemetry service's Kafka edge: every topic becomes rows, and so do all dead letters."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from gyre_common.bus import EventBus, RawRecord, Record
from gyre_common.events import ALL_TOPICS
from gyre_common.events import documents as docs
from gyre_common.events.event import Event
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.events.topic import Topic
from gyre_common.events.training import TRAINING_FINISHED, TRAINING_STARTED
from gyre_common.redaction import redacted

from gyre_telemetry import translation
from gyre_telemetry.service import TableRow, Telemetry
from gyre_telemetry.translation import Origin, origin_of

GROUP = "telemetry"
E = TypeVar("E", bound=Event)


def build_handlers(bus: EventBus, telemetry: Telemetry, *, records: int, wait: float) -> None:
    """Let everything that happens become rows: a batch at so many records, or once its first one
    waited so many seconds.

    `documents.submitted.v1` is left out: it is a raw zone, and what is in it comes again, checked,
    with the accepted or rejected event that follows. So is `training.progressed.v1`: it is there to
    be watched while it lasts, and what is worth keeping comes again with the finished event.
    """

    def on(topic: Topic[E], translate: Callable[[E, Origin], Iterator[TableRow]]) -> None:
        async def on_events(batch: Sequence[Record[E]]) -> None:
            await telemetry.record(
                row
                for record in batch
                for row in translate(redacted(record.event), origin_of(record.raw))
            )

        on_events.__name__ = f"on_{translate.__name__}"
        bus.on_batch(topic, group=GROUP, max_records=records, max_wait=wait)(on_events)

    on(docs.DOCUMENT_ACCEPTED, translation.document_accepted)
    on(docs.DOCUMENT_CHUNKED, translation.document_chunked)
    on(docs.DOCUMENT_INDEXED, translation.document_indexed)
    on(docs.DOCUMENT_REJECTED, translation.document_rejected)
    on(INTERACTION_COMPLETED, translation.interaction_completed)
    on(INTERACTION_JUDGED, translation.interaction_judged)
    on(FEEDBACK_RECEIVED, translation.feedback_received)
    on(RELEASE_CHANGED, translation.release_changed)
    on(TRAINING_STARTED, translation.training_started)
    on(TRAINING_FINISHED, translation.training_finished)

    dead_letters = [topic.dlq for topic in ALL_TOPICS]

    @bus.on_raw_batch(dead_letters, group=f"{GROUP}-dlq", max_records=records, max_wait=wait)
    async def on_dead_letter(batch: Sequence[RawRecord]) -> None:
        await telemetry.record(
            row for raw in batch for row in translation.dead_letter(raw, origin_of(raw))
        )
