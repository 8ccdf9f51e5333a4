"""Tables filled anew: nothing lost, nothing doubled, and no word comes back that was redacted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from gyre_common.bus.envelope import headers_for
from gyre_common.bus.record import UnreadValue
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import now
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_telemetry import translation
from gyre_telemetry.kafka_topics import translator
from gyre_telemetry.rebuild import Positions, Read, Rebuild, RebuildState, RedactedWindow
from gyre_telemetry.translation import origin_of

from tests.builders import MORNING, a_feedback
from tests.eventually import eventually
from tests.fakes.bus import StoredRecord
from tests.fakes.telemetry_tables import MemoryTables, MemoryTopics

NAMES = UUID("5b1a0000-0000-4000-8000-000000000000")
PLACE = f"{FEEDBACK_RECEIVED.name}/0"


def words(*comments: str, tenant: str = "default") -> list[FeedbackReceived]:
    return [
        a_feedback(feedback_id=uuid5(NAMES, comment), comment=comment, tenant=tenant)
        for comment in comments
    ]


def a_record(offset: int, event: FeedbackReceived) -> StoredRecord:
    headers = headers_for(FEEDBACK_RECEIVED, event.feedback_id, "test")
    value = event.to_json()
    return StoredRecord(FEEDBACK_RECEIVED.name, 0, offset, 0, b"k", value, tuple(headers))


class House:
    """Live tables that hold what the topics held, and what fills them anew."""

    def __init__(self, *comments: str) -> None:
        self.tables, self.topics = MemoryTables(), MemoryTopics()
        self.topics.partitions[PLACE] = []
        for comment in comments:
            self.happens(comment)

    def happens(self, comment: str, *, live: bool = True, tenant: str = "default") -> None:
        """Somebody says something; the live table has it too unless that went wrong."""
        [event] = words(comment, tenant=tenant)
        log = self.topics.partitions[PLACE]
        log.append(a_record(len(log), event))
        if live:
            rows = list(translation.feedback_received(event, origin_of(log[-1])))
            self.tables.insert(rows, new=False)

    def damage(self) -> None:
        """The live table loses all rows, and one is another one."""
        table = self.tables.live
        key, row = next(iter(table.items()))
        table.clear()
        table[key] = {**row, "comment": "damaged"}

    def comments(self) -> list[str]:
        return sorted(str(row["comment"]) for row in self.tables.live.values())

    @asynccontextmanager
    async def rebuilding(self, topics: Any = None) -> AsyncIterator[Rebuild]:
        rebuild = Rebuild(
            self.tables,
            topics or self.topics,
            translator(),
            lambda tenant: "mask: all" if tenant == "masked" else "keep: all",
            silence=timedelta(0),
        )
        work = asyncio.create_task(rebuild.work())
        try:
            yield rebuild
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def rebuilt(self, *, swap: bool = True) -> Any:
        async with self.rebuilding() as rebuild:
            await rebuild.start(swap=swap)
            return await ended(rebuild)


async def ended(rebuild: Rebuild) -> Any:
    async def last() -> Any:
        progress, runs = await rebuild.progress()
        assert progress is not None
        return None if runs or progress.state is RebuildState.READING else progress

    return await eventually(last)


async def test_what_the_tables_lost_comes_from_the_topics_and_what_was_wrong_is_right() -> None:
    house = House("a", "b", "c")
    house.damage()
    last = await house.rebuilt()
    assert last.state is RebuildState.FINISHED
    assert house.comments() == ["a", "b", "c"]
    assert (last.rows_before, last.rows_after) == ({"feedback": 1}, {"feedback": 3})
    assert (last.records_read, last.records) == (3, 3)


async def test_what_the_topics_hold_no_more_stays_and_counts_are_equal() -> None:
    house = House("old", "older", "new")
    house.topics.begins[PLACE] = 2
    last = await house.rebuilt()
    assert house.comments() == ["new", "old", "older"]
    assert last.rows_before == last.rows_after == {"feedback": 3}


class Interrupted(MemoryTopics):
    """Stops before its third piece until somebody lets it go on."""

    def __init__(self, topics: MemoryTopics) -> None:
        self._topics = topics
        self.goes_on = asyncio.Event()
        self.waits = asyncio.Event()

    async def read(self, positions: Positions) -> AsyncGenerator[Read, None]:
        count = 0
        async for read in self._topics.read(positions):
            count += 1
            if count == 3:
                self.waits.set()
                await self.goes_on.wait()
            yield read


async def test_what_was_killed_in_the_midst_goes_on_where_it_was() -> None:
    house = House(*map(str, range(20)))
    house.damage()
    interrupted = Interrupted(house.topics)
    async with house.rebuilding(interrupted) as rebuild:
        first_id = await rebuild.start(swap=True)
        await interrupted.waits.wait()
        await rebuild._save()  # as it does every few seconds
    assert house.comments() == ["damaged"]

    positions_read: list[int] = []

    class Watched(MemoryTopics):
        async def read(self, positions: Positions) -> AsyncGenerator[Read, None]:
            positions_read.append(positions.get(PLACE, 0))
            async for read in house.topics.read(positions):
                yield read

    async with house.rebuilding(Watched()) as rebuild:
        assert await rebuild.start(swap=True) == first_id
        last = await ended(rebuild)
    assert positions_read[0] == 4
    assert last.state is RebuildState.FINISHED
    assert house.comments() == sorted(map(str, range(20)))
    assert last.records_read == 20


async def test_what_happens_meanwhile_is_there_too() -> None:
    house = House(*map(str, range(10)))
    interrupted = Interrupted(house.topics)
    async with house.rebuilding(interrupted) as rebuild:
        await rebuild.start(swap=True)
        await interrupted.waits.wait()
        for comment in ("while", "it", "reads"):
            house.happens(comment)
        interrupted.goes_on.set()
        last = await ended(rebuild)
    assert {"while", "it", "reads"} <= set(house.comments())
    assert last.rows_before == last.rows_after == {"feedback": 13}


async def test_an_engine_that_is_away_is_waited_for_and_shown() -> None:
    house = House("a", "b")
    house.tables.away = 2
    async with house.rebuilding() as rebuild:
        await rebuild.start(swap=True)
        await eventually(lambda: any("ClickHouse is away" in one for one in rebuild.problems()))
        last = await ended(rebuild)
        assert not rebuild.problems()
    assert last.state is RebuildState.FINISHED


async def test_what_can_be_no_row_is_counted_and_keeps_nothing_back() -> None:
    house = House("a", "b", "c", "d")
    log = house.topics.partitions[PLACE]
    log.append(StoredRecord(FEEDBACK_RECEIVED.name, 0, len(log), 0, b"k", b"{not json"))
    house.tables.refuses = "c"
    last = await house.rebuilt()
    assert (last.state, last.left_out) == (RebuildState.FINISHED, 2)
    assert house.comments() == ["a", "b", "c", "d"]


async def test_words_that_were_redacted_do_not_come_back() -> None:
    house = House()
    house.happens("the words of before", live=False, tenant="acme")
    [event] = words("the words of before", tenant="acme")
    redacted = event.model_copy(update={"comment": "[REDACTED]"})
    origin = origin_of(house.topics.partitions[PLACE][0])
    house.tables.insert(list(translation.feedback_received(redacted, origin)), new=False)
    hour = timedelta(hours=1)
    house.tables.windows = [
        RedactedWindow("acme", MORNING - hour, MORNING + 9 * hour, "mask: all", MORNING)
    ]
    await house.rebuilt()
    assert house.comments() == ["[REDACTED]"]


async def test_what_is_redacted_while_it_runs_keeps_it_from_being_swapped() -> None:
    house = House("a")
    house.damage()
    async with house.rebuilding() as rebuild:
        await rebuild.start(swap=False)
        await ended(rebuild)
        house.tables.windows = [RedactedWindow("acme", MORNING, MORNING, "mask: all", now())]
        await rebuild.start(swap=True)
        last = await ended(rebuild)
        assert last.state is RebuildState.FAILED
        assert "redacted after it began" in last.problem
        assert house.comments() == ["damaged"]
        await rebuild.drop()
    assert (await house.rebuilt()).state is RebuildState.FINISHED


async def test_a_rebuild_that_began_elsewhere_while_rows_were_redacted_is_an_error() -> None:
    house = House("a")
    with pytest.raises(FailedPrecondition, match="began while rows were rewritten"):
        async with Rebuild(house.tables, house.topics, translator(), str).standing_still():
            await house.rebuilt()


async def test_who_was_silent_and_is_taken_over_ends_and_writes_nothing_more() -> None:
    house = House(*map(str, range(20)))
    interrupted = Interrupted(house.topics)
    async with house.rebuilding(interrupted) as silent:
        await silent.start(swap=True)
        await interrupted.waits.wait()
        last = await house.rebuilt(swap=False)
        assert last.state is RebuildState.BUILT
        interrupted.goes_on.set()
        await eventually(lambda: not silent._works)
        assert await house.tables.last() == last
    assert house.tables.copies == 1


async def test_what_is_saved_is_no_older_than_what_a_clock_ahead_of_this_one_left() -> None:
    house = House("a")
    built = await house.rebuilt(swap=False)
    ahead = replace(built, updated_at=now() + timedelta(minutes=1), owner="another")
    await house.tables.save(ahead)
    last = await house.rebuilt()
    assert last.state is RebuildState.FINISHED
    assert last.updated_at >= ahead.updated_at


async def test_tables_that_another_version_changes_are_copied_anew() -> None:
    house = House("a", "b")
    await house.rebuilt(swap=False)
    house.tables.changed = True
    async with house.rebuilding() as rebuild:
        rebuild._rebuild = await house.tables.last()
        await rebuild._begin_swap()
        assert rebuild._now.state is RebuildState.COPYING


async def test_a_damaged_batch_is_waited_for() -> None:
    house = House("a")
    damaged = UnreadValue("a damaged batch", first=1, batch=b"?", damaged=True)
    log = house.topics.partitions[PLACE]
    log.append(StoredRecord(FEEDBACK_RECEIVED.name, 0, 1, 0, b"k", damaged))
    async with house.rebuilding() as rebuild:
        await rebuild.start(swap=True)
        await eventually(lambda: any("a damaged batch" in one for one in rebuild.problems()))
        log[1] = a_record(1, words("b")[0])
        last = await ended(rebuild)
    assert (last.state, last.left_out) == (RebuildState.FINISHED, 0)
    assert house.comments() == ["a", "b"]


async def test_an_error_of_any_kind_is_its_reason_and_ends_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House("a")

    async def fails() -> None:
        raise KeyError("feedback")

    monkeypatch.setattr(house.tables, "copy", fails)
    last = await house.rebuilt()
    assert (last.state, last.problem) == (RebuildState.FAILED, "KeyError: 'feedback'")
    monkeypatch.undo()
    assert (await house.rebuilt()).state is RebuildState.FINISHED


async def test_the_new_tables_wait_until_somebody_looked_at_them() -> None:
    house = House("a", "b")
    house.damage()
    last = await house.rebuilt(swap=False)
    assert (last.state, last.rows_after) == (RebuildState.BUILT, {"feedback": 2})
    assert house.comments() == ["damaged"]
    house.happens("later")
    assert (await house.rebuilt()).state is RebuildState.FINISHED
    assert house.comments() == ["a", "b", "later"]


async def test_it_can_be_given_up_and_redacting_waits_for_that() -> None:
    house = House("a")
    async with house.rebuilding() as rebuild:
        with pytest.raises(FailedPrecondition, match="no rebuild is under way"):
            await rebuild.drop()
        async with rebuild.standing_still():
            with pytest.raises(FailedPrecondition, match="being redacted"):
                await rebuild.start(swap=True)
        await rebuild.start(swap=False)
        await ended(rebuild)
        with pytest.raises(FailedPrecondition, match="gyre telemetry drop"):
            async with rebuild.standing_still():
                pass
        await rebuild.drop()
        async with rebuild.standing_still():
            pass
    assert house.comments() == ["a"]


async def test_one_that_runs_elsewhere_is_left_to_it() -> None:
    house = House("a")
    blocked = Interrupted(house.topics)
    for number in range(20):
        house.happens(str(number))
    async with house.rebuilding(blocked) as first:
        first_id = await first.start(swap=True)
        await blocked.waits.wait()
        other = Rebuild(house.tables, house.topics, translator(), str)
        assert await other.start(swap=True) == first_id
        assert not other._wanted.is_set()
        with pytest.raises(FailedPrecondition, match="another process"):
            await other.drop()
        blocked.goes_on.set()
        await ended(first)
