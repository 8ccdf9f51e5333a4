"""Documents that take longer to encode than a turn is."""

import pytest
from gyre_common.document_index import DocumentState
from gyre_common.events.documents import (
    DocumentChunked,
)
from gyre_embedder import chunk_writer

from tests.unit.embedder.indexing import FOR_SHADOW, INDEX, SHADOW, Room, a_document, with_shadow


async def turns_of(room: Room, *documents: DocumentChunked) -> int:
    """Gives unfinished documents again until there is none; returns how often it was."""
    left, turns = list(documents), 0
    while left:
        outcomes = zip(left, await room.indexer.index(left), strict=True)
        left, turns = [document for document, events in outcomes if events is None], turns + 1
    return turns


@pytest.mark.usefixtures("short_turns")
async def test_a_document_that_takes_long_goes_on_where_it_was_after_a_kill(room: Room) -> None:
    document = a_document(1, *"abcdefg")
    for _ in range(2):
        assert await room.indexer.index([document]) == [None]
        room.restart()
    assert room.texts() == [], "half of it is searchable"
    assert room.index.records == {}
    assert await turns_of(room, document) == 2
    assert len(room.encoder.encoded_texts) == len(room.texts()) == 7
    assert room.record().encoded_count == 7
    assert room.index.ahead[INDEX] == {}


@pytest.mark.usefixtures("short_turns")
async def test_small_documents_do_not_wait_for_the_large_one_beside_them(room: Room) -> None:
    large = a_document(1, *"abcdefg", document_id="large")
    outcome = await room.indexer.index([large, a_document(1, "x"), a_document(2, deleted=True)])
    assert [events is None for events in outcome] == [True, False, False]
    assert room.record().state is DocumentState.DELETED


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("later", [("g", "new"), ()])
async def test_what_was_encoded_of_an_overtaken_revision_is_used_or_goes(
    room: Room, later: tuple[str, ...]
) -> None:
    old = a_document(1, *"gfedcba")
    assert await room.indexer.index([old]) == [None]
    assert await turns_of(room, a_document(2, *later, deleted=not later)) == 1
    assert await room.indexer.index([old]) == [[]]
    assert room.texts() == [*later]
    assert room.index.ahead[INDEX] == {}
    assert len(room.encoder.encoded_texts) == (3 if later else 2)


@pytest.mark.usefixtures("short_turns")
async def test_a_shadows_index_gets_a_long_document_by_turns_as_well(room: Room) -> None:
    await turns_of(room, a_document(1, "one"))
    await room.release(with_shadow())
    cut_anew = a_document(1, *"abcde", rebuild=FOR_SHADOW)
    assert [await room.fill(cut_anew) for _ in range(3)] == [[False], [False], [True]]
    assert room.texts(SHADOW) == [*"abcde"]
    assert room.texts() == ["one"]
    assert len(room.encoder.encoded_texts) == 5


async def test_no_more_is_held_in_memory_than_a_batch_needs(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk_writer, "_MOST_CHUNKS", 3)
    documents = [a_document(1, *"abc", document_id=f"d{number}") for number in range(3)]
    outcome = await room.indexer.index(documents)
    assert [events is None for events in outcome] == [False, False, True]
    assert await turns_of(room, *documents) == 1
