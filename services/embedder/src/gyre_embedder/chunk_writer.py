"""Brings the chunks of documents into an index, and encodes what no index holds yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Poison, Retryable
from gyre_common.events.documents import Chunk, DocumentChunked
from gyre_common.passages import encoder_input
from gyre_common.store import DamagedContentError, Store
from pydantic import TypeAdapter, ValidationError

from gyre_embedder.chunk_index import ChunkIndex, DocumentKey, EncodedChunk, Head
from gyre_embedder.encoders import Encoder, Encoders, Side, Vector
from gyre_embedder.targets import Target, key_of

_PIECE = 512  # chunks that one call of the encoder takes: some ten seconds of work

_MOST_UNWRITTEN = 100_000  # vectors: what documents that never got there leave behind

_CHUNKS = TypeAdapter(tuple[Chunk, ...])


@dataclass(frozen=True)
class Work:
    """A document to be brought into an index, and its head record as it was read."""

    document: DocumentChunked
    chunks: Sequence[Chunk]
    before: Head | None

    @property
    def key(self) -> DocumentKey:
        """The document's identity."""
        return key_of(self.document)


class ChunkWriter:
    """Writes chunks, and makes them searchable. Writing them again changes nothing."""

    def __init__(self, index: ChunkIndex, encoders: Encoders, store: Store) -> None:
        self._index = index
        self._encoders = encoders
        self._store = store
        self._unwritten: dict[tuple[str, UUID], Vector] = {}

    async def prepare(self, target: Target) -> None:
        """Make the index ready.

        Raises:
            FailedPrecondition: it exists with another mapping, or the encoder is not here.
            Retryable: the engine is not there now.
        """
        async with self._encoders.use(Side.DOCUMENT, target.encoder_version) as encoder:
            dimensions = encoder.dimensions
        await self._index.prepare(target.index, dimensions)

    async def work(self, document: DocumentChunked, before: Head | None) -> Work:
        """What is to be done for a document.

        Raises:
            Retryable: the store is not there now.
            Poison: the document's chunks cannot be read.
        """
        return Work(document, await self._chunks(document), before)

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

    async def write(
        self, target: Target, works: Sequence[Work], *, also_in: Target | None = None
    ) -> frozenset[UUID]:
        """Bring the documents' chunks into the index, and take others of theirs out; returns those
        that were encoded for it. `also_in` is another index that may hold them.

        Raises:
            Retryable: an engine or the encoder is not there now.
            Poison: the index refuses a document.
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
        works: Sequence[Work],
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
