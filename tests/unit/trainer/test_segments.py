"""Segments hold each offset once for their readers, whatever their writers went through."""

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.interactions import Turn
from gyre_common.store import DamagedContentError, Shelf
from gyre_trainer.segments import Segments
from gyre_trainer.segments.facts import FeedbackFact, PartitionFacts
from gyre_trainer.segments.parquet import (
    FEEDBACK,
    INTERACTIONS,
    JUDGEMENTS,
    parquet_bytes,
)
from gyre_trainer.segments.window import Window, validate_window, window_as_text

from tests.unit.failing_disk import NEW_FILE, failing
from tests.unit.trainer.training_facts import a_judgement, a_vote, an_interaction, chunk, shown

PLACE = "feedback.received.v1/3"
TEA = an_interaction()


@pytest.fixture
def shelf(store_url: str) -> Shelf:
    return Shelf(store_url, "segments")


@pytest.fixture
def segments(shelf: Shelf) -> Segments:
    return Segments(shelf, records=100, merge_at=4)


def votes(first: int, end: int) -> list[FeedbackFact]:
    return [a_vote(TEA, 1, offset=offset, actor=f"u{offset}") for offset in range(first, end)]


async def read(segments: Segments, window: Window | None = None) -> list[PartitionFacts]:
    return [
        facts async for facts in segments.facts(window or await segments.durable(), EVERY_TENANT)
    ]


async def offsets(segments: Segments, window: Window | None = None) -> list[int]:
    return [fact.offset for part in await read(segments, window) for fact in part.feedback]


async def test_facts_come_back_as_they_were(segments: Segments) -> None:
    interaction = an_interaction(
        5,
        question="Wie heiß?",
        query="Was ist Tee?\nWie heiß?",
        filtered=True,
        arms={"query-encoder": "canary"},
        cited=("c1", "c2"),
        acl=("a", "b"),
        shown=(shown(1, 1, explored=True, propensity=0.25), shown(2, 2, scores={})),
    )
    bare = an_interaction(6, acl=(), cited=(), shown=(), versions={}, outcome="error")
    await segments.append(INTERACTIONS, 3, [interaction, bare])
    await segments.append(FEEDBACK, 3, votes(0, 2))
    await segments.append(JUDGEMENTS, 3, [a_judgement(interaction, 9)])
    [facts] = await read(segments)
    assert facts == PartitionFacts([interaction, bare], votes(0, 2), [a_judgement(interaction, 9)])


async def test_segments_from_before_a_column_was_kept_are_read_and_merged_with_new_ones(
    segments: Segments, shelf: Shelf
) -> None:
    old = [an_interaction(offset) for offset in range(4)]
    new = [an_interaction(offset, query="a\nb", filtered=True) for offset in range(4, 7)]
    for interaction in old:
        table = INTERACTIONS.table([interaction])
        before = parquet_bytes(table.drop_columns(["query", "filtered"]))
        name = f"{INTERACTIONS.topic}/3/{interaction.offset:012d}-{interaction.offset:012d}.parquet"
        await shelf.put(name, before)
    [facts] = await read(segments)
    assert facts.interactions == old
    for interaction in new:
        await segments.append(INTERACTIONS, 3, [interaction])
    assert len(await shelf.names()) < 7
    [facts] = await read(segments)
    assert facts.interactions == [*old, *new]


async def test_a_segment_from_before_ranks_had_64_bits_is_read_as_it_is(
    segments: Segments, shelf: Shelf
) -> None:
    data = (Path(__file__).parent / "segment_with_narrow_ranks.parquet").read_bytes()
    await shelf.put(f"{INTERACTIONS.topic}/3/000000000000-000000000001.parquet", data)
    groups = {"text": "sha256:t", "heading": "Tea", "acl": ("staff",)}
    [facts] = await read(segments)
    assert facts.interactions == [
        an_interaction(
            0,
            arms={"query-encoder": "canary"},
            cited=(chunk(1),),
            shown=(shown(1, 1, **groups), shown(2, 2, acl=()), shown(3, 3)),
            query="q",
            filtered=True,
            actor="ann",
            history=(Turn(role="user", content="hi"),),
            prompt="p",
            answer="a",
        ),
        an_interaction(1, acl=(), shown=()),
    ]


