from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from gyre_common.events.documents import (
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_REJECTED,
    Chunk,
    DocumentChunked,
    DocumentIndexed,
)
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_embedder import chunk_writer
from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.encoders import Encoders
from gyre_embedder.handlers import build_handlers
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import ShadowFiller
from pydantic import TypeAdapter

from tests.builders import (
    a_chunk,
    a_document_chunked,
    a_document_rejected,
    a_release,
    an_artifact,
)
from tests.fakes.bus import MemoryBus
from tests.fakes.embedder import MemoryIndex, MemoryModels


class NobodyWaits:
    """Implements `LiveGroup`."""

    async def offsets(self) -> Mapping[int, int]:
        return {}


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[MemoryBus]:
    releases, bus = ReleaseView(), MemoryBus()
    artifact = an_artifact("e-1", index="chunks-1")
    releases.apply(a_release(Roles.DOCUMENT_ENCODER, live="e-1", artifacts=(artifact,)))
    store = Store(f"file://{tmp_path}")
    async with Encoders(MemoryModels(), releases, most_bytes=100) as encoders:
        index = MemoryIndex()
        writer = ChunkWriter(index, encoders, store)
        filler = ShadowFiller(index, writer, releases, NobodyWaits())
        build_handlers(bus, Indexer(index, writer, releases), filler)
        yield bus


def published_events(bus: MemoryBus) -> list[DocumentIndexed]:
    events = [event for topic, event in bus.published if topic is DOCUMENT_INDEXED]
    return [event for event in events if isinstance(event, DocumentIndexed)]


async def test_each_document_is_told_of_once_with_an_id_that_a_replay_repeats(
    bus: MemoryBus,
) -> None:
    documents = [a_document_chunked(document_id=name, chunks=()) for name in "abc"]
    await bus.deliver(DOCUMENT_CHUNKED, *documents)
    assert sorted(event.document_id for event in published_events(bus)) == ["a", "b", "c"]


async def test_a_rejection_tells_nothing_more(bus: MemoryBus) -> None:
    await bus.deliver(DOCUMENT_REJECTED, a_document_rejected())
    assert published_events(bus) == []
    assert bus.parked == []


async def test_chunks_that_travel_by_reference_are_read_from_the_store(
    bus: MemoryBus, tmp_path: Path
) -> None:
    document: DocumentChunked = a_document_chunked()
    data = TypeAdapter(tuple[Chunk, ...]).dump_json(document.chunks)
    ref = await Store(f"file://{tmp_path}").put(data)
    by_reference = document.model_copy(
        update={"chunks": (), "chunks_ref": ref.uri, "chunks_digest": ref.digest}
    )
    await bus.deliver(DOCUMENT_CHUNKED, by_reference)
    assert [event.chunk_count for event in published_events(bus)] == [1]


async def test_a_document_that_takes_several_turns_is_told_of_once_and_after_others(
    bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_writer, "_PIECE", 1)
    monkeypatch.setattr(chunk_writer, "_LONGEST_TURN", 0.0)
    chunks = tuple(a_chunk(chunk_id=uuid4(), ordinal=at) for at in range(5))
    large = a_document_chunked(document_id="large", chunks=chunks)
    small = [a_document_chunked(document_id=name, chunks=()) for name in "ab"]
    await bus.deliver(DOCUMENT_CHUNKED, large, *small)
    announced = [(event.document_id, event.chunk_count) for event in published_events(bus)]
    assert sorted(announced[:2]) == [("a", 0), ("b", 0)]
    assert announced[2:] == [("large", 5)]
    assert bus.parked == []


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "http://127.0.0.1/secret"])
async def test_a_reference_out_of_the_store_is_parked_alone(bus: MemoryBus, uri: str) -> None:
    bad = a_document_chunked(document_id="bad", chunks_ref=uri, chunks_digest="sha256:" + "0" * 64)
    await bus.deliver(DOCUMENT_CHUNKED, bad, a_document_chunked(document_id="good"))
    assert [event.document_id for event in published_events(bus)] == ["good"]
    assert len(bus.parked) == 1
