"""New tables beside the live ones: the same in memory and in ClickHouse."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from gyre_common.events.event import now
from gyre_telemetry import translation
from gyre_telemetry.clickhouse import column_types, open_clickhouse
from gyre_telemetry.clickhouse_rebuild import ClickHouseTables
from gyre_telemetry.migrations import default_folder, migrate, read_migrations
from gyre_telemetry.rebuild import Rebuilding, RebuildState, Tables
from gyre_telemetry.service import Telemetry
from gyre_telemetry.translation import Origin

from tests.builders import MORNING, a_feedback
from tests.fakes.telemetry_tables import MemoryTables


@pytest.fixture(params=["memory", pytest.param("engine", marks=pytest.mark.integration)])
async def tables(request: pytest.FixtureRequest) -> AsyncIterator[Tables]:
    if request.param == "memory":
        yield MemoryTables()
        return
    url = request.getfixturevalue("clickhouse_url")
    user, password = request.getfixturevalue("clickhouse_login")
    async with open_clickhouse(url, user=user, password=password) as client:
        await migrate(client, read_migrations(default_folder()))
        tables = ClickHouseTables(client, await column_types(client))
        yield tables
        await tables.drop()


async def say(tables: Tables, comment: str, *, new: bool, of: Origin) -> None:
    event = a_feedback(tenant="rebuilt", feedback_id=of.event_id, comment=comment)
    await Telemetry(tables.sink(new=new)).record(translation.feedback_received(event, of))


def an_origin() -> Origin:
    return Origin(uuid4(), MORNING, "", offset=0)


async def test_a_copy_holds_what_there_is_and_takes_the_place_of_it_once(tables: Tables) -> None:
    both, later = an_origin(), an_origin()
    await say(tables, "of before", new=False, of=both)
    copied = await tables.copy()
    assert await tables.fit(copied)
    before = (await tables.row_counts(new=False))["feedback"]
    assert (await tables.row_counts(new=True))["feedback"] == before
    await say(tables, "read again", new=True, of=both)
    await say(tables, "new", new=True, of=later)
    assert (await tables.row_counts(new=True))["feedback"] == before + 1
    for _ in range(2):
        await tables.swap(copied)
        assert (await tables.row_counts(new=False))["feedback"] == before + 1
        assert (await tables.row_counts(new=True))["feedback"] == before
    await tables.drop()
    assert await tables.fit(copied)
    await tables.drop()
    assert (await tables.row_counts(new=False))["feedback"] == before + 1


async def test_what_was_dropped_or_never_copied_does_not_fit(tables: Tables) -> None:
    copied = await tables.copy()
    again = await tables.copy()
    assert not await tables.fit(copied)
    await tables.drop()
    assert not await tables.fit(again)
    assert not await tables.fit({})


async def test_how_far_it_is_comes_back_as_it_was_kept(tables: Tables) -> None:
    moment = now().replace(microsecond=0)
    first = Rebuilding(started_at=moment - timedelta(days=9), state=RebuildState.DROPPED)
    last = Rebuilding(
        started_at=moment,
        updated_at=moment,
        state=RebuildState.READING,
        swap=False,
        positions={"feedback.received.v1/3": 7},
        tables={"feedback": uuid4()},
        rows_before={"feedback": 3},
        problem="Kafka's away",
    )
    later = replace(last, updated_at=moment + timedelta(seconds=3), records_read=9, records=12)
    for each in (later, first, last):
        await tables.save(each) if each is not last else None
    assert await tables.last() == later
    ended = replace(later, state=RebuildState.DROPPED, updated_at=moment + timedelta(seconds=4))
    await tables.save(ended)
    assert await tables.last() == ended
