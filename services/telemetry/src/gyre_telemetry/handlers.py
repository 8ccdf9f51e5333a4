"""The telemetry service's Kafka edge: a handler a topic, and one for all dead letters."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gyre_common.bus import EventBus, RawRecord, Record
from gyre_common.events import ALL_TOPICS
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_REJECTED,
    DocumentAccepted,
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
)
from gyre_common.events.event import Event
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
)
from gyre_common.events.releases import RELEASE_CHANGED, ReleaseChanged
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_STARTED,
    TrainingFinished,
    TrainingStarted,
)
from gyre_common.redaction import redacted

from gyre_telemetry import translation
from gyre_telemetry.origin import Origin, origin_of, origin_of_raw
from gyre_telemetry.rows import TableRow
from gyre_telemetry.service import Telemetry

GROUP = "telemetry"
E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class InsertBatching:
    """A batch is inserted at so many records, or once its first one waited so many seconds."""

    records: int
    wait: float


def build_handlers(bus: EventBus, telemetry: Telemetry, batching: InsertBatching) -> None:
    """Let everything that happens become rows.

    `documents.submitted.v1` is left out: it is a raw zone, and what is in it comes again, checked,
    with the accepted or rejected event that follows. So is `training.progressed.v1`: it is there to
    be watched while it lasts, and what is worth keeping comes again with the finished event.
    """
    size, wait = batching.records, batching.wait

    @bus.on_batch(DOCUMENT_ACCEPTED, group=GROUP, max_records=size, max_wait=wait)
    async def on_document_accepted(records: Sequence[Record[DocumentAccepted]]) -> None:
        await telemetry.record(_rows(translation.document_accepted, records))

    @bus.on_batch(DOCUMENT_CHUNKED, group=GROUP, max_records=size, max_wait=wait)
    async def on_document_chunked(records: Sequence[Record[DocumentChunked]]) -> None:
        await telemetry.record(_rows(translation.document_chunked, records))

    @bus.on_batch(DOCUMENT_INDEXED, group=GROUP, max_records=size, max_wait=wait)
    async def on_document_indexed(records: Sequence[Record[DocumentIndexed]]) -> None:
        await telemetry.record(_rows(translation.document_indexed, records))

    @bus.on_batch(DOCUMENT_REJECTED, group=GROUP, max_records=size, max_wait=wait)
    async def on_document_rejected(records: Sequence[Record[DocumentRejected]]) -> None:
        await telemetry.record(_rows(translation.document_rejected, records))

    @bus.on_batch(INTERACTION_COMPLETED, group=GROUP, max_records=size, max_wait=wait)
    async def on_interaction_completed(records: Sequence[Record[InteractionCompleted]]) -> None:
        await telemetry.record(_rows(translation.interaction_completed, records))

    @bus.on_batch(INTERACTION_JUDGED, group=GROUP, max_records=size, max_wait=wait)
    async def on_interaction_judged(records: Sequence[Record[InteractionJudged]]) -> None:
        await telemetry.record(_rows(translation.interaction_judged, records))

    @bus.on_batch(FEEDBACK_RECEIVED, group=GROUP, max_records=size, max_wait=wait)
    async def on_feedback_received(records: Sequence[Record[FeedbackReceived]]) -> None:
        await telemetry.record(_rows(translation.feedback_received, records))

    @bus.on_batch(RELEASE_CHANGED, group=GROUP, max_records=size, max_wait=wait)
    async def on_release_changed(records: Sequence[Record[ReleaseChanged]]) -> None:
        await telemetry.record(_rows(translation.release_changed, records))

    @bus.on_batch(TRAINING_STARTED, group=GROUP, max_records=size, max_wait=wait)
    async def on_training_started(records: Sequence[Record[TrainingStarted]]) -> None:
        await telemetry.record(_rows(translation.training_started, records))

    @bus.on_batch(TRAINING_FINISHED, group=GROUP, max_records=size, max_wait=wait)
    async def on_training_finished(records: Sequence[Record[TrainingFinished]]) -> None:
        await telemetry.record(_rows(translation.training_finished, records))

    dead_letters = [topic.dlq for topic in ALL_TOPICS]

    @bus.on_raw_batch(dead_letters, group=f"{GROUP}-dlq", max_records=size, max_wait=wait)
    async def on_dead_letter(records: Sequence[RawRecord]) -> None:
        await telemetry.record(
            row for raw in records for row in translation.dead_letter(raw, origin_of_raw(raw))
        )


def _rows(
    translate: Callable[[E, Origin], Iterator[TableRow]], records: Iterable[Record[E]]
) -> Iterator[TableRow]:
    for record in records:
        yield from translate(redacted(record.event), origin_of(record))
