"""The ingestor's Kafka edge."""

from gyre_common.bus import EventBus, current_record
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    DocumentAccepted,
    DocumentSubmitted,
)

from gyre_ingestor.service import Ingestor
from gyre_ingestor.submission_order import SubmissionPlace

GROUP = "ingestor"
_CONCURRENT_READS = 4


def build_handlers(bus: EventBus, ingestor: Ingestor) -> None:
    """Let the ingestor work on what the bus brings."""
    bus.publishes(DOCUMENT_SUBMITTED, DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED, DOCUMENT_REJECTED)

    @bus.on(DOCUMENT_SUBMITTED, group=GROUP)
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        record = current_record()
        place = SubmissionPlace(record.raw.partition, record.raw.offset, record.timestamp)
        await ingestor.accept(event, submission_id=record.event_id, place=place)

    @bus.on(DOCUMENT_ACCEPTED, group=GROUP, concurrency=_CONCURRENT_READS)
    async def on_document_accepted(event: DocumentAccepted) -> None:
        await ingestor.chunk(event, revision=current_record().raw.offset)
