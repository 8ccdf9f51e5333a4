"""ClickHouse filled anew from Kafka, and killed in the midst of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.bus import Bus
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED
from gyre_telemetry import translation
from gyre_telemetry.clickhouse import ClickHouseSink, column_types, open_clickhouse
from gyre_telemetry.clickhouse_rebuild import ClickHouseTables
from gyre_telemetry.clickhouse_redaction import redacted_as
from gyre_telemetry.handlers import build_handlers
from gyre_telemetry.kafka_topics import KafkaTopics, topics_of_rows, translator
from gyre_telemetry.migrations import default_folder, migrate, read_migrations
from gyre_telemetry.rebuild import Positions, Read, Rebuild, Rebuilding, RebuildState, Topics
from gyre_telemetry.service import Telemetry
from gyre_telemetry.translation import Origin

from tests.builders import MORNING, a_feedback, an_interaction
from tests.eventually import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
VOTES = 40


@pytest.fixture
async def client(
    clickhouse_url: str, clickhouse_login: tuple[str, str]
) -> AsyncIterator[AsyncClient]:
    user, password = clickhouse_login
    async with open_clickhouse(clickhouse_url, user=user, password=password) as client:
        await migrate(client, read_migrations(default_folder()))
        yield client


class Stopping(KafkaTopics):
    """Stops behind the first records, as a process that is killed there."""

    def __init__(self, servers: str) -> None:
        super().__init__(servers, topics_of_rows())
        self.stopped = asyncio.Event()

    async def read(self, positions: Positions) -> AsyncGenerator[Read, None]:
        async for read in super().read(positions):
            yield read
            if read.records:
                self.stopped.set()
                await asyncio.Event().wait()


@asynccontextmanager
async def rebuilding(client: AsyncClient, topics: Topics) -> AsyncIterator[Rebuild]:
    """As one process does it, until it is killed."""
    tables = ClickHouseTables(client, await column_types(client))
    rebuild = Rebuild(tables, topics, translator(), redacted_as, silence=timedelta(0))
    work = asyncio.create_task(rebuild.work())
    try:
        yield rebuild
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def votes(client: AsyncClient, tenant: str) -> dict[str, int]:
    result = await client.query(
        "SELECT comment, count() FROM gyre.feedback FINAL WHERE tenant = {t:String} GROUP BY 1",
        parameters={"t": tenant},
    )
    return {str(comment): int(count) for comment, count in result.result_rows}


async def test_lost_rows_come_back_once_whatever_is_killed_and_old_ones_stay(
    client: AsyncClient, kafka_servers: str
) -> None:
    tenant, ids = f"t{uuid4().hex[:8]}", [uuid4() for _ in range(VOTES)]
    sink = ClickHouseSink(client, await column_types(client))
    old = a_feedback(tenant=tenant, feedback_id=uuid4(), comment="older than the topics")
    await sink.insert(
        "feedback", list(translation.feedback_received(old, Origin(uuid4(), MORNING, "", 0)))
    )
    bus = Bus(kafka_servers, service="telemetry")
    build_handlers(bus, Telemetry(sink), records=100, wait=0.05)

    async def vote(number: int) -> None:
        event = a_feedback(tenant=tenant, feedback_id=ids[number], comment=str(number))
        await bus.publish(FEEDBACK_RECEIVED, event)

    async def all_there(count: int) -> bool:
        return len(await votes(client, tenant)) == count + 1

    async with bus:
        for number in range(VOTES - 1):
            await vote(number)
        about: dict[str, Any] = {"tenant": tenant, "interaction_id": uuid4()}
        await bus.publish(INTERACTION_COMPLETED, an_interaction(**about))
        await eventually(lambda: all_there(VOTES - 1), timeout=60)
        await client.command(
            "ALTER TABLE gyre.feedback DELETE WHERE tenant = {t:String} AND toUInt32OrZero(comment)"
            " > 20",
            parameters={"t": tenant},
            settings={"mutations_sync": 1},
        )
        assert len(await votes(client, tenant)) == 22

        stopping = Stopping(kafka_servers)
        async with rebuilding(client, stopping) as rebuild:
            first_id = await rebuild.start(swap=True)
            await asyncio.wait_for(stopping.stopped.wait(), 60)
            await rebuild._save()  # as it does every few seconds
        assert len(await votes(client, tenant)) == 22, "the live tables are as they were"
        await vote(VOTES - 1)

        topics = KafkaTopics(kafka_servers, topics_of_rows())
        async with rebuilding(client, topics) as rebuild:
            assert await rebuild.start(swap=True) == first_id

            async def finished() -> Rebuilding | None:
                last, _ = await rebuild.progress()
                assert last is not None
                assert not last.problem
                return last if last.state is RebuildState.FINISHED else None

            last = await eventually(finished, timeout=120)
        await eventually(lambda: all_there(VOTES), timeout=60)

    assert last.records_read == last.records >= VOTES + 1
    expected = {**{str(number): 1 for number in range(VOTES)}, "older than the topics": 1}
    assert await votes(client, tenant) == expected
    assert last.rows_after["feedback"] >= last.rows_before["feedback"] + VOTES - 22
    for name, before in last.rows_before.items():
        assert last.rows_after[name] >= before, name
    databases = await client.query("SELECT 1 FROM system.databases WHERE name = 'gyre_rebuild'")
    assert not databases.result_rows
    answers = await client.query(
        "SELECT count() FROM gyre.answers WHERE tenant = {t:String}", parameters={"t": tenant}
    )
    assert answers.result_rows == [(1,)]
    bare = await client.query(
        "SELECT name FROM system.tables WHERE database = 'gyre' AND comment = ''"
    )
    assert not bare.result_rows
