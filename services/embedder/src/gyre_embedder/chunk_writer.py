"""Brings the chunks of documents into an index, as far as a turn's time goes."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Poison, Retryable
from gyre_common.events.documents import Chunk, DocumentChunked
from gyre_common.passages import encoder_input
from gyre_common.store import DamagedContentError, Store
from pydantic import TypeAdapter, ValidationError

from gyre_embedder.at_once import at_once
from gyre_embedder.chunk_index import (
    ChunkIndex,
    DocumentKey,
    EncodedAhead,
    EncodedChunk,
    Head,
    StoredChunks,
)
from gyre_embedder.encoders import Encoder, Encoders, Side, Vector
from gyre_embedder.targets import Target, key_of

_LONGEST_TURN = 5.0  # seconds of encoding
_PIECE = 16  # chunks that one call of the encoder takes: less than a second of work
_PIECES_AT_ONCE = 2  # so that none of its threads stands idle between two
_GROUP = 64  # missing chunks of the documents that are written together, beside the next ones
_MOST_CHUNKS = 10_000  # in memory at once, or those of one document

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


@dataclass(frozen=True)
class Written:
    """The documents that are in the index now, those that need another turn, and the chunks that
    had to be encoded for it.
    """

    works: Sequence[Work] = ()
    unfinished: frozenset[DocumentKey] = frozenset()
    encoded: frozenset[UUID] = frozenset()


def end_of_turn() -> float:
    """When, by the monotonic clock, a turn that begins now is over: what is left waits for its next
    one.
    """
    return monotonic() + _LONGEST_TURN


class ChunkWriter:
    """Encodes what the index does not hold. A document is searchable once it is encoded whole; what
    was encoded before that is laid by in the index, where no search sees it and any process that
    has the document next goes on from there.
    """

    def __init__(self, index: ChunkIndex, encoders: Encoders, store: Store) -> None:
        self._index = index
        self._encoders = encoders
        self._store = store

    async def prepare(self, target: Target) -> None:
        """Make the index ready.

        Raises:
            FailedPrecondition: it exists with another mapping, or the encoder is not here.
            Retryable: the engine is not there now.
        """
        async with self._encoders.use(Side.DOCUMENT, target.encoder_version) as encoder:
            dimensions = encoder.dimensions
        await self._index.prepare(target.index, dimensions)

    async def works(
        self, documents: Iterable[DocumentChunked], heads: Mapping[DocumentKey, Head]
    ) -> tuple[list[Work], frozenset[DocumentKey]]:
        """As many of the documents as memory should hold, and which these are not.

        Raises:
            Retryable: the store is not there now.
            Poison: a document's chunks cannot be read.
        """
        works, rest, count = [], set(), 0
        for document in documents:
            key = key_of(document)
            if count > _MOST_CHUNKS:
                rest.add(key)
                continue
            works.append(Work(document, await self._chunks(document), heads.get(key)))
            count += len(works[-1].chunks)
        return works, frozenset(rest)

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
        self,
        target: Target,
        works: Sequence[Work],
        until: float,
        *,
        also_in: Target | None = None,
    ) -> Written:
        """Bring the documents' chunks into the index, and take others of theirs out. After `until`,
        of the monotonic clock, no more is encoded. `also_in` is another index that may hold them.

        Raises:
            Retryable: the engine, the encoder or an index of use is not there now.
            Poison: the index refuses a document.
        """
        if not works:
            return Written()
        try:
            async with self._encoders.use(Side.DOCUMENT, target.encoder_version) as encoder:
                await self._index.prepare(target.index, encoder.dimensions)
                stored = await self._index.stored_chunks(target.index, [work.key for work in works])
                new = await self._copies(target, _missing(works, stored), also_in)
                return await self._encode_and_put(encoder, target, works, stored, new, until)
        except FailedPrecondition as error:
            # Documents wait for an encoder, or an index, of use; somebody may still roll back.
            raise Retryable(str(error)) from error

    async def _encode_and_put(
        self,
        encoder: Encoder,
        target: Target,
        works: Sequence[Work],
        stored: Mapping[DocumentKey, StoredChunks],
        copies: Mapping[UUID, Vector],
        until: float,
    ) -> Written:
        """Documents that miss little go first; while some are written, the next are encoded."""
        missing = {work.key: _missing([work], stored, copies) for work in works}
        groups = iter(_groups(sorted(works, key=lambda work: len(missing[work.key])), missing))
        encoding, turn = asyncio.Lock(), _Turn(until)
        all_written: list[Written] = []

        async def encode_and_put() -> None:
            for group in groups:
                async with encoding:
                    texts = {k: v for work in group for k, v in missing[work.key].items()}
                    encoded = await _encode(encoder, texts, turn)
                new = {**copies, **encoded}
                all_written.append(await self._put(target, group, stored, new, frozenset(encoded)))

        await at_once(2, encode_and_put)
        return Written(
            [work for written in all_written for work in written.works],
            frozenset().union(*(written.unfinished for written in all_written)),
            frozenset().union(*(written.encoded for written in all_written)),
        )

    async def _copies(
        self, target: Target, missing: Iterable[UUID], also_in: Target | None
    ) -> dict[UUID, Vector]:
        """A chunk's id covers all that the encoder reads of it, so a known id has a known vector,
        whichever index has it.
        """
        if also_in is None or also_in.vectors != target.vectors:
            return {}
        return dict(await self._index.vectors(also_in.index, list(missing)))

    async def _put(
        self,
        target: Target,
        works: Sequence[Work],
        stored: Mapping[DocumentKey, StoredChunks],
        new: Mapping[UUID, Vector],
        encoded: frozenset[UUID],
    ) -> Written:
        incomplete = {work.key for work in works if _missing([work], stored, new)}
        whole = [work for work in works if work.key not in incomplete]
        known = [chunk.chunk_id for work in whole for chunk in work.chunks]
        known = [chunk_id for chunk_id in known if chunk_id not in new]
        vectors = {**await self._index.vectors(target.index, known), **new}
        if any(chunk_id not in vectors for chunk_id in known):
            raise Retryable(f"chunks of {target.index} are being removed by others")
        put: list[EncodedChunk] = []
        removals: dict[UUID, int] = {}
        for work in whole:
            document = dict(work.document)
            removals |= dict.fromkeys(stored[work.key].all, work.document.revision)
            for chunk in work.chunks:
                indexed = IndexedChunk.model_validate({**document, **dict(chunk)})
                put.append(EncodedChunk(indexed, vectors[chunk.chunk_id]))
                removals.pop(chunk.chunk_id, None)
        await self._index.write(target.index, put, removals)
        await self._index.lay_by(
            target.index,
            [
                EncodedAhead(work.key, chunk.chunk_id, work.document.revision, new[chunk.chunk_id])
                for work in works
                if work.key in incomplete
                for chunk in work.chunks
                if chunk.chunk_id in new
            ],
        )
        laid_by = {chunk_id for work in whole for chunk_id in stored[work.key].ahead}
        return Written(whole, frozenset(incomplete), encoded | laid_by)


def _missing(
    works: Iterable[Work],
    stored: Mapping[DocumentKey, StoredChunks],
    new: Mapping[UUID, Vector] = {},
) -> dict[UUID, str]:
    """What the encoder reads of the chunks that are neither in the index nor new, by their ids."""
    return {
        chunk.chunk_id: encoder_input(work.document.title, chunk.heading_path, chunk.text)
        for work in works
        for chunk in work.chunks
        if chunk.chunk_id not in new and chunk.chunk_id not in stored[work.key].all
    }


def _groups(
    works: Iterable[Work], missing: Mapping[DocumentKey, Mapping[UUID, str]]
) -> Iterator[list[Work]]:
    """Documents in their order, so many at once that some seconds are not encoded in one go."""
    group: list[Work] = []
    size = 0
    for work in works:
        if group and size + len(missing[work.key]) > _GROUP:
            yield group
            group, size = [], 0
        group.append(work)
        size += len(missing[work.key])
    if group:
        yield group


class _Turn:
    """Lets pieces begin until its time is over, and the first one in any case."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._begun = False

    def next_may_begin(self) -> bool:
        """Whether one more may; the answer counts as its beginning."""
        may = not self._begun or monotonic() <= self._until
        self._begun = True
        return may


async def _encode(encoder: Encoder, texts: Mapping[UUID, str], turn: _Turn) -> dict[UUID, Vector]:
    """Vectors of as many of the texts, in their order, as the turn has time for."""
    order = list(texts)
    vectors: dict[UUID, Vector] = {}
    pieces = iter([order[first : first + _PIECE] for first in range(0, len(order), _PIECE)])

    async def encode_pieces() -> None:
        for piece in pieces:
            if not turn.next_may_begin():
                return
            encoded = await encoder.encode([texts[each] for each in piece], Side.DOCUMENT)
            vectors.update(zip(piece, (each.vector for each in encoded), strict=True))

    await at_once(_PIECES_AT_ONCE, encode_pieces)
    return vectors
