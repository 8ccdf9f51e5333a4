"""Keeps the index in step with the documents."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Poison, Retryable
from gyre_common.events.documents import Chunk, DocumentChunked, DocumentIndexed, DocumentRejected
from gyre_common.events.event import DEFAULT_TENANT, EVERY_TENANT, now
from gyre_common.events.releases import Roles
from gyre_common.passages import encoder_input
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import vectors_of
from gyre_common.store import DamagedContentError, Store
from gyre_common.telemetry import METRICS
from pydantic import TypeAdapter, ValidationError

from gyre_embedder.chunk_index import ChunkIndex, DocumentKey, EncodedChunk, Head
from gyre_embedder.encoders import Encoder, Encoders, Side, Vector
from gyre_embedder.head_record import indexed_event, screening_of, with_rejection, with_revision

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_PIECE = 512  # chunks that one call of the encoder takes: some ten seconds of work

_MOST_UNWRITTEN = 100_000  # vectors: what documents that never got there leave behind

_CHUNKS = TypeAdapter(tuple[Chunk, ...])


@dataclass(frozen=True)
class Target:
    """The index that a document goes to, and the version of the encoder that makes it; `vectors` is
    the version by which vectors are known, as several indexes may hold the same. The `shadow` is
    filled beside it.
    """

    index: str
    encoder_version: str
    vectors: str
    shadow: "Target | None" = None


@dataclass(frozen=True)
class _Work:
    """A document to be brought into its index."""

    document: DocumentChunked
    chunks: Sequence[Chunk]
    before: Head | None

    @property
    def key(self) -> DocumentKey:
        return _key(self.document)


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
        store: Store,
    ) -> None:
        self._index = index
        self._encoders = encoders
        self._releases = releases
        self._store = store
        self._unwritten: dict[tuple[str, UUID], Vector] = {}

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

        There is nothing to tell of a revision that a higher one had overtaken, nor of one that was
        read again for the shadow's index alone.

        Raises:
            Retryable: an engine or the live encoder is not there now.
            Poison: the index refuses a document.
        """
        events_by_document: list[list[DocumentIndexed]] = [[] for _ in documents]
        for target, positions in self._batches(documents):
            batch = [documents[each] for each in positions]
            changed = [each for each in batch if each.rebuild is None]
            events_by_key = await self._apply(target, changed)
            if target.shadow is not None:
                await self._fill(target.shadow, target, self._for_shadow(target.shadow, batch))
            for position in positions:
                if documents[position].rebuild is None:
                    events_by_document[position] = events_by_key.get(_key(documents[position]), [])
        return events_by_document

    async def note_rejection(self, rejection: DocumentRejected) -> None:
        """Put a rejection on the document's timeline.

        Raises Retryable: the index is not there now, or others keep writing the same record.
        """
        key = _key(rejection)
        for _ in range(_ATTEMPTS):
            before = (await self._index.heads([key])).get(key)
            record = with_rejection(before.record if before else None, rejection)
            if not await self._index.put_heads([Head(record, before.seal if before else None)]):
                return
        raise Retryable(f"the head record of {key.document_id} is being written by others")

    def _batches(self, documents: Sequence[DocumentChunked]) -> Iterable[tuple[Target, list[int]]]:
        """Positions of documents for one index each, such that no document comes twice in a batch,
        and its revisions come in order.
        """
        times: Counter[DocumentKey] = Counter()
        batches: dict[tuple[Target, int], list[int]] = {}
        for position, document in enumerate(documents):
            self._check_release(document)
            key = _key(document)
            batches.setdefault((self._target(document.tenant), times[key]), []).append(position)
            times[key] += 1
        return [(target, positions) for (target, _), positions in batches.items()]

    async def _apply(
        self, target: Target, documents: Sequence[DocumentChunked]
    ) -> Mapping[DocumentKey, list[DocumentIndexed]]:
        """Apply one revision of each document."""
        events_by_key: dict[DocumentKey, list[DocumentIndexed]] = {}
        if not documents:
            return events_by_key
        for _ in range(_ATTEMPTS):
            heads = await self._index.heads([_key(document) for document in documents])
            works = []
            for document in documents:
                before = heads.get(_key(document))
                events = _known_events(document, before, target)
                if events is None:
                    works.append(_Work(document, await self._chunks(document), before))
                else:
                    events_by_key[_key(document)] = events
            documents = await self._write_documents(target, works, events_by_key)
            if not documents:
                return events_by_key
        raise Retryable(f"head records are being written by others: {len(documents)} left")

    def _for_shadow(
        self, shadow: Target, documents: Iterable[DocumentChunked]
    ) -> list[DocumentChunked]:
        """All that changed, and what was read again for this shadow and no other one."""
        return [
            each
            for each in documents
            if each.rebuild is None or each.rebuild.version == shadow.encoder_version
        ]

    def _check_release(self, document: DocumentChunked) -> None:
        """Raises Retryable: the release that made a shadow is not known here yet."""
        state = self._releases.state(EVERY_TENANT, Roles.DOCUMENT_ENCODER)
        if document.rebuild is not None and state.generation < document.rebuild.generation:
            raise Retryable(
                f"release {document.rebuild.generation} of document-encoder is not here yet"
            )

    async def _fill(
        self, shadow: Target, live: Target, documents: Sequence[DocumentChunked]
    ) -> None:
        """Apply one revision of each document to the shadow's index, unless a higher one is known.
        Head records are the live index's.
        """
        heads = await self._index.heads([_key(document) for document in documents])
        works = []
        for document in documents:
            head = heads.get(_key(document))
            if head is None or head.record.revision <= document.revision:
                works.append(_Work(document, await self._chunks(document), head))
        if works:
            await self._write_chunks(shadow, works, also_in=live)
            await self._index.put_heads([head for work in works if (head := _retold(work))])

    async def _chunks(self, document: DocumentChunked) -> Sequence[Chunk]:
        """From the event, or from the store when there are too many for one."""
        if document.deleted:
            return ()
        if document.chunks_ref is None:
            return document.chunks
        try:
            data = await self._store.get(document.chunks_ref, document.chunks_digest or "")
            return _CHUNKS.validate_json(data)
        except (InvalidInput, NotFound, DamagedContentError) as error:
            raise Poison(f"the chunks cannot be read: {error}") from error
        except ValidationError as error:
            raise Poison("what chunks_ref points to is not a list of chunks") from error

    async def _write_documents(
        self,
        target: Target,
        works: Sequence[_Work],
        events_by_key: dict[DocumentKey, list[DocumentIndexed]],
    ) -> list[DocumentChunked]:
        """Bring documents into one index; returns those whose head record changed meanwhile."""
        if not works:
            return []
        encoded = await self._write_chunks(target, works)
        heads = [self._head(target, work, encoded) for work in works]
        conflicts = await self._index.put_heads(heads)
        for work, head in zip(works, heads, strict=True):
            event = indexed_event(head.record, work.document, index=target.index)
            if work.key not in conflicts and event is not None:
                events_by_key[work.key] = [event]
                METRICS.document_freshness_seconds.observe(event.freshness_seconds)
        return [work.document for work in works if work.key in conflicts]

    async def _write_chunks(
        self, target: Target, works: Sequence[_Work], *, also_in: Target | None = None
    ) -> frozenset[UUID]:
        """Bring the documents' chunks into the index, and take others of theirs out; returns those
        that were encoded for it. `also_in` is another index that may hold them.
        """
        try:
            async with self._encoders.use(Side.DOCUMENT, target.encoder_version) as encoder:
                await self._index.prepare(target.index, encoder.dimensions)
                keys = [work.key for work in works]
                stored = await self._index.stored_chunk_ids(target.index, keys)
                vectors, encoded = await self._vectors(target, encoder, works, stored, also_in)
        except FailedPrecondition as error:
            # Documents wait for an encoder, or an index, of use; somebody may still roll back.
            raise Retryable(str(error)) from error
        put: list[EncodedChunk] = []
        removals: dict[UUID, int] = {}
        for work in works:
            document = dict(work.document)
            removals |= dict.fromkeys(stored[work.key], work.document.revision)
            for chunk in work.chunks:
                indexed = IndexedChunk.model_validate({**document, **dict(chunk)})
                put.append(EncodedChunk(indexed, vectors[chunk.chunk_id]))
                removals.pop(chunk.chunk_id, None)
        await self._index.write(target.index, put, removals)
        for chunk_id in encoded:
            self._unwritten.pop((target.vectors, chunk_id), None)
        return encoded

    async def _vectors(
        self,
        target: Target,
        encoder: Encoder,
        works: Sequence[_Work],
        stored: Mapping[DocumentKey, frozenset[UUID]],
        also_in: Target | None,
    ) -> tuple[dict[UUID, Vector], frozenset[UUID]]:
        """A vector for each chunk, and which of them had to be encoded.

        A chunk's id covers all that the encoder reads of it, so a known id has a known vector. What
        was encoded stays until it is written: where there is more than one call has time for, the
        next attempt goes on behind it.
        """
        chunks = [(work, chunk) for work in works for chunk in work.chunks]
        known = [chunk.chunk_id for work, chunk in chunks if chunk.chunk_id in stored[work.key]]
        vectors = dict(await self._index.vectors(target.index, known)) if known else {}
        if also_in is not None and also_in.vectors == target.vectors:
            others = [chunk.chunk_id for _, chunk in chunks if chunk.chunk_id not in vectors]
            vectors |= await self._index.vectors(also_in.index, others)
        unknown = {
            chunk.chunk_id: encoder_input(work.document.title, chunk.heading_path, chunk.text)
            for work, chunk in chunks
            if chunk.chunk_id not in vectors
        }
        version = target.vectors
        if len(self._unwritten) > _MOST_UNWRITTEN:
            self._unwritten = {}  # who is in the midst of it keeps what it has
        unwritten = self._unwritten
        missing = [chunk_id for chunk_id in unknown if (version, chunk_id) not in unwritten]
        for first in range(0, len(missing), _PIECE):
            piece = missing[first : first + _PIECE]
            encoded = await encoder.encode([unknown[each] for each in piece], Side.DOCUMENT)
            for chunk_id, result in zip(piece, encoded, strict=True):
                unwritten[version, chunk_id] = result.vector
        new = {chunk_id: unwritten[version, chunk_id] for chunk_id in unknown}
        return vectors | new, frozenset(unknown)

    def _head(self, target: Target, work: _Work, encoded: frozenset[UUID]) -> Head:
        record = with_revision(
            work.before.record if work.before else None,
            work.document,
            index=target.index,
            encoder_version=target.encoder_version,
            chunk_count=len(work.chunks),
            encoded_count=sum(chunk.chunk_id in encoded for chunk in work.chunks),
            searchable_at=now(),
        )
        return Head(record, work.before.seal if work.before else None)

    def _target(self, tenant: str) -> Target:
        state = self._releases.state(tenant, Roles.DOCUMENT_ENCODER)
        live = self._releases.live(tenant, Roles.DOCUMENT_ENCODER)
        shadow = state.artifact(state.shadow) if state.shadow else None
        if live.index is None:
            raise Retryable(f"document-encoder {live.version} names no index")
        filled = None
        if shadow is not None and shadow.index not in (None, live.index):
            filled = Target(str(shadow.index), shadow.version, vectors_of(shadow))
        return Target(live.index, live.version, vectors_of(live), filled)


def _retold(work: _Work) -> Head | None:
    """The head record of a document that was read again, where it is told of otherwise now, as when
    its tenant has chosen to redact since; None where nothing changes.
    """
    document, before = work.document, work.before
    if document.rebuild is None or before is None or before.record.revision != document.revision:
        return None
    about = {name: getattr(document, name) for name in ("title", "source_uri", "metadata")}
    record = before.record.model_copy(update=about)
    return None if record == before.record else Head(record, before.seal)


def _known_events(
    document: DocumentChunked, before: Head | None, target: Target
) -> list[DocumentIndexed] | None:
    """What to tell of a document that needs no work; None when it does."""
    if before is None or before.record.revision < document.revision:
        return None
    if before.record.revision > document.revision:
        log.info("revision overtaken", extra={"revision": document.revision})
        return []
    if screening_of(before.record) != document.screening:
        return None  # held, released or marked since
    if document.held:
        return []
    event = indexed_event(before.record, document, index=target.index)
    return None if event is None else [event]


def _key(document: DocumentChunked | DocumentRejected) -> DocumentKey:
    return DocumentKey(document.tenant, document.document_id)
