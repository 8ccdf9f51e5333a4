"""A shelf keeps content under names: the first word on a name stays until it is let go."""

import asyncio
import os
from pathlib import Path

import pytest
from gyre_common.errors import InvalidInput, NotFound, Retryable
from gyre_common.store import Shelf

from tests.unit.failing_disk import NEW_FILE, REFUSALS, WRITTEN, failing

NAME = "feedback.received.v1/0/000000000000-000000000009.parquet"


@pytest.fixture
def shelf(store_url: str) -> Shelf:
    return Shelf(store_url, "segments")


async def test_what_is_put_can_be_read_back_and_listed(shelf: Shelf) -> None:
    await shelf.put(NAME, b"ten votes")
    await shelf.put("other/1", b"")
    assert await shelf.get(NAME) == b"ten votes"
    assert await shelf.names() == [NAME, "other/1"]
    assert await shelf.names("feedback.received.v1/0") == [NAME]


async def test_a_taken_name_keeps_what_it_has(shelf: Shelf) -> None:
    await shelf.put(NAME, b"first")
    await shelf.put(NAME, b"later, and longer")
    assert await shelf.get(NAME) == b"first"
    assert await shelf.names() == [NAME]


async def test_of_many_that_put_at_once_one_wins_whole(shelf: Shelf) -> None:
    contents = [bytes([number]) * 100_000 for number in range(8)]
    await asyncio.gather(*(shelf.put(NAME, content) for content in contents))
    assert await shelf.get(NAME) in contents
    assert await shelf.names() == [NAME]


async def test_a_name_that_was_let_go_can_be_taken_again(shelf: Shelf) -> None:
    await shelf.put(NAME, b"first")
    await shelf.delete(NAME)
    await shelf.delete(NAME)
    with pytest.raises(NotFound):
        await shelf.get(NAME)
    await shelf.put(NAME, b"second")
    assert await shelf.get(NAME) == b"second"


async def test_an_empty_shelf_has_no_names(shelf: Shelf) -> None:
    assert await shelf.names() == []
    assert await shelf.names("anything") == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", "*", ".x"])
async def test_a_name_that_leaves_the_shelf_is_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be kept"):
        await shelf.put(name, b"x")


async def test_a_put_cut_short_by_a_crash_is_not_listed(tmp_path: Path) -> None:
    shelf = Shelf(f"file://{tmp_path}", "segments")
    await shelf.put(NAME, b"whole")
    (tmp_path / "segments" / NAME).with_name(".put-abc123").write_bytes(b"ha")
    assert await shelf.names() == [NAME]


@pytest.mark.parametrize("number", REFUSALS)
async def test_a_full_or_read_only_store_can_be_tried_again(tmp_path: Path, number: int) -> None:
    shelf = Shelf(f"file://{tmp_path}", "segments")
    with failing(NEW_FILE, number), pytest.raises(Retryable, match=os.strerror(number)):
        await shelf.put(NAME, b"x")
    await shelf.put(NAME, b"x")
    assert await shelf.get(NAME) == b"x"


async def test_a_put_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with failing(WRITTEN), pytest.raises(Retryable):
        await Shelf(f"file://{tmp_path}", "segments").put(NAME, b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
