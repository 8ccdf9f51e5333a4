"""Dead letters as `gyre dlq` shows them, from a real broker over telemetry's RPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from gyre_cli.commands.dlq import as_json
from gyre_client import Addresses, AsyncClient, FailedPrecondition, NotFound, Unavailable
from gyre_common.bus import Bus
from gyre_common.bus.dead_letters import open_dead_letters
from gyre_common.bus.held_records import held_by, skip
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import Poison
from gyre_common.events.documents import DOCUMENT_SUBMITTED
from gyre_common.events.event import new_id
from gyre_common.rpc import serve
from gyre_telemetry.dead_letters import DeadLetterDesk
from gyre_telemetry.rpc import DeadLetterRpc

from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.eventually import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
async def topic(kafka_servers: str) -> str:
    """A topic of this test's own with three dead letters, the last not parked by us."""
    topic = replace(DOCUMENT_SUBMITTED, name=f"test-cli.{new_id()}.v1")
    await ensure_topics(kafka_servers, [topic])
    cause = {
        "kind": "poison",
        "error": "Poison",
        "message": "not JSON",
        "topic": topic.name,
        "partition": "3",
        "offset": "7",
        "attempts": "1",
        "group": "ingestor",
    }
    async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as producer:
        for minute in (1, 2):
            headers = {**cause, "time": f"2026-01-05T09:0{minute}:00Z"}
            await producer.send_and_wait(
                topic.dlq,
                b"\xff not json",
                key=f"k{minute}".encode(),
                headers=[(f"gyre-dlq-{name}", text.encode()) for name, text in headers.items()],
            )
        await producer.send_and_wait(topic.dlq, None, key=b"k3")
    return topic.name


@asynccontextmanager
async def talking_to(servers: str) -> AsyncIterator[AsyncClient]:
    """A client of a telemetry that reads this broker."""
    rpc = DeadLetterRpc(DeadLetterDesk(partial(open_dead_letters, servers), partial(skip, servers)))
    async with (
        serve([rpc]) as server,
        AsyncClient(Addresses(telemetry=f"127.0.0.1:{server.port}")) as gyre,
    ):
        yield gyre


async def test_what_is_not_held_is_not_skipped(kafka_servers: str, topic: str) -> None:
    async with talking_to(kafka_servers) as gyre:
        with pytest.raises(NotFound, match=f"nothing is held on {topic} 0"):
            await gyre.dead_letters.skip(topic, 0, 7, actor="ann", reason="a typo")


async def test_a_held_record_is_skipped_and_its_consumer_goes_on(kafka_servers: str) -> None:
    topic = message_topic(f"test-cli.{new_id()}.v1")
    await ensure_topics(kafka_servers, [topic])
    done: list[int] = []
    bus = Bus(kafka_servers, service="test", delivery=replace(QUICK, parked_streak=1))

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        if event.ordinal < 2:
            raise Poison("a bad deploy")
        done.append(event.ordinal)

    async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as producer:
        for ordinal in range(3):
            value = MessageSent(listener="ann", ordinal=ordinal).to_json()
            await producer.send_and_wait(topic.name, value, b"ann", partition=0)
    async with talking_to(kafka_servers) as gyre, bus:
        await eventually(lambda: held_by(kafka_servers, [f"g.{topic.name}"]))
        with pytest.raises(FailedPrecondition, match=f"held is {topic.name} 0 1, not offset 0"):
            await gyre.dead_letters.skip(topic.name, 0, 0, actor="ann", reason="a typo")
        await gyre.dead_letters.skip(topic.name, 0, 1, actor="ann", reason="mended")
        await eventually(lambda: done == [2])
        newest, _ = await gyre.dead_letters.show(topic.name)
        assert "skipped by ann: mended" in str(as_json(newest)["message"])


async def test_dead_letters_are_counted_by_topic(kafka_servers: str, topic: str) -> None:
    async with talking_to(kafka_servers) as gyre:
        assert (await gyre.dead_letters.list())[f"{topic}.dlq"] == 3


async def test_the_newest_come_first_with_their_cause_and_looking_consumes_nothing(
    kafka_servers: str, topic: str
) -> None:
    async with talking_to(kafka_servers) as gyre:
        for name in (topic, f"{topic}.dlq"):
            letter_rows = [as_json(one) for one in await gyre.dead_letters.show(name)]
            foreign, newest, oldest = letter_rows
            assert (foreign["value"], foreign["kind"], foreign["origin"]) == (None, None, None)
            assert (newest["key"], oldest["key"]) == ("k2", "k1")
            assert newest["value"] == "\\xff not json"
            assert (newest["kind"], newest["message"]) == ("poison", "not JSON")
            assert (newest["origin"], newest["attempts"]) == (f"{topic}/3/7", 1)
            assert newest["parked_at"] == "2026-01-05T09:02:00Z"
        assert len(await gyre.dead_letters.show(topic, limit=2)) == 2


async def test_a_topic_without_dead_letters_is_told_where_there_are_some(
    kafka_servers: str, topic: str
) -> None:
    async with talking_to(kafka_servers) as gyre:
        with pytest.raises(NotFound, match=r"no dead letters of nope: there are .*dlq"):
            await gyre.dead_letters.show("nope")


async def test_a_broker_that_is_down_is_named(unused_tcp_port: int) -> None:
    async with talking_to(f"127.0.0.1:{unused_tcp_port}") as gyre:
        with pytest.raises(Unavailable, match=f"Kafka at 127.0.0.1:{unused_tcp_port}"):
            await gyre.dead_letters.list()
