"""All accepted documents are read again, slice by slice, for the shadow's index."""

from typing import Any
from unittest.mock import patch

import pytest
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    DocumentChunked,
)
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED
from gyre_common.events.releases import Roles
from gyre_ingestor.index_rebuild import RebuildState

from tests.builders import a_document_submitted, a_release, an_artifact

from .conftest import World


async def submit(world: World, name: str, **fields: Any) -> None:
    submission = a_document_submitted(document_id=name, **fields)
    await world.bus.deliver(DOCUMENT_SUBMITTED, submission)


def shadow(world: World, version: str | None, generation: int) -> None:
    artifacts = tuple(an_artifact(f"e-{n}", index=f"index-{n}") for n in (1, 2, 3))
    world.releases.apply(
        a_release(
            Roles.DOCUMENT_ENCODER,
            live="e-1",
            shadow=version,
            artifacts=artifacts,
            generation=generation,
        )
    )


def read_again(world: World) -> list[DocumentChunked]:
    return [each for each in world.events(DOCUMENT_CHUNKED) if each.rebuild]


async def test_every_document_that_is_there_is_cut_as_the_live_version_says(world: World) -> None:
    names = [f"d{number}" for number in range(30)]
    for name in [*names, "gone"]:
        await submit(world, name, text="# Tea\n\n" + "It is hot in the pot. " * 40)
    await submit(world, "gone", text=None, deleted=True)
    before = {each.document_id: each for each in world.events(DOCUMENT_CHUNKED)}
    world.release(max_tokens="64", min_tokens="16")
    shadow(world, "e-2", generation=1)

    await world.rebuild.start()
    await world.bus.settled()

    again = {each.document_id: each for each in read_again(world)}
    assert set(names) == set(again)  # what is deleted does not come back to the topic
    for name in names:
        assert len(again[name].chunks) > len(before[name].chunks)
        assert again[name].revision == before[name].revision
        assert again[name].submission_id == before[name].submission_id
    progress = await world.rebuild.progress()
    assert (progress.state, progress.records) == (RebuildState.FILLED, progress.records_read)


async def test_progress_says_what_is_still_to_do(world: World) -> None:
    assert (await world.rebuild.progress()).state is RebuildState.NONE
    await submit(world, "tea", text="# Tea\n\nHot.")
    shadow(world, "e-2", generation=1)
    await world.rebuild.start()
    await world.bus.settled()
    world.log.embedder_waits = 1
    progress = await world.rebuild.progress()
    assert (progress.state, progress.behind) == (RebuildState.ENCODING, 1)
    world.log.embedder_waits = 0
    progress = await world.rebuild.progress()
    assert (progress.state, progress.behind) == (RebuildState.FILLED, 0)


async def test_what_cannot_be_read_is_not_told_of_again(world: World) -> None:
    await submit(world, "cut", text="%PDF-1.7", media_type="application/pdf")
    await submit(world, "tea", text="# Tea\n\nHot.")
    rejected = len(world.events(DOCUMENT_REJECTED))
    shadow(world, "e-2", generation=1)
    await world.rebuild.start()
    await world.bus.settled()
    assert len(world.events(DOCUMENT_REJECTED)) == rejected
    assert [each.document_id for each in read_again(world)] == ["tea"]


async def test_without_a_shadow_nothing_begins_and_what_began_ends(world: World) -> None:
    for number in range(20):
        await submit(world, f"d{number}", text="# Tea\n\nHot.")
    shadow(world, None, generation=1)
    with pytest.raises(FailedPrecondition, match="gyre index rebuild"):
        await world.rebuild.start()
    shadow(world, "e-2", generation=2)
    await world.rebuild.start()
    shadow(world, None, generation=3)
    await world.bus.settled()
    assert len(read_again(world)) < 20
    assert (await world.rebuild.progress()).state is RebuildState.READING

    shadow(world, "e-3", generation=4)  # another index: all of it is read, whatever was before
    await world.rebuild.start()
    await world.bus.settled()
    versions = [each.rebuild.version for each in read_again(world) if each.rebuild]
    assert versions.count("e-3") == 20
    progress = await world.rebuild.progress()
    assert (progress.state, progress.documents) == (RebuildState.FILLED, 20)


async def test_a_rebuild_that_is_under_way_goes_on_and_no_second_begins(world: World) -> None:
    for number in range(10):
        await submit(world, f"d{number}", text="# Tea\n\nHot.")
    shadow(world, "e-2", generation=1)
    first = await world.rebuild.start()
    assert await world.rebuild.start() == first
    await world.bus.settled()
    assert await world.rebuild.start() != first
    await world.bus.settled()
    ids = {each.rebuild_id for each in world.events(INDEX_REBUILD_PROGRESSED)}
    assert len(ids) == 2


async def test_a_start_that_broke_off_is_made_whole_by_the_next(world: World) -> None:
    for number in range(20):
        await submit(world, f"d{number}", text="# Tea\n\nHot.")
    shadow(world, "e-2", generation=1)
    publish, calls = world.bus.publish, 0

    async def publish_once(*args: Any, **keywords: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise Unavailable("Kafka is away")
        await publish(*args, **keywords)

    with patch.object(world.bus, "publish", publish_once), pytest.raises(Unavailable):
        await world.rebuild.start()
    await world.bus.settled()
    assert (await world.rebuild.progress()).state is RebuildState.READING
    await world.rebuild.start()
    await world.bus.settled()
    assert {each.document_id for each in read_again(world)} == {f"d{n}" for n in range(20)}
    assert (await world.rebuild.progress()).state is RebuildState.FILLED


async def test_an_original_that_is_lost_is_counted_and_keeps_nothing_back(world: World) -> None:
    for number in range(8):
        await submit(world, f"d{number}", text=f"# Tea {number}\n\nHot.")
    lost = world.events(DOCUMENT_ACCEPTED)[3]
    assert lost.content_ref
    await world.places.originals.delete(lost.content_ref)
    shadow(world, "e-2", generation=1)
    await world.rebuild.start()
    await world.bus.settled()
    progress = await world.rebuild.progress()
    assert (progress.state, progress.documents, progress.skipped) == (RebuildState.FILLED, 7, 1)
    assert world.bus.parked == []
