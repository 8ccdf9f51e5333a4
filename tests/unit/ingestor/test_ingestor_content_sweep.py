"""Content that no document names goes; what one names stays, whatever happens meanwhile."""

from collections.abc import Set
from datetime import timedelta
from pathlib import Path

import pytest
from gyre_common.dated_store import DatedStore
from gyre_common.errors import NotFound, Retryable, Unavailable
from gyre_common.events.documents import DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED, DOCUMENT_SUBMITTED
from gyre_common.store import Shelf
from gyre_common.telemetry import METRICS
from gyre_ingestor import service
from gyre_ingestor.content_places import CLAIMS, ContentSweep, Swept

from tests.builders import a_document_accepted, a_document_submitted
from tests.fakes.document_log import MemoryDocumentLog

from .conftest import World

DAYS_LATER = timedelta(days=3)


@pytest.fixture
def sweep(world: World, tmp_path: Path) -> ContentSweep:
    claims = Shelf(f"file://{tmp_path}/store", CLAIMS)
    return ContentSweep(world.places, claims, world.log, world.clock)


async def submit(world: World, document_id: str, text: str | None = "# Tea\n\nHot.") -> str:
    """Returns where its original lies; nowhere for a deletion, which has no text."""
    event = a_document_submitted(document_id=document_id, text=text, deleted=text is None)
    await world.bus.deliver(DOCUMENT_SUBMITTED, event)
    return world.events(DOCUMENT_ACCEPTED)[-1].content_ref or ""


async def is_there(world: World, uri: str) -> bool:
    digest = f"sha256:{uri.rpartition('/')[2]}"
    try:
        await world.places.get(uri, digest)
    except NotFound:
        return False
    return True


async def test_the_original_of_a_deleted_document_goes_and_others_stay(
    world: World, sweep: ContentSweep
) -> None:
    gone, stays = await submit(world, "gone", "# Milk"), await submit(world, "stays")
    await submit(world, "gone", None)
    world.clock.ahead = DAYS_LATER
    deleted = METRICS.content_deleted._value.get()
    assert await sweep.sweep() == Swept(1, len("# Milk"))
    assert METRICS.content_deleted._value.get() == deleted + 1
    assert not await is_there(world, gone)
    assert await is_there(world, stays)
    assert await sweep.sweep() == Swept()


async def test_the_original_of_an_older_version_goes(world: World, sweep: ContentSweep) -> None:
    old, new = await submit(world, "tea", "# Old"), await submit(world, "tea", "# New")
    world.clock.ahead = DAYS_LATER
    assert (await sweep.sweep()).count == 1
    assert not await is_there(world, old)
    assert await is_there(world, new)


async def test_what_two_documents_share_stays_until_both_are_gone(
    world: World, sweep: ContentSweep
) -> None:
    shared = await submit(world, "one")
    assert await submit(world, "two") == shared
    await submit(world, "one", None)
    world.clock.ahead = DAYS_LATER
    assert await sweep.sweep() == Swept()
    await submit(world, "two", None)
    assert (await sweep.sweep()).count == 1


async def test_two_whole_days_pass_before_anything_goes(world: World, sweep: ContentSweep) -> None:
    uri = await submit(world, "tea")
    await submit(world, "tea", None)
    world.clock.ahead = timedelta(days=2)
    assert await sweep.sweep() == Swept()
    assert await is_there(world, uri)


async def test_a_list_of_passages_goes_with_its_document(
    world: World, monkeypatch: pytest.MonkeyPatch, sweep: ContentSweep
) -> None:
    monkeypatch.setattr(service, "LARGEST_EVENT", 2_000)
    world.release(min_tokens="0")
    text = "\n\n".join(f"# h{n}\n\nab" for n in range(20))
    await submit(world, "long", text)
    await submit(world, "long too", text.replace("ab", "cd"))
    gone, stays = [event.chunks_ref or "" for event in world.events(DOCUMENT_CHUNKED)]
    assert gone.startswith("file://")
    await submit(world, "long", None)
    world.clock.ahead = DAYS_LATER
    assert (await sweep.sweep()).count == 2
    assert not await is_there(world, gone)
    assert await is_there(world, stays)


