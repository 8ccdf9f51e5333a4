"""The ingestor's Kafka edge."""

from gyre_common.bus import EventBus, current_record
from gyre_common.bus.record import moment
from gyre_common.bus.replaying import first_place
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_QUARANTINED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    QUARANTINE_DECIDED,
    DocumentAccepted,
    DocumentSubmitted,
    QuarantineDecided,
)
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED, IndexRebuildProgressed
from gyre_common.events.sources import SOURCE_CHANGED, SYNC_REQUESTED, SyncRequested

from gyre_ingestor.index_rebuild import IndexRebuild
from gyre_ingestor.invalid_records import InvalidRecords, refuse_misspelt
from gyre_ingestor.service import Ingestor
from gyre_ingestor.sources.syncing import SourceSyncer
from gyre_ingestor.submission_order import SubmissionPlace

GROUP = "ingestor"
_CONCURRENT_READS = 4
_CONCURRENT_SYNCS = 4


def build_handlers(
    bus: EventBus, ingestor: Ingestor, rebuild: IndexRebuild, syncer: SourceSyncer
) -> None:
    """Let the ingestor work on what the bus brings."""
    bus.publishes(DOCUMENT_SUBMITTED, DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED, DOCUMENT_REJECTED)
    bus.publishes(DOCUMENT_QUARANTINED, QUARANTINE_DECIDED)
    bus.publishes(INDEX_REBUILD_PROGRESSED, SOURCE_CHANGED, SYNC_REQUESTED)

    @bus.on(DOCUMENT_SUBMITTED, group=GROUP, by_tenant=True, on_invalid=InvalidRecords(bus).reject)
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        record = current_record()
        first = first_place(record.raw)
        place = SubmissionPlace(first.partition, first.offset, moment(first.timestamp))
        event, refusal = refuse_misspelt(event, record.raw)
        await ingestor.accept(event, submission_id=record.event_id, place=place, refusal=refusal)

    @bus.on(DOCUMENT_ACCEPTED, group=GROUP, concurrency=_CONCURRENT_READS, by_tenant=True)
    async def on_document_accepted(event: DocumentAccepted) -> None:
        await ingestor.chunk(event, revision=current_record().raw.offset)

    @bus.on(QUARANTINE_DECIDED, group=GROUP, concurrency=1)
    async def on_quarantine_decided(event: QuarantineDecided) -> None:
        await ingestor.decide(event)

    @bus.on(INDEX_REBUILD_PROGRESSED, group=GROUP, concurrency=1)
    async def on_index_rebuild_progressed(event: IndexRebuildProgressed) -> None:
        await rebuild.go_on(event)

    @bus.on(SYNC_REQUESTED, group=GROUP, concurrency=_CONCURRENT_SYNCS)
    async def on_sync_requested(event: SyncRequested) -> None:
        await syncer.sync(event)
