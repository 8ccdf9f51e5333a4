"""A consumer with nothing to do rests, and is late for nothing."""

from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from gyre_common.bus import (
    Bus,
)
from gyre_common.bus.resting import IDLE_WAIT_MS
from gyre_common.errors import Retryable
from gyre_common.events.topic import Topic

from tests.bus_contract import MessageSent
from tests.eventually import eventually
from tests.kafka_messages import a_bus, send_messages

pytestmark = pytest.mark.integration


async def test_an_idle_consumer_asks_seldom_and_learns_of_a_record_at_once(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    done: list[int] = []
    bus = a_bus(kafka_servers)

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        done.append(event.ordinal)

    async with AIOKafkaConsumer(topic.name, bootstrap_servers=kafka_servers) as consumer:
        await consumer.topics()
        assert vars(consumer._fetcher).keys() >= {"_fetch_max_wait_ms", "_fetcher_timeout"}
    async with bus:
        fetcher = _fetcher(bus)
        for _ in range(2):
            await eventually(lambda: fetcher._fetch_max_wait_ms == IDLE_WAIT_MS, timeout=20)
            await send_messages(producer, topic, 1, "ann")
            await eventually(lambda: done == [0], timeout=2)
            done.clear()


async def test_a_partition_that_is_resumed_does_not_wait_for_the_idle_ones(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    attempts = 0
    done: list[int] = []
    bus = a_bus(kafka_servers)

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 20:
            raise Retryable("not yet")
        done.append(event.ordinal)

    async with bus:
        await eventually(lambda: _fetcher(bus)._fetch_max_wait_ms == IDLE_WAIT_MS, timeout=20)
        await send_messages(producer, topic, 1, "ann")
        await eventually(lambda: done == [0])
        await send_messages(producer, topic, 1, "ann")
        await eventually(lambda: done == [0, 0], timeout=2)


def _fetcher(bus: Bus) -> Any:
    subscriber: Any = bus.broker.subscribers[0]
    return subscriber.consumer._fetcher
