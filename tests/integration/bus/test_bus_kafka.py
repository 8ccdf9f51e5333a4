"""What only a real broker can show: offsets, rebalances, drains, topics, size, back-pressure."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from gyre_common.bus import (
    Bus,
    CompactedReader,
    Record,
    Retired,
)
from gyre_common.bus.dead_letters import DeadLetter, open_dead_letters
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import Retryable
from gyre_common.events.topic import Topic
from gyre_common.telemetry import METRICS

from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.eventually import eventually
from tests.kafka_messages import a_bus, reads_as, send_messages

pytestmark = pytest.mark.integration


@pytest.fixture
async def admin(kafka_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
    await admin.start()
    yield admin
    await admin.close()


async def committed(admin: AIOKafkaAdminClient, topic: Topic[MessageSent], group: str) -> int:
    offsets = await admin.list_consumer_group_offsets(f"{group}.{topic.name}")
    return sum(offset.offset for offset in offsets.values() if offset.offset > 0)


async def test_nothing_is_committed_before_the_work_is_done(
    kafka_servers: str,
    topic: Topic[MessageSent],
    producer: AIOKafkaProducer,
    admin: AIOKafkaAdminClient,
) -> None:
    go = asyncio.Event()
    done: list[int] = []
    bus = a_bus(kafka_servers)

    @bus.on(topic, group="g", concurrency=1)
    async def on_message_sent(event: MessageSent) -> None:
        if event.ordinal == 3:
            await go.wait()
        done.append(event.ordinal)

    await send_messages(producer, topic, 6, "ann")
    async with bus:
        await eventually(lambda: done == [0, 1, 2])
        await eventually(lambda: reads_as(committed(admin, topic, "g"), 3))
        go.set()
        await eventually(lambda: reads_as(committed(admin, topic, "g"), 6))


async def test_markers_of_transactions_and_what_was_aborted_are_no_lag_for_anybody(
    kafka_servers: str, topic: Topic[MessageSent], admin: AIOKafkaAdminClient
) -> None:
    bus = a_bus(kafka_servers)
    done: list[MessageSent] = []

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        done.append(event)

    value = MessageSent(listener="ann").to_json()
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_servers, transactional_id=f"t-{uuid4()}"
    ) as producer:
        async with producer.transaction():
            await producer.send(topic.name, value, partition=0)
        for partition in (0, 1):  # the second one never holds a record
            await producer.begin_transaction()
            await producer.send_and_wait(topic.name, value, partition=partition)
            await producer.abort_transaction()
        async with bus:
            lag = METRICS.consumer_lag.labels(topic.name, "g")
            await eventually(lambda: len(done) == 1)
            await eventually(lambda: _nobody_sees_a_lag(kafka_servers, topic, admin), 20)
            (subscription,) = bus._subscriptions
            await subscription._measure_lag()
            assert lag._value.get() == 0
    async with a_bus(kafka_servers) as again:
        assert again.healthy()
    assert len(done) == 1


async def _nobody_sees_a_lag(
    servers: str, topic: Topic[MessageSent], admin: AIOKafkaAdminClient
) -> bool:
    """Whether the group's committed offsets are the ends of all its partitions that have one."""
    offsets = await admin.list_consumer_group_offsets(f"g.{topic.name}")
    async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
        ends = await consumer.end_offsets([TopicPartition(topic.name, n) for n in range(4)])
    assert {place.partition: each.offset for place, each in offsets.items() if each.offset > 0} == {
        0: 4,
        1: 2,
    }
    return all(offsets[place].offset == end for place, end in ends.items() if end)


