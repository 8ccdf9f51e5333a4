"""The Kafka edge: documents in, what became of them out."""

import asyncio
from collections.abc import Sequence
from functools import partial

from gyre_common.bus import EventBus, Record
from gyre_common.events.documents import (
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_REJECTED,
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
)

from gyre_embedder.live_group import GROUP
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import Change, ShadowFiller

SHADOW_GROUP = "embedder-shadow"
_MOST_DOCUMENTS = 32
_LONGEST_WAIT = 0.05
_MOST_BYTES = 256 * 1024
"""Some seconds of encoding, of which other tenants' batches take their turns."""


def build_handlers(bus: EventBus, indexer: Indexer, filler: ShadowFiller) -> None:
    """Let indexer and filler hear of documents, each at its own pace."""
    bus.publishes(DOCUMENT_INDEXED)
    in_batches = partial(
        bus.on_batch,
        DOCUMENT_CHUNKED,
        max_records=_MOST_DOCUMENTS,
        max_wait=_LONGEST_WAIT,
        max_bytes=_MOST_BYTES,
        by_tenant=True,
    )

    @in_batches(group=GROUP)
    async def on_documents_chunked(
        records: Sequence[Record[DocumentChunked]],
    ) -> Sequence[Record[DocumentChunked]]:
        outcomes = zip(records, await indexer.index([each.event for each in records]), strict=True)
        done = {record: events for record, events in outcomes if events is not None}
        await asyncio.gather(*(publish_all(*each) for each in done.items()))
        return [record for record in records if record not in done]

    @in_batches(group=SHADOW_GROUP)
    async def on_documents_for_shadow(
        records: Sequence[Record[DocumentChunked]],
    ) -> Sequence[Record[DocumentChunked]]:
        changes = [Change(each.event, each.raw.partition, each.raw.offset) for each in records]
        unfinished = await filler.fill(changes)
        return [record for record, each in zip(records, changes, strict=True) if each in unfinished]

    async def publish_all(
        record: Record[DocumentChunked], events: Sequence[DocumentIndexed]
    ) -> None:
        with record.handling():
            for event in events:
                await bus.publish(DOCUMENT_INDEXED, event)

    @bus.on(DOCUMENT_REJECTED, group=GROUP, by_tenant=True)
    async def on_document_rejected(event: DocumentRejected) -> None:
        await indexer.note_rejection(event)
