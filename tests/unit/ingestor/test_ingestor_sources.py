"""What a source has becomes documents, what it loses goes, and nothing is lost on the way."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.documents import DOCUMENT_CHUNKED, DOCUMENT_REJECTED, DOCUMENT_SUBMITTED
from gyre_common.events.event import now
from gyre_common.events.sources import SOURCE_CHANGED, SYNC_REQUESTED, SourceChanged, SyncReason
from gyre_ingestor.sources.book import SourceStanding, new_source
from gyre_ingestor.sources.schedule import SourceClock
from gyre_ingestor.sources.source import Problem
from gyre_ingestor.sources.state import SourceKey, SyncOutcome, SyncRun
from gyre_ingestor.sources.turns import STALLED_AFTER
from gyre_ingestor.sources.view import sync_request

from .conftest import World

TENANT = "acme"
KEY = SourceKey(TENANT, "shelf")


async def put(world: World, **fields: Any) -> None:
    await world.book.put(new_source(TENANT, {"name": "shelf", "kind": "place", **fields}))
    await world.bus.settled()


async def sync(world: World) -> SyncRun:
    await world.book.sync(TENANT, "shelf")
    await world.bus.settled()
    return await last(world)


async def last(world: World) -> SyncRun:
    (standing,) = await world.book.list(TENANT, ["shelf"])
    assert standing.progress.last is not None
    return standing.progress.last


def submitted(world: World) -> list[tuple[str, bool]]:
    """What was submitted since the last call: names, and whether they were deletions."""
    events = [
        (event.document_id.removeprefix("shelf/"), event.deleted)
        for event in world.events(DOCUMENT_SUBMITTED)
    ]
    world.bus.published = [each for each in world.bus.published if each[0] != DOCUMENT_SUBMITTED]
    return events


async def test_what_is_new_changed_and_gone_is_submitted_and_nothing_else(world: World) -> None:
    world.place.texts = {"a.md": "Tea is hot.", "b.md": "Ice is cold.", "c.md": "Milk is warm."}
    await put(world)
    assert sorted(submitted(world)) == [("a.md", False), ("b.md", False), ("c.md", False)]

    world.place.texts = {"a.md": "Tea is hot.", "b.md": "Ice is colder.", "d.md": "Oil is slow."}
    run = await sync(world)
    assert sorted(submitted(world)) == [("b.md", False), ("c.md", True), ("d.md", False)]
    assert run.outcome is SyncOutcome.SUCCEEDED
    assert run.counts.model_dump() == {
        "listed": 3,
        "added": 1,
        "changed": 1,
        "unchanged": 1,
        "deleted": 1,
        "refused": 0,
        "unreadable": 0,
    }
    world.place.reads.clear()
    assert (await sync(world)).counts.unchanged == 3
    assert (submitted(world), world.place.reads) == ([], [])


async def test_a_document_names_the_source_that_brought_it(world: World) -> None:
    world.place.texts = {"a.md": "Tea is hot.", "bad.pdf": "%PDF-1.7 and no more"}
    await put(world)
    (chunked,) = world.events(DOCUMENT_CHUNKED)
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert (chunked.source, chunked.document_id) == ("shelf", "shelf/a.md")
    assert (rejected.source, rejected.document_id) == ("shelf", "shelf/bad.pdf")


async def test_documents_have_the_groups_of_their_source_and_get_others_with_it(
    world: World,
) -> None:
    world.place.texts = {"a.md": "Tea is hot.", "b.md": "Ice is cold."}
    await put(world, acl=["kitchen"])
    await put(world, acl=["bar"])
    acls = [event.acl for event in world.events(DOCUMENT_CHUNKED)]
    assert acls == [("kitchen",), ("kitchen",), ("bar",), ("bar",)]
    assert (await last(world)).counts.changed == 2


async def test_a_listing_that_breaks_off_deletes_nothing_and_says_why(world: World) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice.", "c.md": "Milk."}
    await put(world)
    submitted(world)
    world.place.texts["0.md"] = world.place.texts.pop("a.md")
    world.place.breaks_after = 1
    run = await sync(world)
    assert (run.outcome, run.error) == (SyncOutcome.FAILED, "the line was cut: try again")
    assert submitted(world) == []
    world.place.breaks_after = None
    assert (await sync(world)).outcome is SyncOutcome.SUCCEEDED
    assert sorted(submitted(world)) == [("0.md", False), ("a.md", True)]


async def test_a_place_that_came_back_empty_loses_nothing(world: World) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    await put(world)
    submitted(world)
    world.place.texts = {}
    run = await sync(world)
    assert run.outcome is SyncOutcome.INCOMPLETE
    assert "came back empty where 2 documents were" in run.error
    assert submitted(world) == []


async def test_a_place_that_empties_between_two_parts_loses_nothing(world: World) -> None:
    world.place.texts = {f"{number}.md": f"Tea {number}." for number in range(4)}
    await put(world)
    submitted(world)
    world.syncer._part_seconds = 0

    def empty_it() -> None:
        if (
            len(world.place.known) == 4
        ):  # the first one lists all for a sync, this is the third part
            world.place.texts = {}

    world.place.before_each = empty_it
    run = await sync(world)
    assert (run.outcome, run.counts.unchanged) == (SyncOutcome.INCOMPLETE, 3)
    assert submitted(world) == []


async def test_a_part_of_the_listing_that_is_missing_keeps_what_was_there(world: World) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    await put(world)
    del world.place.texts["b.md"]
    world.place.problems = [Problem("a folder cannot be read")]
    run = await sync(world)
    assert run.outcome is SyncOutcome.INCOMPLETE
    assert run.error == "a folder cannot be read (nothing was deleted)"
    assert ("b.md", True) not in submitted(world)


async def test_an_item_that_cannot_be_read_stays_as_it_was_and_is_tried_again(
    world: World,
) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    await put(world)
    submitted(world)
    world.place.texts["b.md"] = "Ice, long after."
    world.place.unreadable = {"b.md"}
    run = await sync(world)
    assert [(each.name, each.detail) for each in run.problems] == [
        ("b.md", "it answers 403: let the ingestor read it")
    ]
    assert (run.counts.unreadable, submitted(world)) == (1, [])
    world.place.unreadable.clear()
    await sync(world)
    assert submitted(world) == [("b.md", False)]


async def test_what_was_only_touched_is_no_change(world: World) -> None:
    long = "tea " * 90_000
    world.place.texts = {"a.md": "Tea.", "long.txt": long}
    await put(world)
    submitted(world)
    for touched, texts in ((1, {}), (2, {"long.txt": long + "ice"}), (3, {"a.md": "Ice."})):
        world.place.touched = touched
        world.place.texts |= texts
        counts = (await sync(world)).counts
        assert (counts.unchanged, counts.changed) == (2 - len(texts), len(texts))
        assert submitted(world) == [(name, False) for name in texts]


async def test_other_names_and_addresses_are_a_change(world: World) -> None:
    world.place.texts = {"a.md": "Tea."}
    await put(world)
    world.place.address = "https://example.com/"
    assert (await sync(world)).counts.changed == 1
    assert world.events(DOCUMENT_CHUNKED)[-1].source_uri == "https://example.com/a.md"


async def test_what_is_refused_is_tried_again_only_when_it_changes(world: World) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "  "}
    await put(world)
    run = await last(world)
    assert (run.counts.added, run.counts.refused) == (1, 1)
    assert "is empty" in run.problems[0].detail
    world.place.reads.clear()
    await sync(world)
    assert world.place.reads == []
    world.place.texts["b.md"] = "Ice."
    await sync(world)
    assert world.place.reads == ["b.md"]
    world.place.texts["c.md"] = " "
    await sync(world)
    world.place.reads.clear()
    await put(world)  # with other settings, or in front of an ingestor that takes more
    assert world.place.reads == ["c.md"]


async def test_a_document_whose_new_text_is_refused_still_goes_when_it_is_gone(
    world: World,
) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    await put(world)
    world.place.texts["b.md"] = " "
    await sync(world)
    del world.place.texts["b.md"]
    submitted(world)
    await sync(world)
    assert submitted(world) == [("b.md", True)]


@pytest.mark.parametrize(
    ("name", "why"),
    [("x" * 5_000, "5000 characters"), ("tea\x07.md", "control"), ("tea\udcff.md", "not UTF-8")],
)
async def test_a_name_that_no_document_can_have_is_told_and_harms_no_other(
    world: World, name: str, why: str
) -> None:
    world.place.texts = {name: "Tea.", "b.md": "Ice."}
    await put(world)
    run = await last(world)
    assert submitted(world) == [("b.md", False)]
    assert why in run.problems[0].detail


async def test_names_that_differ_in_case_or_unicode_form_are_documents_of_their_own(
    world: World,
) -> None:
    names = ["Tea.md", "tea.md", "t\u00e9.md", "te\u0301.md"]
    world.place.texts = {name: f"{name} is hot." for name in names}
    await put(world)
    assert sorted(submitted(world)) == sorted((name, False) for name in names)


async def test_a_large_document_goes_through_the_store_and_a_huge_one_is_refused(
    world: World,
) -> None:
    world.place.texts = {"large.txt": "tea " * 90_000, "huge.txt": "tea " * 300_000}
    await put(world)
    (event,) = world.events(DOCUMENT_SUBMITTED)
    assert (event.document_id, event.content_base64) == ("shelf/large.txt", None)
    assert event.content_uri is not None
    assert "huge.txt" in [each.name for each in (await last(world)).problems]


async def test_a_sync_goes_on_in_parts_and_looks_at_each_item_once(world: World) -> None:
    world.syncer._part_seconds = 0
    world.place.texts = {f"{number}.md": f"Tea {number}." for number in range(20)}
    await put(world)
    requests = world.events(SYNC_REQUESTED)
    assert [request.part for request in requests] == list(range(len(requests)))
    assert len(requests) > 20
    assert len(submitted(world)) == len(set(world.place.reads)) == len(world.place.reads) == 20
    assert (await last(world)).counts.added == 20


async def test_many_deletions_go_on_in_parts_too(world: World) -> None:
    world.place.texts = {f"{number}.md": f"Tea {number}." for number in range(20)}
    await put(world)
    world.syncer._part_seconds = 0
    world.place.texts = {"0.md": "Tea 0."}
    submitted(world)
    run = await sync(world)
    assert (run.counts.deleted, run.counts.unchanged) == (19, 1)
    assert len(submitted(world)) == 19


async def test_a_part_that_is_asked_for_twice_is_done_once(world: World) -> None:
    world.place.texts = {"a.md": "Tea."}
    await put(world)
    for request in world.events(SYNC_REQUESTED):
        await world.syncer.sync(request)
    assert submitted(world) == [("a.md", False)]
    late = sync_request(world.view.sources[0], SyncReason.CONTINUED, now(), part=3)
    world.place.known.clear()
    await world.syncer.sync(late)
    assert world.place.known == []


async def test_a_kill_repeats_a_little_with_the_same_ids(world: World) -> None:
    """What was submitted and not remembered is submitted again, as the same submission."""
    world.place.texts = {"a.md": "Tea."}
    await put(world)
    items = await world.states.items(KEY)
    progress = await world.states.progress(KEY)
    assert progress.last is not None
    await world.states.save_items(KEY, {})
    killed = progress.last.model_copy(update={"outcome": None, "ended_at": None})
    await world.states.save_progress(KEY, progress.model_copy(update={"run": killed, "last": None}))
    (request,) = world.events(SYNC_REQUESTED)
    await world.bus.deliver(SYNC_REQUESTED, request)
    ids = {
        dict(record.headers)["ce_id"]
        for record in world.bus.sent
        if record.topic == DOCUMENT_SUBMITTED.name
    }
    assert (len(submitted(world)), len(ids)) == (2, 1)
    assert await world.states.items(KEY) == items


@pytest.mark.parametrize("name", ["items.json", "progress.json"])
async def test_what_is_remembered_and_cannot_be_read_is_begun_anew(
    world: World, name: str, tmp_path: Path
) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    await put(world)
    (tmp_path / "store" / "sources" / TENANT / "shelf" / name).write_text("{")
    run = await sync(world)
    assert (run.outcome, run.counts.listed) == (SyncOutcome.SUCCEEDED, 2)
    assert (await sync(world)).counts.unchanged == 2


async def test_kafka_down_in_mid_sync_delays_and_loses_nothing(world: World) -> None:
    world.place.texts = {f"{number}.md": f"Tea {number}." for number in range(12)}
    failed = False

    def fail_once() -> None:
        nonlocal failed
        world.bus.down = not failed and len(world.place.reads) >= 8
        failed = failed or world.bus.down

    world.place.before_each = fail_once
    await put(world)
    assert failed
    assert {name for name, _ in submitted(world)} == set(world.place.texts)
    assert (await last(world)).outcome is SyncOutcome.SUCCEEDED


async def test_what_is_asked_for_in_mid_sync_is_done_after_it(world: World) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    is_first = True

    def ask() -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            source = world.view.sources[0]
            request = sync_request(source, SyncReason.TRIGGERED, now())
            key = SYNC_REQUESTED.key(request).encode()
            world.bus.put_raw(SYNC_REQUESTED, (key, request.to_json(), ()))
            world.place.texts["c.md"] = "Milk."

    world.place.before_each = ask
    world.syncer._part_seconds = 0
    await put(world)
    assert ("c.md", False) in submitted(world)
    run = await last(world)
    assert (run.reason, run.counts.unchanged) == (SyncReason.TRIGGERED, 3)


async def test_a_paused_source_stops_and_a_resumed_one_goes_on(world: World) -> None:
    world.place.texts = {"a.md": "Tea."}
    await put(world)
    await world.book.pause(TENANT, "shelf", paused=True, actor="ann")
    await world.bus.settled()
    assert (await last(world)).outcome is SyncOutcome.STOPPED
    with pytest.raises(FailedPrecondition, match="gyre sources resume shelf"):
        await world.book.sync(TENANT, "shelf")
    world.place.texts["b.md"] = "Ice."
    submitted(world)
    await world.book.pause(TENANT, "shelf", paused=False, actor="ann")
    await world.bus.settled()
    assert submitted(world) == [("b.md", False)]


async def test_a_removed_source_takes_its_documents_with_it(world: World) -> None:
    world.place.texts = {"a.md": "Tea.", "b.md": "Ice."}
    await put(world)
    submitted(world)
    await world.book.remove(TENANT, "shelf", keeps_documents=False, actor="ann")
    with pytest.raises(FailedPrecondition, match="being removed"):
        await put(world)
    await world.bus.settled()
    assert sorted(submitted(world)) == [("a.md", True), ("b.md", True)]
    assert world.tombstones(SOURCE_CHANGED.name) == [b"acme/shelf"]
    with pytest.raises(NotFound, match="no source 'shelf'"):
        await world.book.list(TENANT, ["shelf"])
    assert await world.states.items(KEY) == {}


async def test_a_removed_source_may_leave_its_documents(world: World) -> None:
    world.place.texts = {"a.md": "Tea."}
    await put(world)
    submitted(world)
    await world.book.remove(TENANT, "shelf", keeps_documents=True, actor="ann")
    await world.bus.settled()
    assert submitted(world) == []
    assert await world.book.list(TENANT) == []


async def test_a_tenant_sees_its_own_sources_only(world: World) -> None:
    await put(world)
    assert await world.book.list("other") == []
    with pytest.raises(NotFound):
        await world.book.sync("other", "shelf")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": "Tea Room"}, "name", "lower-case"),
        ({"kind": "ftp"}, "kind", "folder"),
        ({"settings": {"depth": "3"}}, "depth", "no setting of this kind"),
        ({"settings": {"size": "large"}}, "size", "cannot work"),
        ({"schedule": "every day"}, "schedule", "has 2 fields and not 5"),
        ({"schedule": "61 * * * *"}, "schedule", "Bad minute"),
        ({"schedule": "0 0 30 2 *"}, "schedule", "'0 0 30 2 *'"),
        ({"acl": ["a\nb"]}, "acl.0", "control characters"),
        ({"acl": [f"group-{number}" for number in range(2_000)]}, "acl", "keep to 16,384"),
        ({"settings": {"size": "1" * 20_000}}, "settings", "keep to 16,384"),
    ],
)
async def test_a_source_that_cannot_work_is_refused_by_the_field(
    world: World, fields: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await put(world, **fields)
    assert caught.value.field == field
    assert words in str(caught.value)
    assert world.events(SOURCE_CHANGED) == []


async def test_a_schedule_asks_when_it_is_due_and_makes_up_for_what_was_missed_once(
    world: World,
) -> None:
    clocks = [SourceClock(world.view, world.states, world.bus) for _ in range(2)]
    await put(world, schedule="*/5 * * * *")
    for clock in clocks:
        await clock.request_due()
    assert [each.reason for each in world.events(SYNC_REQUESTED)] == [SyncReason.CHANGED]
    await _as_of(world, hours=7)
    for clock in clocks:
        clock._due.clear()
        await clock.request_due()
        await clock.request_due()
    await world.bus.settled()
    first, *others = (each.reason for each in world.events(SYNC_REQUESTED))
    assert first is SyncReason.CHANGED
    # The second clock asks too, unless the sync is over by then.
    assert others in ([SyncReason.SCHEDULED], [SyncReason.SCHEDULED] * 2)
    assert (await last(world)).reason is SyncReason.SCHEDULED
    assert len(world.place.known) == 2  # one sync served both


async def test_a_sync_that_lost_its_next_part_is_begun_again(world: World) -> None:
    world.place.texts = {"a.md": "Tea."}
    await put(world)
    progress = await world.states.progress(KEY)
    assert progress.last is not None
    lost = {"outcome": None, "ended_at": None, "part": 3}
    run = progress.last.model_copy(update=lost)
    await world.states.save_progress(KEY, progress.model_copy(update={"run": run, "last": None}))
    clock = SourceClock(world.view, world.states, world.bus)
    await clock.request_due()
    assert len(world.events(SYNC_REQUESTED)) == 1  # it may be waiting for its turn
    long_ago = run.model_copy(update={"touched_at": now() - STALLED_AFTER})
    await world.states.save_progress(KEY, progress.model_copy(update={"run": long_ago}))
    await clock.request_due()
    await world.bus.settled()
    assert (await last(world)).counts.unchanged == 1


async def test_a_bug_of_a_kind_is_told_and_the_next_sync_tries_again(world: World) -> None:
    def break_down() -> None:
        raise ZeroDivisionError

    world.place.texts = {"a.md": "Tea."}
    world.place.before_each = break_down
    await put(world)
    run = await last(world)
    assert (run.outcome, "ZeroDivisionError" in run.error) == (SyncOutcome.FAILED, True)
    world.place.before_each = lambda: None
    assert (await sync(world)).counts.added == 1


async def test_a_schedule_that_cannot_be_read_harms_no_other(world: World) -> None:
    """Others may write the topic."""
    await put(world, schedule="*/5 * * * *")
    (good,) = world.view.sources
    world.view.apply(good.model_copy(update={"name": "odd", "schedule": "at noon"}))
    await _as_of(world, hours=7)
    await SourceClock(world.view, world.states, world.bus).request_due()
    assert world.events(SYNC_REQUESTED)[-1].name == "shelf"
    assert [each.next_sync_at is None for each in await world.book.list(TENANT)] == [True, False]


async def test_the_next_time_is_told_unless_it_does_not_count(world: World) -> None:
    source = new_source(TENANT, {"name": "shelf", "kind": "place", "schedule": "0 3 * * *"})
    progress = await world.states.progress(KEY)
    due = SourceStanding(source, progress).next_sync_at
    assert due is not None
    assert (due.hour, due.minute, due > now()) == (3, 0, True)
    paused = source.model_copy(update={"paused": True})
    assert SourceStanding(paused, progress).next_sync_at is None


async def _as_of(world: World, *, hours: float) -> None:
    """As if all that happened had happened so long before."""
    ago = timedelta(hours=hours)
    world.view._sources |= {
        f"{TENANT}/{source.name}": source.model_copy(update={"changed_at": source.changed_at - ago})
        for source in world.view.sources
    }
    progress = await world.states.progress(KEY)
    assert progress.last is not None
    run = progress.last.model_copy(update={"began_at": progress.last.began_at - ago})
    await world.states.save_progress(KEY, progress.model_copy(update={"last": run}))


def test_an_older_change_that_comes_late_changes_nothing(world: World) -> None:
    newer = SourceChanged(name="shelf", kind="place", generation=2, changed_at=now(), paused=True)
    world.view.apply(newer)
    world.view.apply(newer.model_copy(update={"generation": 1, "paused": False}))
    assert world.view.sources == (newer,)
    world.view.retire("default/shelf")
    assert world.view.sources == (newer,)


async def test_who_may_not_read_what_a_source_brings_may_not_change_it(world: World) -> None:
    await put(world, acl=["board"])
    outsider = RequestContext(tenant=TENANT, acl=("staff",), is_for_every_tenant=False)
    changes: Sequence[Callable[[], Awaitable[None]]] = (
        lambda: put(world),
        lambda: world.book.pause(TENANT, "shelf", paused=True, actor="eve"),
        lambda: world.book.remove(TENANT, "shelf", keeps_documents=True, actor="eve"),
    )
    for change in changes:
        with use_context(outsider), pytest.raises(NotFound, match="there is no source 'shelf'"):
            await change()
    (standing,) = await world.book.list(TENANT, ["shelf"])
    source = standing.source
    assert (source.acl, source.paused, source.removed) == (("board",), False, False)
    with use_context(replace(outsider, acl=("board",))):
        await put(world)
    with use_context(replace(outsider, is_for_every_tenant=True)):
        await put(world, acl=["board"])
    assert (await world.book.list(TENANT, ["shelf"]))[0].source.acl == ("board",)
