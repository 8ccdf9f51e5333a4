"""The Kafka edge: documents in, what became of them out."""

import asyncio
from collections.abc import Sequence

from gyre_common.bus import EventBus, Record
from gyre_common.events.documents import (
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_REJECTED,
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
)

from gyre_embedder.service import Indexer

GROUP = "embedder"
_MOST_DOCUMENTS = 32
_LONGEST_WAIT = 0.05
_MOST_BYTES = 256 * 1024
"""Some seconds of encoding, of which other tenants' batches take their turns."""


def build_handlers(bus: EventBus, indexer: Indexer) -> None:
    """Let the indexer hear of documents."""
    bus.publishes(DOCUMENT_INDEXED)

    @bus.on_batch(
        DOCUMENT_CHUNKED,
        group=GROUP,
        max_records=_MOST_DOCUMENTS,
        max_wait=_LONGEST_WAIT,
        max_bytes=_MOST_BYTES,
        by_tenant=True,
    )
    async def on_documents_chunked(
        records: Sequence[Record[DocumentChunked]],
    ) -> Sequence[Record[DocumentChunked]]:
        outcomes = zip(records, await indexer.index([each.event for each in records]), strict=True)
        done = {record: events for record, events in outcomes if events is not None}
        await asyncio.gather(*(publish_all(*each) for each in done.items()))
        return [record for record in records if record not in done]

    async def publish_all(
        record: Record[DocumentChunked], events: Sequence[DocumentIndexed]
    ) -> None:
        with record.handling():
            for event in events:
                await bus.publish(DOCUMENT_INDEXED, event)

    @bus.on(DOCUMENT_REJECTED, group=GROUP, by_tenant=True)
    async def on_document_rejected(event: DocumentRejected) -> None:
        await indexer.note_rejection(event)
