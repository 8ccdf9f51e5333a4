"""The whole service on real engines: events on their topics become rows, soon, and once."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.bus import Bus
from gyre_common.events import ALL_TOPICS
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED
from gyre_common.events.training import TrainingEvent
from gyre_telemetry.app import create_app
from gyre_telemetry.clickhouse import open_clickhouse
from gyre_telemetry.settings import TelemetrySettings
from gyre_telemetry.translation import TRANSLATIONS

from tests.builders import EXAMPLES, a_feedback, a_verdict, an_interaction
from tests.eventually import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def client(
    kafka_servers: str,
    clickhouse_url: str,
    clickhouse_login: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[AsyncClient]:
    """The service runs as long as the test; the client reads what it wrote."""
    monkeypatch.setenv("GYRE_KAFKA_SERVERS", kafka_servers)
    monkeypatch.setenv("GYRE_CLICKHOUSE_URL", clickhouse_url)
    user, password = clickhouse_login
    monkeypatch.setenv("GYRE_CLICKHOUSE_PASSWORD", password)
    settings = TelemetrySettings()
    async with (
        AsyncExitStack() as stack,
        open_clickhouse(clickhouse_url, user=user, password=password) as client,
    ):
        await create_app(settings, stack.enter_async_context)
        yield client


async def rows(client: AsyncClient, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in (await client.query(query, parameters)).named_results()]


ANSWER = "SELECT * FROM gyre.answers WHERE tenant = {tenant:String}"


async def test_an_answer_its_verdict_and_its_vote_are_one_row_within_a_second(
    client: AsyncClient, kafka_servers: str
) -> None:
    tenant = f"kafka-{uuid4().hex[:8]}"
    about: dict[str, Any] = {"tenant": tenant, "interaction_id": uuid4()}

    async def complete_row() -> dict[str, Any] | None:
        row = next(iter(await rows(client, ANSWER, tenant=tenant)), None)
        return row if row and row["thumbs_up"] and row["judge_version"] else None

    async with Bus(kafka_servers, service="test") as bus:
        await bus.publish(FEEDBACK_RECEIVED, a_feedback(**about))  # the groups have joined after it
        await eventually(
            lambda: rows(client, "SELECT 1 FROM gyre.feedback WHERE tenant = {t:String}", t=tenant),
            timeout=60,
        )
        event_id = uuid4()
        await bus.publish(INTERACTION_JUDGED, a_verdict(**about))
        for _ in range(2):  # a producer's retry
            await bus.publish(INTERACTION_COMPLETED, an_interaction(**about), event_id=event_id)
        published = time.monotonic()
        row = await eventually(complete_row, timeout=30)
        seconds = time.monotonic() - published
    assert row is not None
    assert row["interaction_id"] == about["interaction_id"]
    assert row["event_id"] == event_id
    assert seconds < 10, "a row takes a second on an idle machine"
    [count] = await rows(
        client,
        "SELECT count() AS n FROM gyre.interactions FINAL WHERE tenant = {t:String}",
        t=tenant,
    )
    assert count["n"] == 1


async def test_a_record_that_cannot_be_read_becomes_a_dead_letter_and_its_row(
    client: AsyncClient, kafka_servers: str
) -> None:
    tenant = f"spoiled-{uuid4().hex[:8]}"
    producer = AIOKafkaProducer(bootstrap_servers=kafka_servers)
    await producer.start()
    try:
        place = await producer.send_and_wait(
            FEEDBACK_RECEIVED.name, b"{not json", key=f"{tenant}/x".encode()
        )
    finally:
        await producer.stop()

    async def dead_letter_rows() -> list[dict[str, Any]]:
        query = "SELECT * FROM gyre.dead_letters FINAL WHERE tenant = {t:String}"
        return await rows(client, query, t=tenant)

    [row] = await eventually(dead_letter_rows, timeout=60)
    assert (row["topic"], row["partition"], row["offset"]) == (
        FEEDBACK_RECEIVED.name,
        place.partition,
        place.offset,
    )
    assert (row["kind"], row["consumer_group"]) == ("poison", "telemetry")


TABLES = {
    "documents.accepted.v1": "documents",
    "documents.chunked.v1": "documents",
    "documents.indexed.v1": "documents",
    "documents.rejected.v1": "documents",
    "documents.quarantined.v1": "documents",
    "quarantines.decided.v1": "quarantine_decisions",
    "interactions.completed.v1": "interactions",
    "interactions.judged.v1": "judgements",
    "feedback.received.v1": "feedback",
    "releases.changed.v1": "releases",
    "sources.changed.v1": "sources",
    "training.started.v1": "training_runs",
    "training.finished.v1": "training_runs",
}


async def test_every_topic_reaches_its_table(client: AsyncClient, kafka_servers: str) -> None:
    assert TABLES.keys() == {topic.name for topic, _ in TRANSLATIONS}
    ids = {topic.name: uuid4() for topic in ALL_TOPICS if topic.name in TABLES}
    async with Bus(kafka_servers, service="test") as bus:
        for topic in ALL_TOPICS:
            if topic.name in TABLES:
                example = EXAMPLES[topic.name]
                if isinstance(example, TrainingEvent):  # rows of a run replace each other
                    example = example.model_copy(update={"run_id": uuid4()})
                await bus.publish(topic, example, event_id=ids[topic.name])

    async def missing() -> set[str]:
        filled_tables = {
            name
            for name, table in TABLES.items()
            if await rows(
                client, f"SELECT 1 FROM gyre.{table} WHERE event_id = {{e:UUID}}", e=ids[name]
            )
        }
        return TABLES.keys() - filled_tables

    async def all_tables_filled() -> bool:
        assert not await missing()
        return True

    await eventually(all_tables_filled, timeout=60)
