"""Keeps the live index in step with the documents."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from gyre_common.document_index import DocumentState
from gyre_common.errors import Retryable
from gyre_common.events.documents import DocumentChunked, DocumentIndexed, DocumentRejected
from gyre_common.events.event import DEFAULT_TENANT, now
from gyre_common.releases import ReleaseView
from gyre_common.telemetry import METRICS

from gyre_embedder.chunk_index import ChunkIndex, DocumentKey, Head
from gyre_embedder.chunk_writer import ChunkWriter, Work, Written, end_of_turn
from gyre_embedder.document_sketch import sketch_of
from gyre_embedder.head_record import (
    indexed_event,
    is_applied,
    is_overtaken,
    with_rejection,
    with_revision,
)
from gyre_embedder.targets import Target, batches, key_of, target_of

log = logging.getLogger(__name__)

_ATTEMPTS = 5


class Indexer:
    """Applies documents in order of their revisions. Applying one again changes nothing.

    Chunks are written first, then made searchable, then the head record is written, so a crash at
    any moment only means that the work is done once more. A document that takes long to encode
    takes several turns.
    """

    def __init__(self, index: ChunkIndex, writer: ChunkWriter, releases: ReleaseView) -> None:
        self._index = index
        self._writer = writer
        self._releases = releases

    async def prepare(self) -> None:
        """Make the default tenant's index ready before the first document comes.

        Raises:
            FailedPrecondition: it exists with another mapping, or the live encoder is not here.
            Retryable: the engine is not there now.
        """
        await self._writer.prepare(target_of(self._releases, DEFAULT_TENANT))

    async def index(
        self, documents: Sequence[DocumentChunked]
    ) -> list[list[DocumentIndexed] | None]:
        """Make documents searchable, or gone; returns what to tell of each, in the same order.

        There is nothing to tell of a revision that a higher one had overtaken. One that was read
        again for the shadow's index is `ShadowFiller`'s. None stands for a document that takes
        longer than a turn may: given again, it goes on where it was, whichever process it is given
        to.

        Raises:
            Retryable: an engine or the live encoder is not there now.
            Poison: the index refuses a document.
        """
        events_by_document: list[list[DocumentIndexed] | None] = [[] for _ in documents]
        until = end_of_turn()
        for target, positions in batches(documents, partial(target_of, self._releases)):
            changed = [each for each in positions if documents[each].rebuild is None]
            events_by_key, unfinished = await self._apply(
                target, [documents[each] for each in changed], until
            )
            for position in changed:
                key = key_of(documents[position])
                done = key not in unfinished
                events_by_document[position] = events_by_key.get(key, []) if done else None
        return events_by_document

    async def note_rejection(self, rejection: DocumentRejected) -> None:
        """Put a rejection on the document's timeline.

        Raises Retryable: the index is not there now, or others keep writing the same record.
        """
        key = key_of(rejection)
        for _ in range(_ATTEMPTS):
            before = (await self._index.heads([key])).get(key)
            record = with_rejection(before.record if before else None, rejection)
            if before and record is before.record:
                return
            if not await self._index.put_heads([Head(record, before.seal if before else None)]):
                return
        raise Retryable(f"the head record of {key.document_id} is being written by others")

    async def _apply(
        self, target: Target, documents: Sequence[DocumentChunked], until: float
    ) -> tuple[dict[DocumentKey, list[DocumentIndexed]], frozenset[DocumentKey]]:
        """Apply one revision of each document; returns what to tell of those that are done, and
        which are not.
        """
        events_by_key: dict[DocumentKey, list[DocumentIndexed]] = {}
        unfinished: frozenset[DocumentKey] = frozenset()
        if not documents:
            return events_by_key, unfinished
        for _ in range(_ATTEMPTS):
            heads = await self._index.heads([key_of(document) for document in documents])
            new = []
            for document in documents:
                events = _known_events(document, heads.get(key_of(document)), target)
                if events is None:
                    new.append(document)
                else:
                    events_by_key[key_of(document)] = events
            works, rest = await self._writer.works(new, heads)
            written = await self._writer.write(target, works, until)
            unfinished |= rest | written.unfinished
            documents = await self._write_heads(target, written, events_by_key)
            if not documents:
                return events_by_key, unfinished
        raise Retryable(f"head records are being written by others: {len(documents)} left")

    async def _write_heads(
        self,
        target: Target,
        written: Written,
        events_by_key: dict[DocumentKey, list[DocumentIndexed]],
    ) -> list[DocumentChunked]:
        """Tell the head records what is in the index; returns documents whose own changed
        meanwhile.
        """
        heads = await asyncio.to_thread(
            lambda: [self._head(target, work, written.encoded) for work in written.works]
        )
        conflicts = await self._index.put_heads(heads)
        for work, head in zip(written.works, heads, strict=True):
            event = indexed_event(head.record, work.document, index=target.index)
            if work.key in conflicts or event is None:
                continue
            before = work.before.record if work.before else None
            if before is None or before.revision != work.document.revision:
                METRICS.document_freshness_seconds.observe(event.freshness_seconds)
            elif before.state is DocumentState.INDEXED and before.index == target.index:
                continue  # it was searchable, and is marked otherwise now
            events_by_key[work.key] = [event]
        return [work.document for work in written.works if work.key in conflicts]

    def _head(self, target: Target, work: Work, encoded: frozenset[UUID]) -> Head:
        record = with_revision(
            work.before.record if work.before else None,
            work.document,
            index=target.index,
            encoder_version=target.encoder_version,
            chunk_count=len(work.chunks),
            encoded_count=sum(chunk.chunk_id in encoded for chunk in work.chunks),
            sketch=sketch_of(work.chunks),
            searchable_at=now(),
        )
        return Head(record, work.before.seal if work.before else None)


def _known_events(
    document: DocumentChunked, before: Head | None, target: Target
) -> list[DocumentIndexed] | None:
    """What to tell of a document that needs no work; None when it does."""
    if before is None or before.record.revision < document.revision:
        return None
    if is_overtaken(before.record, document):
        log.info("revision overtaken", extra={"revision": document.revision})
        return []
    if not is_applied(before.record, document):
        return None  # held, released or marked since
    if document.held:
        return []
    event = indexed_event(before.record, document, index=target.index)
    return None if event is None else [event]