async def test_leaving_finishes_what_runs_and_starts_nothing_more(
    kafka_servers: str,
    topic: Topic[MessageSent],
    producer: AIOKafkaProducer,
    admin: AIOKafkaAdminClient,
) -> None:
    go = asyncio.Event()
    started: list[int] = []
    bus = a_bus(kafka_servers, replace(QUICK, commit_every=60))

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        started.append(event.ordinal)
        await go.wait()

    await send_messages(producer, topic, 6, "ann")
    async with bus:
        await eventually(lambda: started == [0])
        asyncio.get_running_loop().call_later(0.2, go.set)
    assert started == [0]
    assert await committed(admin, topic, "g") == 1


async def test_leaving_cuts_a_pause_short(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    bus = a_bus(kafka_servers, replace(QUICK, retry_first=300, retry_longest=600))
    tries = Counter[str]()

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        tries[event.listener] += 1
        raise Retryable("not today") if event.listener == "ann" else ZeroDivisionError

    await send_messages(producer, topic, 1, "ann", *"bcdefghijk")
    async with bus:
        await eventually(lambda: tries["ann"] and len(tries) > 3)
        left_at = time.monotonic()
    assert time.monotonic() - left_at < 3
    assert set(tries.values()) == {1}
    assert await _parked(kafka_servers, topic) == 0


async def test_a_handler_that_outlasts_the_drain_is_cancelled_and_its_record_read_again(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    first, second = a_bus(kafka_servers, replace(QUICK, drain_limit=0.3)), a_bus(kafka_servers)
    started, cancelled, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @first.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    @second.on(topic, group="g")
    async def on_message_sent_again(event: MessageSent) -> None:
        done.set()

    await send_messages(producer, topic, 1, "ann")
    async with first:
        await asyncio.wait_for(started.wait(), 10)
    assert cancelled.is_set()
    async with second:
        await asyncio.wait_for(done.wait(), 10)


async def test_a_member_that_joins_and_leaves_costs_no_repetition(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    """Eager rebalances take every partition away from everybody; a clean drain makes that free."""
    done = Counter[tuple[str, int]]()
    by_bus = Counter[str]()

    def member(name: str) -> Bus:
        bus = a_bus(kafka_servers)

        @bus.on(topic, group="g", concurrency=4)
        async def on_message_sent(event: MessageSent) -> None:
            await asyncio.sleep(0.002)
            done[event.listener, event.ordinal] += 1
            by_bus[name] += 1

        return bus

    async with member("stays"):
        await send_messages(producer, topic, 10)
        await eventually(lambda: by_bus["stays"] > 50)
        async with member("comes and goes"):
            await send_messages(producer, topic, 10)
            await eventually(lambda: by_bus["comes and goes"] > 50, 20)
        await eventually(lambda: len(done) == 500 and sum(done.values()) == 1000, 20)
    assert set(done.values()) == {2}


async def test_a_waiting_partition_keeps_its_place_in_the_group(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    """Longer than Kafka waits for a silent member."""
    bus = a_bus(kafka_servers, replace(QUICK, retry_first=0.5, retry_longest=2))
    until = time.monotonic() + QUICK.session + 1.5
    done: list[str] = []
    tries = 0

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        nonlocal tries
        if event.listener == "ann" and time.monotonic() < until:
            tries += 1
            raise Retryable("an engine is down")
        done.append(event.listener)

    await send_messages(producer, topic, 1, "ann")
    async with bus:
        await eventually(lambda: "ann" in done, QUICK.session + 8)
        await send_messages(producer, topic, 1, *"bcdefgh")
        await eventually(lambda: sorted(done) == ["ann", *"bcdefgh"])
    assert 3 <= tries < 30


async def test_what_is_in_flight_is_bounded(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    delivery = replace(QUICK, partition_records=20)
    bus = a_bus(kafka_servers, delivery)
    go = asyncio.Event()
    done = 0

    @bus.on(topic, group="g", concurrency=2)
    async def on_message_sent(event: MessageSent) -> None:
        nonlocal done
        await go.wait()
        done += 1

    await send_messages(producer, topic, 2_000, "ann")
    async with bus:
        (subscription,) = bus._subscriptions
        subscriber: Any = bus.broker.subscribers[0]
        await eventually(lambda: subscriber.consumer.paused())
        assert subscription.scheduler.unfinished <= 20 + 500  # and one poll
        go.set()
        await eventually(lambda: done == 2_000, 20)
        assert not subscriber.consumer.paused()


async def test_topics_are_created_as_declared_by_many_at_once(
    kafka_servers: str, admin: AIOKafkaAdminClient
) -> None:
    name = f"messages.latest-{uuid4().hex[:8]}.v1"
    topic = message_topic(name, compacted=True)
    await asyncio.gather(*(ensure_topics(kafka_servers, [topic]) for _ in range(5)))
    configs = await _configs(admin, topic.name, topic.dlq)
    assert configs[topic.name]["cleanup.policy"] == "compact"
    assert configs[topic.name]["min.compaction.lag.ms"] == "86400000"
    assert configs[topic.dlq]["cleanup.policy"] == "delete"
    assert configs[topic.dlq]["retention.ms"] == str(7 * 86400000)
    described = await admin.describe_topics([topic.name, topic.dlq])
    partitions = {entry["topic"]: len(entry["partitions"]) for entry in described}
    assert partitions == {topic.name: 4, topic.dlq: 1}


async def test_one_key_goes_to_one_partition_whoever_publishes_it(kafka_servers: str) -> None:
    topic = message_topic(f"messages.sent-{uuid4().hex[:8]}.v1", compacted=True)
    async with a_bus(kafka_servers) as one, Bus(kafka_servers, service="other") as other:
        for number in range(10):
            await one.publish(topic, MessageSent(listener=f"l{number}", ordinal=1))
            await other.publish(topic, MessageSent(listener=f"l{number}", ordinal=2))
    async with CompactedReader(kafka_servers, topic) as reader:
        assert {record.event.ordinal for record in reader.records} == {2}
        assert len({record.raw.partition for record in reader.records}) > 1


async def test_a_compacted_topic_is_read_whole_and_then_followed(kafka_servers: str) -> None:
    topic = message_topic(f"messages.latest-{uuid4().hex[:8]}.v1", compacted=True)
    await ensure_topics(kafka_servers, [topic])
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_servers, transactional_id=f"t-{uuid4()}"
    ) as producer:

        async def put(key: str, value: bytes | None) -> None:
            async with producer.transaction():
                await producer.send_and_wait(topic.name, value, key.encode())

        for ordinal in range(3):
            await put("ann", MessageSent(listener="ann", ordinal=ordinal).to_json())
        await put("bob", MessageSent(listener="bob").to_json())
        await put("bob", None)
        await put("cem", b"broken")
        await producer.begin_transaction()
        await producer.send_and_wait(topic.name, MessageSent(listener="dea").to_json(), b"dea")
        await producer.abort_transaction()

        async with CompactedReader(kafka_servers, topic) as reader:
            assert [(r.event.listener, r.event.ordinal) for r in reader.records] == [("ann", 2)]
            changes: list[Record[MessageSent] | Retired] = []

            async def follow() -> None:
                async for change in reader.follow():
                    changes.append(change)  # noqa: PERF401 - one after the other, for ever

            following = asyncio.create_task(follow())
            await put("eva", MessageSent(listener="eva").to_json())
            await put("ann", None)
            await eventually(lambda: len(changes) == 2)
            following.cancel()
            assert Retired("ann") in changes


async def _parked(servers: str, topic: Topic[MessageSent]) -> int:
    async with open_dead_letters(servers) as letters:
        return len(await letters.last(topic.name, 100))


async def _letters(servers: str, topic: Topic[MessageSent], *, most: int = 20) -> list[DeadLetter]:
    async with open_dead_letters(servers) as letters:
        return await letters.last(topic.name, most)


async def _configs(admin: AIOKafkaAdminClient, *names: str) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for response in await admin.describe_configs(resources)
        for resource in response.resources
    }
