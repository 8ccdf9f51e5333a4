"""Documents of one batch are written group by group, while the next group is encoded."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest
from gyre_embedder import chunk_writer
from gyre_embedder.chunk_index import EncodedChunk

from tests.unit.embedder.indexing import Room, a_document


async def test_the_next_documents_are_encoded_while_the_first_are_written(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_writer, "_GROUP", 2)
    write, encoded_before = room.index.write, list[int]()

    async def write_slowly(
        index: str, chunks: Sequence[EncodedChunk], removals: Mapping[UUID, int]
    ) -> None:
        async with asyncio.timeout(10):
            while len(room.encoder.encoded_texts) < min(6, 2 * len(encoded_before) + 4):
                await asyncio.sleep(0)
        encoded_before.append(len(room.encoder.encoded_texts))
        await write(index, chunks, removals)

    monkeypatch.setattr(room.index, "write", write_slowly)
    documents = [a_document(1, *texts, document_id=texts) for texts in ("ab", "cd", "ef")]
    await room.indexer.index(documents)
    assert encoded_before == [4, 6, 6]
    assert sorted(room.texts()) == [*"abcdef"]