async def test_what_is_durable_is_a_window(segments: Segments) -> None:
    assert await segments.durable() == {}
    await segments.append(FEEDBACK, 3, votes(4, 10))
    await segments.append(FEEDBACK, 3, votes(10, 12))
    await segments.append(JUDGEMENTS, 0, [a_judgement(TEA, 0)])
    assert await segments.durable() == {"interactions.judged.v1/0": (0, 1), PLACE: (4, 12)}


async def test_what_is_durable_is_told_while_more_and_more_arrives(
    segments: Segments, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, appended = shelf.names, 0

    async def names_beside_a_writer(folder: str = "") -> list[str]:
        nonlocal appended
        listed = await names(folder)
        if not folder:
            appended += 1
            await segments.append(FEEDBACK, 3, votes(appended - 1, appended))
        return listed

    monkeypatch.setattr(shelf, "names", names_beside_a_writer)
    await segments.append(FEEDBACK, 4, votes(0, 1))
    assert (await segments.durable())["feedback.received.v1/4"] == (0, 1)


async def test_what_a_merge_beside_the_listing_hides_is_durable(
    segments: Segments, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    await segments.append(FEEDBACK, 3, votes(0, 10))
    names, listings = shelf.names, 0

    async def hidden_at_first(folder: str = "") -> list[str]:
        nonlocal listings
        listings += 1
        return [] if listings == 1 else await names(folder)

    monkeypatch.setattr(shelf, "names", hidden_at_first)
    assert await segments.durable() == {PLACE: (0, 10)}


async def test_what_is_durable_is_skipped(segments: Segments, shelf: Shelf) -> None:
    assert await segments.append(FEEDBACK, 3, votes(0, 10)) == 10
    assert await segments.append(FEEDBACK, 3, votes(0, 10)) == 0
    assert await segments.append(FEEDBACK, 3, votes(5, 15)) == 5
    assert await offsets(segments) == list(range(15))
    assert len(await shelf.names()) == 2


async def test_segments_of_two_writers_that_overlap_are_read_once(
    segments: Segments, shelf: Shelf
) -> None:
    for first, end in ((0, 10), (5, 15), (0, 20), (12, 14)):
        name = f"{PLACE}/{first:012d}-{end - 1:012d}.parquet"
        await shelf.put(name, parquet_bytes(FEEDBACK.table(votes(first, end))))
    assert await offsets(segments) == list(range(20))
    assert await offsets(segments, {PLACE: (7, 13)}) == list(range(7, 13))


async def test_small_neighbours_are_merged(segments: Segments, shelf: Shelf) -> None:
    for first in range(0, 350, 5):
        await segments.append(FEEDBACK, 3, votes(first, first + 5))
    assert await offsets(segments) == list(range(350))
    names = await shelf.names()
    assert f"{PLACE}/000000000000-000000000099.parquet" in names
    assert len(names) < 8


async def test_a_writer_killed_between_a_merge_and_its_clearing_does_no_harm(
    segments: Segments, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(_: str) -> None:
        raise Retryable("killed")

    with monkeypatch.context() as patched:
        patched.setattr(shelf, "delete", die)
        for first in range(0, 20, 5):
            await segments.append(FEEDBACK, 3, votes(first, first + 5))
    assert len(await shelf.names()) == 5
    assert await offsets(segments) == list(range(20))
    await segments.append(FEEDBACK, 3, votes(20, 21))
    assert await offsets(segments) == list(range(21))
    assert len(await shelf.names()) == 2


async def test_a_segment_with_rows_that_the_one_around_it_lacks_is_never_cleared(
    segments: Segments, shelf: Shelf
) -> None:
    gap = [vote for vote in votes(0, 50) if vote.offset != 12]
    await shelf.put(
        f"{PLACE}/000000000000-000000000049.parquet", parquet_bytes(FEEDBACK.table(gap))
    )
    await shelf.put(
        f"{PLACE}/000000000010-000000000014.parquet", parquet_bytes(FEEDBACK.table(votes(10, 15)))
    )
    for first in range(50, 60, 2):
        await segments.append(FEEDBACK, 3, votes(first, first + 2))
    assert await offsets(segments) == list(range(60))


async def test_a_reader_beside_a_merge_starts_again(
    segments: Segments, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for first in range(0, 15, 5):
        await segments.append(FEEDBACK, 3, votes(first, first + 5))
    window = await segments.durable()
    get, merged = shelf.get, asyncio.Event()

    async def get_late(name: str) -> bytes:
        if not merged.is_set():
            merged.set()
            await segments.append(FEEDBACK, 3, votes(15, 20))
            assert name not in await shelf.names()
        return await get(name)

    monkeypatch.setattr(shelf, "get", get_late)
    assert await offsets(segments, window) == list(range(15))


async def test_a_merge_that_fails_fails_no_append(
    segments: Segments, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(name: str) -> bytes:
        raise NotFound(name)

    with monkeypatch.context() as patched:
        patched.setattr(shelf, "get", lost)
        for first in range(0, 20, 5):
            await segments.append(FEEDBACK, 3, votes(first, first + 5))
    assert await offsets(segments) == list(range(20))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
async def test_a_full_store_keeps_nothing_by_halves_and_can_be_tried_again(
    tmp_path: Path, number: int
) -> None:
    segments = Segments(Shelf(f"file://{tmp_path}", "segments"))
    with failing(NEW_FILE, number), pytest.raises(Retryable, match=os.strerror(number)):
        await segments.append(FEEDBACK, 3, votes(0, 5))
    assert await segments.durable() == {}
    assert await segments.append(FEEDBACK, 3, votes(0, 5)) == 5


async def test_a_damaged_segment_is_named(segments: Segments, shelf: Shelf) -> None:
    await shelf.put(f"{PLACE}/000000000000-000000000004.parquet", b"not parquet")
    with pytest.raises(DamagedContentError, match=r"0-000000000004\.parquet cannot be read"):
        await offsets(segments)


async def test_what_is_no_segment_is_left_alone(segments: Segments, shelf: Shelf) -> None:
    await shelf.put(f"{PLACE}/notes.txt", b"hello")
    await segments.append(FEEDBACK, 3, votes(0, 2))
    assert await segments.durable() == {PLACE: (0, 2)}


async def test_a_window_beyond_what_is_kept_is_refused(segments: Segments) -> None:
    await segments.append(FEEDBACK, 3, votes(5, 9))
    for window in ({PLACE: (5, 10)}, {PLACE: (4, 9)}, {"feedback.received.v1/4": (0, 1)}):
        with pytest.raises(FailedPrecondition, match="choose a window within"):
            await offsets(segments, window)
    assert await offsets(segments, {PLACE: (7, 7)}) == []


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ({"documents.accepted.v1/0": (0, 1)}, "names documents.accepted.v1/0"),
        ({"feedback.received.v1": (0, 1)}, "names feedback.received.v1"),
        ({"feedback.received.v1/x": (0, 1)}, "names feedback.received.v1/x"),
        ({PLACE: (3, 2)}, "has no range"),
        ({PLACE: ("0", "2")}, "has no range"),
        ({PLACE: (1,)}, "has no range"),
    ],
)
def test_a_malformed_window_is_refused(window: dict[str, Sequence[Any]], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        validate_window(window)


def test_a_window_is_written_as_events_say_it() -> None:
    assert window_as_text(validate_window({PLACE: [0, 12]})) == {PLACE: "0-12"}
