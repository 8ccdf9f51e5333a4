"""A git repository as a source: over HTTP, and in a folder of this machine."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.events.documents import DOCUMENT_SUBMITTED
from gyre_ingestor.sources import confined
from gyre_ingestor.sources.book import new_source
from gyre_ingestor.sources.source import SourceUnreachable
from gyre_ingestor.sources.state import SyncOutcome, SyncRun

from tests.fakes.git_server import Repository, a_repository, served

from .conftest import World

TENANT = "acme"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = a_repository(tmp_path / "remote")
    repository.commit(a_md="Tea is hot.", docs__b_md="Ice is cold.", photo_png="no text")
    return repository


@pytest.fixture
def url(repository: Repository) -> Iterator[str]:
    with served(repository) as url:
        yield url


async def put(world: World, **settings: str) -> SyncRun:
    source: dict[str, Any] = {"name": "tea", "kind": "git", "settings": settings}
    await world.book.put(new_source(TENANT, source))
    await world.bus.settled()
    (standing,) = await world.book.list(TENANT)
    assert standing.progress.last is not None
    return standing.progress.last


def submitted(world: World) -> set[tuple[str, bool]]:
    events = world.events(DOCUMENT_SUBMITTED)
    world.bus.published = [each for each in world.bus.published if each[0] != DOCUMENT_SUBMITTED]
    return {(event.document_id.removeprefix("tea/"), event.deleted) for event in events}


async def test_the_files_of_a_branch_are_mirrored_commit_by_commit(
    world: World, repository: Repository, url: str
) -> None:
    run = await put(world, url=url, source_uri="https://example.com/tea/blob/main")
    assert (run.outcome, run.error) == (SyncOutcome.SUCCEEDED, "")
    (tea,) = (e for e in world.events(DOCUMENT_SUBMITTED) if e.document_id == "tea/a.md")
    assert tea.source_uri == "https://example.com/tea/blob/main/a.md"
    assert submitted(world) == {("a.md", False), ("docs/b.md", False)}
    for text in ("Tea is warm.", "Tea is cold."):
        repository.commit(a_md=text)
    repository.commit(docs__b_md=None, c_md="Milk.")
    await put(world, url=url)
    assert submitted(world) == {("a.md", False), ("c.md", False), ("docs/b.md", True)}
    assert (await put(world, url=url)).counts.unchanged == 2
    assert submitted(world) == set()


async def test_a_branch_and_a_folder_can_be_named(
    world: World, repository: Repository, url: str
) -> None:
    repository.git("checkout", "-b", "draft")
    repository.commit(docs__d_md="A draft.")
    repository.git("checkout", "main")
    await put(world, url=url, branch="draft", path="docs/")
    assert submitted(world) == {("b.md", False), ("d.md", False)}
    assert (
        "no branch nowhere: it has draft, main"
        in (await put(world, url=url, branch="nowhere")).error
    )
    assert "no folder nowhere" in (await put(world, url=url, path="nowhere")).error
    assert submitted(world) == set()


async def test_history_is_not_fetched(world: World, repository: Repository, url: str) -> None:
    repository.commit(old_md="x" * 50_000)
    repository.commit(old_md=None)
    await put(world, url=url)
    cache = world.opener.surroundings.cache
    packs = sum(path.stat().st_size for path in cache.rglob("*.pack"))
    assert 0 < packs < 5_000


async def test_a_repository_of_this_machine_is_read_where_it_is(
    world: World,
) -> None:
    repository = a_repository(world.allowed / "tea")
    repository.commit(a_md="Tea.")
    (repository.folder / "link.md").symlink_to("/etc/passwd")
    repository.commit()
    run = await put(world, url=str(repository.folder))
    assert submitted(world) == {("a.md", False)}
    assert [each.name for each in run.problems] == ["link.md"]
    (repository.folder / ".git/objects/info/alternates").write_text("/elsewhere\n")
    assert "borrows objects" in (await put(world, url=str(repository.folder))).error


@pytest.mark.parametrize("place", ["plain", "empty", "linked"])
async def test_a_folder_that_is_no_repository_is_told(
    world: World, repository: Repository, place: str
) -> None:
    (world.allowed / "plain").mkdir()
    a_repository(world.allowed / "empty")
    (world.allowed / "linked").symlink_to(repository.folder)
    run = await put(world, url=str(world.allowed / place))
    assert run.outcome is SyncOutcome.FAILED
    assert run.error.startswith(str(world.allowed / place))


async def test_a_repository_that_is_not_there_is_told(world: World, url: str) -> None:
    run = await put(world, url=url.replace("tea", "milk"))
    assert (run.outcome, submitted(world)) == (SyncOutcome.FAILED, set())
    gone = await put(world, url="http://127.0.0.1:9/tea.git")
    assert "does not answer" in gone.error


async def test_a_name_that_leads_to_a_private_address_is_not_followed(
    world: World, url: str
) -> None:
    around = replace(world.opener.surroundings, private_addresses=False)
    object.__setattr__(world.opener, "surroundings", around)
    run = await put(world, url=url.replace("127.0.0.1", "localhost"))
    assert "which is private" in run.error
    with pytest.raises(InvalidInput, match="private address"):
        await put(world, url=url)


@pytest.mark.parametrize(
    "url",
    [
        "git@example.com:tea.git",
        "ssh://example.com/a",
        "https://u:p@a.example/b",
        "file:///srv",
        "/etc",
    ],
)
async def test_what_cannot_be_fetched_is_refused(world: World, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await put(world, url=url)
    assert caught.value.field == "url"


async def test_what_eats_all_memory_or_never_ends_ends_in_its_own_process() -> None:
    async with confined.open_confined() as process:
        for work, words in (
            (_eat, "memory"),
            (_loop, "took more than"),
            (_break, "ValueError: no"),
        ):
            with pytest.raises(SourceUnreachable, match=words):
                await process.run(1.0, work)
        assert await process.run(30.0, _add, 2, 3) == 5


def _eat() -> int:
    return len(bytearray(8 * 1024**3))


def _loop() -> None:
    while True:
        pass


def _break() -> None:
    raise ValueError("no")


def _add(one: int, other: int) -> int:
    return one + other
