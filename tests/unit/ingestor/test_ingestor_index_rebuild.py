"""All accepted documents are read again, slice by slice, for the shadow's index."""

from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.documents import (
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
    artifacts = (an_artifact("e-1", index="one"), an_artifact("e-2", index="two"))
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
    assert set(names) <= set(again)
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
    assert (await world.rebuild.progress()).state is RebuildState.ENCODING
    world.log.embedder_waits = 0
    assert (await world.rebuild.progress()).state is RebuildState.FILLED


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
    with pytest.raises(FailedPrecondition, match="gyre index rebuild"):
        await world.rebuild.start()
    shadow(world, "e-2", generation=1)
    await world.rebuild.start()
    shadow(world, None, generation=2)
    await world.bus.settled()
    assert all(each.finished for each in await world.log.progress())
    assert len(read_again(world)) < 20


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
