from collections.abc import AsyncIterator

import pytest
from gyre_embedder import chunk_writer

from tests.unit.embedder.indexing import Room, encoder_release


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    async with room.encoders:
        await room.release(encoder_release())
        yield room


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn encodes two chunks."""
    monkeypatch.setattr(chunk_writer, "_PIECE", 2)
    monkeypatch.setattr(chunk_writer, "_LONGEST_TURN", 0.0)
