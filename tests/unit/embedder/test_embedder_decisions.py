"""What is held, released and taken back, in the live index and in the shadow's."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from gyre_common.document_index import DocumentState
from gyre_common.events.documents import (
    QuarantineVerdict,
)
from gyre_common.telemetry import METRICS
from gyre_embedder import shadow
from gyre_embedder.chunk_index import DocumentKey

from tests.builders import (
    MORNING,
    a_screening,
)
from tests.unit.embedder.indexing import (
    FOR_SHADOW,
    INDEX,
    SHADOW,
    Room,
    a_document,
    with_shadow,
)

HELD = a_document(2, screening=a_screening(), chunked_at=MORNING)
RELEASED = a_document(
    2,
    *"abc",
    screening=a_screening(held=False, verdict=QuarantineVerdict.RELEASED),
    chunked_at=MORNING + timedelta(hours=1),
)
CONFIRMED = a_document(
    2,
    screening=a_screening(verdict=QuarantineVerdict.CONFIRMED),
    chunked_at=MORNING + timedelta(hours=2),
)


async def test_what_was_released_before_the_shadow_saw_it_held_stays_in_both(room: Room) -> None:
    await room.release(with_shadow())
    await room.indexer.index([HELD])
    await room.indexer.index([RELEASED])
    await room.fill(HELD)
    await room.fill(RELEASED)
    assert sorted(room.texts()) == sorted(room.texts(SHADOW)) == [*"abc"]


async def test_what_is_released_while_the_shadow_takes_out_older_passages_stays(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.release(with_shadow())
    await room.indexer.index([HELD])
    stored_chunks = room.index.stored_chunks

    async def released_meanwhile(index: str, keys: Sequence[DocumentKey]) -> Any:
        if index == INDEX:
            monkeypatch.undo()
            await room.indexer.index([RELEASED])
        return await stored_chunks(index, keys)

    monkeypatch.setattr(room.index, "stored_chunks", released_meanwhile)
    await room.fill(HELD)
    assert sorted(room.texts()) == [*"abc"]


@pytest.mark.usefixtures("short_turns")
async def test_a_release_that_takes_turns_ends_where_it_was_taken_back(room: Room) -> None:
    await room.apply(HELD)
    assert await room.indexer.index([RELEASED]) == [None]
    await room.apply(CONFIRMED)
    assert await room.indexer.index([RELEASED]) == [[]]
    assert room.texts() == []
    assert room.record().state is DocumentState.QUARANTINED


async def test_what_is_taken_back_leaves_the_shadow_behind_the_live_index(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "_SOON", (0.0,))
    await room.release(with_shadow())
    await room.apply(HELD, RELEASED)
    assert await room.fill(CONFIRMED) == [False], "the live index has it still"
    await room.indexer.index([CONFIRMED])
    assert await room.fill(CONFIRMED) == [True]
    assert room.texts() == room.texts(SHADOW) == []


async def test_what_is_held_does_not_come_in_by_a_rebuild_that_did_not_know(room: Room) -> None:
    await room.apply(HELD)
    await room.release(with_shadow())
    await room.apply(a_document(2, "two", rebuild=FOR_SHADOW))
    assert room.texts(SHADOW) == []
    assert room.record().state is DocumentState.QUARANTINED
    assert room.record().bands == ()


async def test_a_release_is_told_of_once_and_is_no_freshness(room: Room) -> None:
    marked = a_document(2, "two", screening=a_screening(held=False), chunked_at=MORNING)
    seen = a_document(2, "two", screening=None, chunked_at=MORNING + timedelta(hours=1))
    count = freshness_count()
    assert await room.apply(marked) == [1]
    assert await room.apply(seen) == [0]
    assert await room.apply(a_document(3, screening=a_screening())) == [0]
    assert await room.apply(a_document(3, "three", screening=a_screening(held=False))) == [1]
    assert freshness_count() == count + 1


def freshness_count() -> float:
    return METRICS.registry.get_sample_value("gyre_document_freshness_seconds_count") or 0.0
