"""The port to the search index, as the embedder writes it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_common.document_index import DocumentRecord

from gyre_embedder.encoders import Vector


class DocumentKey(NamedTuple):
    """A document's identity."""

    tenant: str
    document_id: str


class Head(NamedTuple):
    """A document's head record.

    `seal` says where it stood when it was read (sequence number and primary term): it is written
    only if it still stands there. Without a seal it must not exist yet.
    """

    record: DocumentRecord
    seal: tuple[int, int] | None = None

    @property
    def key(self) -> DocumentKey:
        """The document's identity."""
        return DocumentKey(self.record.tenant, self.record.document_id)


class EncodedChunk(NamedTuple):
    """A chunk and its vector, to be put into the index."""

    chunk: IndexedChunk
    vector: Vector


class EncodedAhead(NamedTuple):
    """The vector of a chunk whose document is not encoded whole yet."""

    document: DocumentKey
    chunk_id: UUID
    revision: int
    vector: Vector


class StoredChunks(NamedTuple):
    """The ids of a document's chunks: those that a search may give, and those encoded ahead."""

    searchable: frozenset[UUID] = frozenset()
    ahead: frozenset[UUID] = frozenset()

    @property
    def all(self) -> frozenset[UUID]:
        """Every chunk whose vector is there."""
        return self.searchable | self.ahead


class ChunkIndex(Protocol):
    """Chunk indexes, and the head record of every document.

    Raises, from every method: Retryable when the engine is down or busy, Poison when it refuses
    what it was given.
    """

    async def prepare(self, index: str, dimensions: int) -> None:
        """Create what is missing; raises FailedPrecondition when it exists and does not fit."""

    async def heads(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, Head]:
        """The head records that exist, as of now."""

    async def put_heads(self, heads: Sequence[Head]) -> set[DocumentKey]:
        """Write head records; returns those that somebody else wrote first, which are unchanged."""

    async def stored_chunks(
        self, index: str, keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, StoredChunks]:
        """All chunks of these documents, those of writes just now included."""

    async def vectors(self, index: str, chunk_ids: Sequence[UUID]) -> Mapping[UUID, Vector]:
        """The vectors of the chunks that exist, those encoded ahead included."""

    async def lay_by(self, index: str, chunks: Sequence[EncodedAhead]) -> None:
        """Keep vectors where no search sees them until their chunks are put or removed."""

    async def write(
        self, index: str, chunks: Sequence[EncodedChunk], removals: Mapping[UUID, int]
    ) -> None:
        """Put chunks, remove those of `removals`, and make that searchable.

        A removal names the revision since which the chunk is gone. A chunk of a higher revision
        than the given one stays as it is.
        """
