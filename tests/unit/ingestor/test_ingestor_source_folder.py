"""A folder as a source: which files are documents, and what it does not follow."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.events.sources import SYNC_REQUESTED, SyncReason
from gyre_ingestor.sources.book import new_source
from gyre_ingestor.sources.folder import FolderSource
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Problem,
    SourceUnreachable,
)
from gyre_ingestor.sources.watching import FolderWatch

from tests.eventually import eventually

from .conftest import World


def opened(world: World, path: Path | None = None, **settings: str) -> FolderSource:
    described = {"path": str(path or world.allowed), **settings}
    source = new_source("acme", {"name": "docs", "kind": "folder", "settings": described})
    folder = world.opener.open(source)
    assert isinstance(folder, FolderSource)
    return folder


async def listed(folder: FolderSource) -> tuple[dict[str, Item], Sequence[Problem]]:
    each = [one async for one in folder.items({}, Cursor())]
    items = {one.name: one for one in each if isinstance(one, Item)}
    return items, [one for one in each if isinstance(one, Problem)]


async def read(item: Item) -> bytes:
    return b"".join([piece async for piece in item.read()])


def write(world: World, name: str, content: bytes = b"Tea.") -> Path:
    path = world.allowed / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def test_files_are_documents_by_the_rules_of_submit(world: World) -> None:
    for name in ("a.md", "deep/er/b.PDF", "README", ".hidden.md", ".git/c.md", "d.png", "e.exe"):
        write(world, name)
    write(world, "binary", b"\0\1\2")
    items, problems = await listed(opened(world, source_uri="https://example.com/docs/"))
    assert sorted(items) == ["README", "a.md", "deep/er/b.PDF"]
    assert problems == []
    assert items["deep/er/b.PDF"].media_type == "application/pdf"
    assert items["a.md"].source_uri == "https://example.com/docs/a.md"
    assert await read(items["a.md"]) == b"Tea."
    only, _ = await listed(opened(world, include="*.md, *.txt"))
    assert sorted(only) == ["a.md"]


async def test_a_fingerprint_changes_with_the_file_and_not_without(world: World) -> None:
    path = write(world, "a.md")
    before = (await listed(opened(world)))[0]["a.md"].fingerprint
    assert (await listed(opened(world)))[0]["a.md"].fingerprint == before
    path.write_bytes(b"Ice.")
    assert (await listed(opened(world)))[0]["a.md"].fingerprint != before


async def test_links_are_told_and_not_followed(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("Secret.")
    (world.allowed / "file.md").symlink_to(outside / "secret.md")
    (world.allowed / "folder").symlink_to(outside)
    items, problems = await listed(opened(world))
    assert items == {}
    assert {each.name for each in problems} == {"file.md", "folder"}
    assert all("symbolic link" in each.detail for each in problems)


async def test_a_folder_that_becomes_a_link_between_look_and_read_leads_nowhere(
    world: World, tmp_path: Path
) -> None:
    write(world, "sub/a.md")
    items, _ = await listed(opened(world))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.md").write_text("Secret.")
    (world.allowed / "sub").rename(tmp_path / "moved")
    (world.allowed / "sub").symlink_to(outside)
    with pytest.raises(ItemUnreadable, match="symbolic link"):
        await read(items["sub/a.md"])


async def test_a_file_that_changes_while_it_is_read_waits_for_the_next_sync(
    world: World,
) -> None:
    path = write(world, "a.md", b"Tea. " * 200_000)
    items, _ = await listed(opened(world))

    async def read_and_change() -> None:
        async for _ in items["a.md"].read():
            path.write_bytes(b"Ice. " * 200_000)

    with pytest.raises(ItemUnreadable, match="changed while it was read"):
        await read_and_change()


async def test_a_file_that_goes_between_look_and_read_is_told(world: World) -> None:
    path = write(world, "a.md")
    items, _ = await listed(opened(world))
    path.unlink()
    with pytest.raises(ItemUnreadable, match="No such file"):
        await read(items["a.md"])


async def test_a_pipe_is_no_document(world: World) -> None:
    os.mkfifo(world.allowed / "pipe.md")
    assert await listed(opened(world)) == ({}, [])


async def test_a_folder_that_is_not_there_is_no_empty_one(world: World) -> None:
    with pytest.raises(SourceUnreachable, match="No such file"):
        await listed(opened(world, world.allowed / "nowhere"))


@pytest.mark.parametrize("path", ["/etc", "{allowed}/../other", "docs", "{allowed}x"])
def test_a_folder_outside_the_allowed_roots_is_refused(world: World, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        opened(world, Path(path.format(allowed=world.allowed)))
    assert caught.value.field == "path"


async def test_a_root_that_is_reached_through_a_link_is_told(world: World, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (world.allowed / "link").symlink_to(tmp_path / "real")
    with pytest.raises(SourceUnreachable, match="symbolic link"):
        await listed(opened(world, world.allowed / "link"))


async def test_a_change_in_a_watched_folder_asks_for_a_sync(world: World) -> None:
    described: dict[str, Any] = {"name": "docs", "kind": "folder"}
    settings = {"path": str(world.allowed)}
    await world.book.put(new_source("acme", {**described, "settings": settings}))
    watching = asyncio.create_task(FolderWatch(world.view, world.opener, world.bus).run())

    def watched() -> int:
        requests = world.events(SYNC_REQUESTED)
        return sum(each.reason is SyncReason.WATCHED for each in requests)

    try:
        await eventually(lambda: watched() == 1)  # what changed while nobody watched
        number = 0

        async def heard_of_a_change() -> bool:
            nonlocal number
            number += 1
            write(world, f"{number}.md")
            return watched() > 1

        await eventually(heard_of_a_change, every=0.3)
        await world.book.pause("acme", "docs", paused=True, actor="ann")
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
