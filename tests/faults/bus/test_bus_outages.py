"""Kafka is late, hangs, or dies: the bus waits, says so, and loses nothing."""

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from uuid import uuid4

import pytest
from gyre_common.bus import Bus, CompactedReader, Record, Retired
from gyre_common.errors import Unavailable
from gyre_common.events.event import new_id
from gyre_common.events.topic import Topic
from gyre_local.testing import LocalEngines

from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.eventually import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]


async def test_a_bus_opened_before_kafka_is_there_waits_for_it(
    fault_engines: LocalEngines, caplog: pytest.LogCaptureFixture
) -> None:
    fault_engines.close()  # whatever an earlier test left running
    topic = message_topic(f"messages.sent-{uuid4().hex[:8]}.v1")
    bus = Bus(fault_engines.ports.kafka_servers, service="test", delivery=QUICK)
    deliveries: list[MessageSent] = []

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        deliveries.append(event)

    opening = asyncio.create_task(bus.__aenter__())
    await eventually(lambda: "waiting for Kafka" in caplog.text)
    assert not bus.healthy()
    fault_engines.start("kafka")  # blocks the loop: what a thread starts dies with that thread
    await asyncio.wait_for(opening, 30)
    try:
        await bus.publish(topic, MessageSent(listener="ann"))
        await eventually(lambda: len(deliveries) == 1)
        assert bus.healthy()
    finally:
        await bus.__aexit__(None, None, None)


async def test_publishing_to_a_kafka_that_hangs_fails_in_time_and_works_again_after(
    fault_engines: LocalEngines, kafka_servers: str
) -> None:
    topic = message_topic(f"messages.sent-{uuid4().hex[:8]}.v1")
    bus = Bus(kafka_servers, service="test", delivery=replace(QUICK, publish_limit=2.0))
    async with bus:
        await bus.publish(topic, MessageSent(listener="ann"))
        os.kill(fault_engines.pid("kafka"), signal.SIGSTOP)
        try:
            first = await _seconds_to_fail(bus, topic)
            second = await _seconds_to_fail(bus, topic)
            assert not bus.healthy()
            assert "does not answer" in bus.problems()[0]
        finally:
            os.kill(fault_engines.pid("kafka"), signal.SIGCONT)
        assert 1.5 < first < 3.0
        assert second < 1.5
        await eventually(bus.healthy, 30)  # by itself: whoever asks may have stopped publishing
        await bus.publish(topic, MessageSent(listener="bob"))


async def _seconds_to_fail(bus: Bus, topic: Topic[MessageSent]) -> float:
    started = time.monotonic()
    with pytest.raises(Unavailable, match="did not confirm"):
        await bus.publish(topic, MessageSent(listener="ann"))
    return time.monotonic() - started


async def test_a_kafka_killed_and_restarted_costs_no_record(
    fault_engines: LocalEngines, kafka_servers: str
) -> None:
    topic = message_topic(f"messages.sent-{uuid4().hex[:8]}.v1")
    compacted_topic = message_topic(f"messages.latest-{uuid4().hex[:8]}.v1", compacted=True)
    deliveries = Counter[int]()
    bus = Bus(kafka_servers, service="test", delivery=QUICK)

    @bus.on(topic, group="g", concurrency=4)
    async def on_message_sent(event: MessageSent) -> None:
        await asyncio.sleep(0.002)
        deliveries[event.ordinal] += 1

    async with bus, CompactedReader(kafka_servers, compacted_topic) as reader:
        following = asyncio.create_task(_first(reader))
        for ordinal in range(100):
            await bus.publish(topic, MessageSent(listener=f"l{ordinal % 20}", ordinal=ordinal))
        os.kill(fault_engines.pid("kafka"), signal.SIGKILL)
        for ordinal in range(100, 200):
            await _deliver(bus, topic, MessageSent(listener=f"l{ordinal % 20}", ordinal=ordinal))
        await eventually(lambda: set(deliveries) == set(range(200)), 60)
        await _deliver(bus, compacted_topic, MessageSent(listener="ann", ordinal=1))
        change = await asyncio.wait_for(following, 30)
        assert isinstance(change, Record)
        assert change.event.ordinal == 1


async def _first(reader: CompactedReader[MessageSent]) -> Record[MessageSent] | Retired:
    return await anext(reader.follow())


async def _deliver(bus: Bus, topic: Topic[MessageSent], event: MessageSent) -> None:
    """Publish as the contract asks: with one id, until it is confirmed."""
    event_id = new_id()

    async def confirmed() -> bool:
        try:
            await bus.publish(topic, event, event_id=event_id)
        except Unavailable:
            return False
        return True

    await eventually(confirmed, 60)
