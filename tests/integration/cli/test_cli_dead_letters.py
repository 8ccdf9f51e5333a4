"""Dead letters as `gyre dlq` shows them, from a real broker over telemetry's RPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from aiokafka import AIOKafkaProducer
from gyre.telemetry.v1.telemetry_pb2 import DeadLetterFilter
from gyre_cli.commands.dlq import as_json
from gyre_client import Addresses, AsyncClient, FailedPrecondition, NotFound, Unavailable
from gyre_common.bus import Bus, current_record
from gyre_common.bus.dead_letters import open_dead_letters
from gyre_common.bus.held_records import held_by, skip
from gyre_common.bus.replaying import first_place
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import Poison
from gyre_common.events.documents import DOCUMENT_SUBMITTED
from gyre_common.events.event import new_id
from gyre_common.rpc import serve
from gyre_telemetry.dead_letters import DeadLetterDesk
from gyre_telemetry.rpc import DeadLetterRpc

from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.eventually import eventually
from tests.kafka_messages import reads_as

pytestmark = pytest.mark.integration

BUG = DeadLetterFilter(cause="a bug of ours")


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
    opened, skipped = partial(open_dead_letters, servers), partial(skip, servers)
    rpc = DeadLetterRpc(DeadLetterDesk(opened, skipped, compacted=frozenset()))
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
        counts = {one.topic: one.count for one in await gyre.dead_letters.list()}
        assert counts[f"{topic}.dlq"] == 3


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


async def test_a_letter_is_replayed_once_with_its_ids_and_another_one_is_dropped(
    kafka_servers: str,
) -> None:
    topic = message_topic(f"test-cli.{new_id()}.v1")
    await ensure_topics(kafka_servers, [topic])
    bus = Bus(kafka_servers, service="test", delivery=QUICK)
    handled: list[tuple[int, UUID, bytes | None, int]] = []
    mended = False

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        if event.ordinal and not mended:
            raise Poison("a bug of ours")
        record = current_record()
        place = first_place(record.raw)
        handled.append((event.ordinal, record.event_id, record.raw.key, place.offset))

    async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as producer:
        for ordinal in range(3):
            value = MessageSent(listener="ann", ordinal=ordinal).to_json()
            await producer.send_and_wait(topic.name, value, b"\xffann", partition=1)
    async with talking_to(kafka_servers) as gyre, bus:
        await eventually(lambda: len(handled) == 1)

        async def waiting() -> int:
            return (await gyre.dead_letters.count(topic.name, BUG)).count

        await eventually(lambda: reads_as(waiting(), 2))
        mended = True
        for outcome in ("replayed", "already"):
            (one,) = [each async for each in gyre.dead_letters.replay(topic.name, [0], actor="ann")]
            assert one.outcome == outcome
        (dropped,) = [
            each
            async for each in gyre.dead_letters.drop(
                topic.name, chosen=BUG, actor="ann", reason="nobody misses it"
            )
        ]
        assert (dropped.offset, dropped.outcome) == (1, "dropped")
        await eventually(lambda: len(handled) == 2)
        assert await waiting() == 0
        assert list(await gyre.dead_letters.show(topic.name)) == []
        second, first = await gyre.dead_letters.show(topic.name, decided=True)
        assert (first.decision.verdict, first.decision.actor) == ("replayed", "ann")
        assert (second.decision.verdict, second.decision.reason) == ("dropped", "nobody misses it")
    place = f"kafka:{topic.name}/1/1"
    assert handled[1] == (1, uuid5(NAMESPACE_URL, place), b"\xffann", 1)


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
