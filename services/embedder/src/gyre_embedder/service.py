"""Keeps the index in step with the documents."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_common.document_index import DocumentRecord
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.documents import Chunk, DocumentChunked, DocumentIndexed, DocumentRejected
from gyre_common.events.event import DEFAULT_TENANT, now
from gyre_common.events.releases import Roles
from gyre_common.passages import encoder_input
from gyre_common.releases import ReleaseView
from gyre_common.telemetry import METRICS

from gyre_embedder.chunk_index import ChunkIndex, DocumentKey, EncodedChunk, Head, Removal
from gyre_embedder.encoder import Encoder, Side, Vector
from gyre_embedder.encoders import Encoders
from gyre_embedder.head_record import indexed_event, with_rejection, with_revision

log = logging.getLogger(__name__)

_ATTEMPTS = 5

ReadChunks = Callable[[DocumentChunked], Awaitable[Sequence[Chunk]]]
"""The chunks of a document, wherever they are kept."""


@dataclass(frozen=True)
class Target:
    """The index that a document goes to, and the version of the encoder that made it."""

    index: str
    encoder_version: str


@dataclass(frozen=True)
class _Work:
    """A document to be brought into its index."""

    document: DocumentChunked
    chunks: Sequence[Chunk]
    before: Head | None

    @property
    def key(self) -> DocumentKey:
        return _key(self.document)

    @property
    def record(self) -> DocumentRecord | None:
        return self.before.record if self.before else None


class Indexer:
    """Applies documents in order of their revisions. Applying one again changes nothing.

    Chunks are written first, then made searchable, then the head record is written, so a crash at
    any moment only means that the work is done once more.
    """

    def __init__(
        self,
        index: ChunkIndex,
        encoders: Encoders,
        releases: ReleaseView,
        read_chunks: ReadChunks,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._index = index
        self._encoders = encoders
        self._releases = releases
        self._read_chunks = read_chunks
        self._clock = clock

    async def prepare(self) -> None:
        """Make the default tenant's index ready before the first document comes.

        Raises:
            FailedPrecondition: it exists with another mapping, or the live encoder is not here.
            Retryable: the engine is not there now.
        """
        target = self._target(DEFAULT_TENANT)
        async with self._encoders.use(Side.DOCUMENT, target.encoder_version) as encoder:
            dimensions = encoder.dimensions
        await self._index.prepare(target.index, dimensions)

    async def index(self, documents: Sequence[DocumentChunked]) -> list[list[DocumentIndexed]]:
        """Make documents searchable, or gone; returns what to tell of each, in the same order.

        There is nothing to tell of a revision that a higher one had overtaken.

        Raises:
            Retryable: an engine or the live encoder is not there now.
            Poison: the index refuses a document.
        """
        events_by_document: list[list[DocumentIndexed]] = [[] for _ in documents]
        for wave in _waves(documents):
            outcome = await self._apply([documents[position] for position in wave])
            for position in wave:
                events_by_document[position] = outcome.get(_key(documents[position]), [])
        return events_by_document

    async def note_rejection(self, rejection: DocumentRejected) -> None:
        """Put a rejection on the document's timeline.

        Raises:
            Retryable: the index is not there now, or others keep writing the same record.
        """
        key = _key(rejection)
        for _ in range(_ATTEMPTS):
            before = (await self._index.heads([key])).get(key)
            record = with_rejection(before.record if before else None, rejection)
            if not await self._index.put_heads([Head(record, before.seal if before else None)]):
                return
        raise Retryable(f"the head record of {key.document_id} is being written by others")

    async def _apply(
        self, documents: Sequence[DocumentChunked]
    ) -> Mapping[DocumentKey, list[DocumentIndexed]]:
        """Apply one revision of each document."""
        events_by_key: dict[DocumentKey, list[DocumentIndexed]] = {}
        pending = list(documents)
        for _ in range(_ATTEMPTS):
            heads = await self._index.heads([_key(document) for document in pending])
            conflicts: list[DocumentChunked] = []
            for target, group in self._by_target(pending):
                works = []
                for document in group:
                    before = heads.get(_key(document))
                    events = _known_events(document, before, target)
                    if events is None:
                        works.append(_Work(document, await self._read_chunks(document), before))
                    else:
                        events_by_key[_key(document)] = events
                conflicts += await self._write_documents(target, works, events_by_key)
            if not conflicts:
                return events_by_key
            pending = conflicts
        raise Retryable(f"head records are being written by others: {len(pending)} left")

    async def _write_documents(
        self,
        target: Target,
        works: Sequence[_Work],
        events_by_key: dict[DocumentKey, list[DocumentIndexed]],
    ) -> list[DocumentChunked]:
        """Bring documents into one index; returns those whose head record changed meanwhile."""
        if not works:
            return []
        async with self._encoder(target.encoder_version) as encoder:
            await self._index.prepare(target.index, encoder.dimensions)
            stored = await self._index.stored_chunk_ids(target.index, [work.key for work in works])
            vectors, encoded = await self._vectors(target, encoder, works, stored)
        await self._index.write(
            target.index,
            [
                EncodedChunk(_indexed_chunk(work.document, chunk), vectors[chunk.chunk_id])
                for work in works
                for chunk in work.chunks
            ],
            [
                Removal(chunk_id, work.document.revision)
                for work in works
                for chunk_id in stored.get(work.key, frozenset())
                - {chunk.chunk_id for chunk in work.chunks}
            ],
        )
        heads = [self._head(target, work, encoded) for work in works]
        conflicts = await self._index.put_heads(heads)
        for work, head in zip(works, heads, strict=True):
            event = indexed_event(head.record, work.document, index=target.index)
            if work.key not in conflicts and event is not None:
                events_by_key[work.key] = [event]
                METRICS.document_freshness_seconds.observe(event.freshness_seconds)
        return [work.document for work in works if work.key in conflicts]

    async def _vectors(
        self,
        target: Target,
        encoder: Encoder,
        works: Sequence[_Work],
        stored: Mapping[DocumentKey, frozenset[UUID]],
    ) -> tuple[dict[UUID, Vector], frozenset[UUID]]:
        """A vector for each chunk, and which of them had to be encoded.

        A chunk's id covers all that the encoder reads of it, so a known id has a known vector.
        """
        known = [
            chunk.chunk_id
            for work in works
            for chunk in work.chunks
            if chunk.chunk_id in stored.get(work.key, frozenset())
        ]
        vectors = dict(await self._index.vectors(target.index, known)) if known else {}
        unknown = {
            chunk.chunk_id: encoder_input(work.document.title, chunk.heading_path, chunk.text)
            for work in works
            for chunk in work.chunks
            if chunk.chunk_id not in vectors
        }
        encoded = await encoder.encode(list(unknown.values()), Side.DOCUMENT) if unknown else []
        for chunk_id, result in zip(unknown, encoded, strict=True):
            vectors[chunk_id] = result.vector
        return vectors, frozenset(unknown)

    def _head(self, target: Target, work: _Work, encoded: frozenset[UUID]) -> Head:
        record = with_revision(
            work.record,
            work.document,
            index=target.index,
            encoder_version=target.encoder_version,
            chunk_count=len(work.chunks),
            encoded_count=sum(chunk.chunk_id in encoded for chunk in work.chunks),
            searchable_at=self._clock(),
        )
        return Head(record, work.before.seal if work.before else None)

    @asynccontextmanager
    async def _encoder(self, version: str) -> AsyncIterator[Encoder]:
        async with AsyncExitStack() as stack:
            try:
                use = self._encoders.use(Side.DOCUMENT, version)
                encoder = await stack.enter_async_context(use)
            except FailedPrecondition as error:
                # Documents wait for it; somebody may still install it or roll back.
                raise Retryable(str(error)) from error
            yield encoder

    def _by_target(
        self, documents: Sequence[DocumentChunked]
    ) -> Iterator[tuple[Target, list[DocumentChunked]]]:
        groups: dict[Target, list[DocumentChunked]] = {}
        for document in documents:
            groups.setdefault(self._target(document.tenant), []).append(document)
        yield from groups.items()

    def _target(self, tenant: str) -> Target:
        artifact = self._releases.live(tenant, Roles.DOCUMENT_ENCODER)
        if artifact.index is None:
            raise Retryable(f"document-encoder {artifact.version} names no index")
        return Target(artifact.index, artifact.version)


def _known_events(
    document: DocumentChunked, before: Head | None, target: Target
) -> list[DocumentIndexed] | None:
    """What to tell of a document that needs no work; None when it does."""
    if before is None or before.record.revision < document.revision:
        return None
    if before.record.revision > document.revision:
        log.info("revision overtaken", extra={"revision": document.revision})
        return []
    event = indexed_event(before.record, document, index=target.index)
    return None if event is None else [event]


def _indexed_chunk(document: DocumentChunked, chunk: Chunk) -> IndexedChunk:
    return IndexedChunk(
        tenant=document.tenant,
        document_id=document.document_id,
        chunk_id=chunk.chunk_id,
        revision=document.revision,
        ordinal=chunk.ordinal,
        title=document.title,
        heading_path=chunk.heading_path,
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        source_uri=document.source_uri,
        media_type=document.media_type,
        metadata=document.metadata,
        acl=document.acl,
    )


def _waves(documents: Sequence[DocumentChunked]) -> Iterator[list[int]]:
    """Positions, in order, cut so that no document comes twice in a wave."""
    waves: list[list[int]] = []
    occurrences: dict[DocumentKey, int] = {}
    for position, document in enumerate(documents):
        number = occurrences.get(_key(document), -1) + 1
        occurrences[_key(document)] = number
        if number == len(waves):
            waves.append([])
        waves[number].append(position)
    yield from waves


def _key(document: DocumentChunked | DocumentRejected) -> DocumentKey:
    return DocumentKey(document.tenant, document.document_id)