async def test_what_has_still_to_be_read_or_indexed_stays(
    world: World, sweep: ContentSweep
) -> None:
    waiting = await submit(world, "tea", "# Old")
    await submit(world, "tea", "# New")
    world.clock.ahead = DAYS_LATER
    world.log.ingestor_waits = 2
    assert await sweep.sweep() == Swept()
    world.log.ingestor_waits = 1
    assert (await sweep.sweep()).count == 1
    assert not await is_there(world, waiting)


async def test_the_same_content_submitted_while_a_sweep_runs_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, sweep: ContentSweep
) -> None:
    before = await submit(world, "tea")
    await submit(world, "tea", None)
    world.clock.ahead = DAYS_LATER
    named_originals = MemoryDocumentLog.named_originals
    again = ""

    async def and_then_it_comes(log: MemoryDocumentLog) -> Set[str] | None:
        nonlocal again
        named = await named_originals(log)
        again = await submit(world, "tea")
        return named

    monkeypatch.setattr(MemoryDocumentLog, "named_originals", and_then_it_comes)
    assert (await sweep.sweep()).count == 1
    assert not await is_there(world, before)
    assert await is_there(world, again)
    monkeypatch.undo()
    assert await sweep.sweep() == Swept()


async def test_a_sweep_that_ends_half_way_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, sweep: ContentSweep
) -> None:
    stays = await submit(world, "stays")
    for number in range(5):
        await submit(world, f"d{number}", f"# Tea {number}")
        await submit(world, f"d{number}", None)
    world.clock.ahead = DAYS_LATER
    delete, count = DatedStore.delete, 0

    async def ends(store: DatedStore, uri: str) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise Retryable("the store is out of reach")
        await delete(store, uri)

    monkeypatch.setattr(DatedStore, "delete", ends)
    with pytest.raises(Retryable):
        await sweep.sweep()
    monkeypatch.undo()
    assert (await sweep.sweep()).count == 3
    assert await is_there(world, stays)


async def test_nothing_goes_where_the_topic_never_had_a_record(
    world: World, sweep: ContentSweep
) -> None:
    original = await world.places.originals.put(b"of another Kafka")
    world.clock.ahead = DAYS_LATER
    assert await sweep.sweep() == Swept()
    assert await is_there(world, original.uri)


async def test_originals_of_before_are_read_and_stay(world: World, sweep: ContentSweep) -> None:
    old = await world.store.put(b"# Tea\n\nHot.")
    accepted = a_document_accepted(content_ref=old.uri, content_digest=old.digest)
    await world.bus.deliver(DOCUMENT_ACCEPTED, accepted)
    [chunked] = world.events(DOCUMENT_CHUNKED)
    assert [chunk.text for chunk in chunked.chunks] == ["Hot."]
    await submit(world, accepted.document_id, None)
    world.clock.ahead = DAYS_LATER
    assert await sweep.sweep() == Swept()
    assert await is_there(world, old.uri)


async def test_one_process_sweeps_a_day(
    world: World, sweep: ContentSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submit(world, "tea")
    await submit(world, "tea", None)
    world.clock.ahead = DAYS_LATER

    async def fails(log: MemoryDocumentLog) -> Set[str] | None:
        raise Unavailable("Kafka does not answer")

    monkeypatch.setattr(MemoryDocumentLog, "named_originals", fails)
    with pytest.raises(Unavailable):
        await sweep.sweep_today()
    monkeypatch.undo()
    swept = await sweep.sweep_today()
    assert swept is not None
    assert swept.count == 1
    assert await sweep.sweep_today() is None
    world.clock.ahead += timedelta(days=1)
    assert await sweep.sweep_today() == Swept()
