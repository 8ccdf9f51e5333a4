"""What indexes documents in memory, and documents and releases for it."""

from collections.abc import Mapping
from uuid import UUID, uuid5

from gyre_common.document_index import DocumentRecord
from gyre_common.events.documents import (
    DocumentChunked,
    DocumentIndexed,
    ForShadow,
)
from gyre_common.events.releases import ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_embedder.chunk_index import DocumentKey
from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.encoders import Encoders
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import Change, ShadowFiller

from tests.builders import (
    a_chunk,
    a_document_chunked,
    a_release,
    an_artifact,
)
from tests.fakes.embedder import HashEncoder, MemoryIndex, MemoryModels

NAMES = UUID("5b1a0000-0000-4000-8000-000000000000")
INDEX = "chunks-1"


def a_document(
    revision: int, *texts: str, document_id: str = "d", **fields: object
) -> DocumentChunked:
    chunks = tuple(
        a_chunk(chunk_id=uuid5(NAMES, f"{document_id}/{text}"), ordinal=ordinal, text=text)
        for ordinal, text in enumerate(texts)
    )
    return a_document_chunked(
        document_id=document_id, revision=revision, chunks=chunks, title="T", **fields
    )


def encoder_release(
    version: str = "e-1", index: str = INDEX, generation: int = 1
) -> ReleaseChanged:
    artifact = an_artifact(version, index=index)
    return a_release(
        Roles.DOCUMENT_ENCODER, live=version, artifacts=(artifact,), generation=generation
    )


class HandledUntil:
    """Implements `LiveGroup`: one that has handled what lies below an offset."""

    def __init__(self) -> None:
        self.offset = 0

    async def offsets(self) -> Mapping[int, int]:
        return {0: self.offset}


class Room:
    """An indexer with all that it needs, in memory."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.encoder = HashEncoder()
        self.releases = ReleaseView()
        self.models = MemoryModels({"e-1": self.encoder})
        self.encoders = Encoders(self.models, self.releases, most_bytes=100)
        self.live = HandledUntil()
        self.restart()

    def restart(self) -> None:
        """Another process: what the indexer had in memory is gone."""
        writer = ChunkWriter(self.index, self.encoders, Store("memory://"))
        self.indexer = Indexer(self.index, writer, self.releases)
        self.filler = ShadowFiller(self.index, writer, self.releases, self.live)

    async def release(self, change: ReleaseChanged) -> None:
        self.releases.apply(change)
        await self.encoders.hold()
        self.encoder.encoded_texts.clear()

    async def apply(self, *documents: DocumentChunked) -> list[int]:
        """How many events each document led to; the shadow's index comes after the live one."""
        counts = [len(events or ()) for events in await self.indexer.index(documents)]
        await self.fill(*documents)
        return counts

    async def fill(self, *documents: DocumentChunked) -> list[bool]:
        """The shadow's index alone; returns which are done."""
        changes = [Change(each, 0, number) for number, each in enumerate(documents)]
        unfinished = await self.filler.fill(changes)
        return [change not in unfinished for change in changes]

    async def indexed(self, document: DocumentChunked) -> DocumentIndexed:
        """What is told of a document."""
        (events,) = await self.indexer.index([document])
        assert events is not None
        (event,) = events
        return event

    def texts(self, index: str = INDEX) -> list[str]:
        stored = self.index.chunks.by_index[index].values()
        return [each.chunk.text for each in sorted(stored, key=lambda each: each.chunk.ordinal)]

    def record(self, document_id: str = "d") -> DocumentRecord:
        return self.index.records[DocumentKey("default", document_id)]


SHADOW = "chunks-2"
FOR_SHADOW = ForShadow(version="e-1-index-2", generation=2)


def with_shadow(
    generation: int = 2, live: str = "e-1", shadow: str = "e-1-index-2"
) -> ReleaseChanged:
    """The shadow has the same vectors in an index of its own."""
    first = an_artifact("e-1", index=INDEX)
    second = first.model_copy(update={"version": "e-1-index-2", "index": SHADOW, "fits": "e-1"})
    return a_release(
        Roles.DOCUMENT_ENCODER,
        live=live,
        shadow=shadow,
        artifacts=(first, second),
        generation=generation,
    )
