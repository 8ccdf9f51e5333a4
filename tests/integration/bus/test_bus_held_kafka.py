"""Held partitions on a real broker: who sees them, who lets them go on, what a restart keeps."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from gyre_common.bus import Bus, Delivery
from gyre_common.bus.dead_letters import open_dead_letters
from gyre_common.bus.held_records import HeldRecord, held_by, skip
from gyre_common.bus.record import sha256
from gyre_common.errors import FailedPrecondition, NotFound, Poison, Unavailable
from gyre_common.events.topic import Topic
from gyre_common.telemetry import METRICS
from gyre_local.testing import LocalEngines

from tests import eventually as waiting
from tests.batches import a_batch, send_batch, with_body
from tests.bus_contract import QUICK, MessageSent
from tests.kafka_messages import send_messages as send_by_key

pytestmark = pytest.mark.integration

eventually = partial(waiting.eventually, timeout=40)


def a_bus(
    servers: str, topic: Topic[MessageSent], delivery: Delivery = QUICK, *, broken: bool = False
) -> tuple[Bus, list[int]]:
    bus = Bus(servers, service="test", delivery=delivery)
    done: list[int] = []

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        if broken:
            raise Poison("a bad deploy")
        done.append(event.ordinal)

    return bus, done


async def send_messages(
    servers: str, topic: Topic[MessageSent], *ordinals: int, partition: int = 0
) -> None:
    events = [MessageSent(listener="ann", ordinal=ordinal) for ordinal in ordinals]
    batch = a_batch(*[(b"ann", event.to_json(), []) for event in events])
    await send_batch(servers, topic.name, batch, partition=partition)


def damage(home: Path, topic: Topic[MessageSent], text: bytes) -> None:
    """Change one bit of what the broker keeps, as a bad disk would."""
    (log,) = home.glob(f"kafka/**/{topic.name}-0/00000000000000000000.log")
    with log.open("r+b") as file:
        at = file.read().index(text)
        file.seek(at)
        file.write(bytes([text[0] ^ 1]))


async def test_a_damaged_batch_holds_its_partition_until_somebody_skips_it(
    local_engines: LocalEngines, kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    await send_messages(kafka_servers, topic, 1)
    await send_messages(kafka_servers, topic, 777, 2)
    await send_messages(kafka_servers, topic, 3)
    await send_messages(kafka_servers, topic, 4, partition=1)
    damage(local_engines.home, topic, b"777")
    bus, done = a_bus(kafka_servers, topic)
    place = (topic.name, 0, 2)
    async with bus:
        await eventually(lambda: sorted(done) == [1, 4])
        (problem,) = await eventually(bus.problems)
        assert f"{topic.name} partition 0 is held at offset 2" in problem
        assert "its checksum is wrong" in problem
        assert not bus.healthy()
        assert bus.alive()
        offset = METRICS.partition_held_offset.labels(topic.name, "g", "0")
        assert offset._value.get() == 2
        (record,) = await eventually(lambda: held_by(kafka_servers, [f"g.{topic.name}"]))
        assert (record.topic, record.partition, record.offset, record.group) == (*place, "g")
        await _refuses_what_is_not_held(kafka_servers, topic)
    assert await _committed(kafka_servers, topic) == 1

    bus, done = a_bus(kafka_servers, topic)
    async with bus:
        await eventually(lambda: not bus.healthy())
        skipped = await skip(kafka_servers, *place, actor="ann", reason="the disk is gone")
        assert list(skipped.values()) == [True]
        await eventually(lambda: done == [3])
        assert bus.healthy()
        await eventually(lambda: _is_committed(kafka_servers, topic, 4))
    async with open_dead_letters(kafka_servers) as letters:
        (letter,) = await letters.last(topic.name, 10)
    assert letter.value is None
    assert letter.cause is not None
    assert (letter.cause.kind, letter.cause.offset, letter.cause.digest) == (
        "skipped",
        2,
        record.digest,
    )
    assert "skipped by ann: the disk is gone" in letter.cause.message


async def test_a_damaged_batch_is_handled_by_itself_once_kafka_has_it_intact(
    local_engines: LocalEngines, kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    await send_messages(kafka_servers, topic, 1)
    await send_messages(kafka_servers, topic, 777, 2)
    await send_messages(kafka_servers, topic, 3)
    damage(local_engines.home, topic, b"777")
    bus, done = a_bus(kafka_servers, topic, replace(QUICK, damaged_every=0.2))
    async with bus:
        await eventually(lambda: held_by(kafka_servers, [f"g.{topic.name}"]))
        assert done == [1]
        damage(local_engines.home, topic, b"677")  # the same bit again
        await eventually(lambda: done == [1, 777, 2, 3])
        await eventually(bus.healthy)
        await eventually(lambda: _is_committed(kafka_servers, topic, 4))
        await eventually(lambda: _nothing_held(kafka_servers, topic))
    async with open_dead_letters(kafka_servers) as letters:
        assert await letters.last(topic.name, 10) == []


async def test_a_batch_that_its_producer_spoiled_is_parked_by_its_place_and_stops_nobody(
    local_engines: LocalEngines, kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    """No broker takes one from a client, so it is written into what it keeps, checksum and all."""
    await send_messages(kafka_servers, topic, 1)
    good = [MessageSent(listener="ann", ordinal=each).to_json() for each in (777, 2)]
    batch = a_batch(*[(b"ann", value, []) for value in good], codec="gzip")
    await send_batch(kafka_servers, topic.name, batch)
    await send_messages(kafka_servers, topic, 3)
    spoiled = with_body(batch, b"\0" * (len(batch) - 61), base=1, codec="gzip")
    (log,) = local_engines.home.glob(f"kafka/**/{topic.name}-0/00000000000000000000.log")
    with log.open("r+b") as file:
        file.seek(file.read().index(batch[61:]) - 61)
        file.write(spoiled)
    bus, done = a_bus(kafka_servers, topic)
    async with bus:
        await eventually(lambda: done == [1, 3])
        assert bus.problems() == []
    assert await _committed(kafka_servers, topic) == 4
    async with open_dead_letters(kafka_servers) as letters:
        (letter,) = await letters.last(topic.name, 10)
    cause = letter.cause
    assert cause is not None
    assert (cause.kind, cause.partition, cause.first, cause.offset) == ("poison", 0, 1, 2)
    assert (cause.size, cause.digest) == (len(spoiled), sha256(spoiled))
    assert "offsets 1 to 2 are not read" in cause.message


async def _refuses_what_is_not_held(servers: str, topic: Topic[MessageSent]) -> None:
    with pytest.raises(FailedPrecondition, match=f"held is {topic.name} 0 2, not offset 1"):
        await skip(servers, topic.name, 0, 1, actor="ann", reason="a typo")
    with pytest.raises(NotFound, match=f"nothing is held on {topic.name} 1"):
        await skip(servers, topic.name, 1, 2, actor="ann", reason="a typo")
    async with open_dead_letters(servers) as letters:
        assert await letters.last(topic.name, 10) == []


async def test_a_skip_that_was_decided_while_the_consumer_was_away_counts(
    local_engines: LocalEngines, kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    await send_messages(kafka_servers, topic, 777)
    await send_messages(kafka_servers, topic, 1)
    damage(local_engines.home, topic, b"777")
    bus, done = a_bus(kafka_servers, topic)
    async with bus:
        await eventually(lambda: held_by(kafka_servers, [f"g.{topic.name}"]))
    waiting = await skip(kafka_servers, topic.name, 0, 0, actor="ann", reason="no use", patience=0)
    assert list(waiting.values()) == [False]
    bus, done = a_bus(kafka_servers, topic)
    async with bus:
        await eventually(lambda: done == [1])


async def test_an_open_breaker_survives_a_restart_and_closes_once_the_cause_is_mended(
    kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    delivery = replace(QUICK, parked_streak=3)
    await send_messages(kafka_servers, topic, *range(20))
    for _ in range(2):
        bus, done = a_bus(kafka_servers, topic, delivery, broken=True)
        async with bus:
            await eventually(partial(_says, bus, "3 records in a row"))
            (record,) = await eventually(lambda: _held(kafka_servers, topic))
            assert (record.offset, record.breaker_open) == (3, True)
            assert (record.breaker_scope, record.party) == ("partition", (topic.name, 0))
    async with open_dead_letters(kafka_servers) as letters:
        assert len(await letters.last(topic.name, 100)) == 3
    bus, done = a_bus(kafka_servers, topic, delivery)
    async with bus:
        await eventually(lambda: len(done) >= 17)
        assert done == list(range(3, 20))
        assert bus.problems() == []
        await eventually(lambda: _nothing_held(kafka_servers, topic))


async def test_a_consumer_whose_task_ended_is_unready_and_does_not_live(
    kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    bus, done = a_bus(kafka_servers, topic)
    await send_messages(kafka_servers, topic, 1)
    async with bus:
        await eventually(lambda: done == [1])
        assert bus.healthy()
        assert bus.alive()
        subscriber: Any = bus.broker.subscribers[0]
        for task in subscriber.tasks:
            task.cancel()
        await eventually(lambda: not bus.alive())
        assert "the task that consumes has ended" in bus.problems()[0]


async def test_a_held_tenant_is_held_after_a_restart_and_goes_on_once_the_cause_is_mended(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    """Meanwhile the others' records are handled; after a restart those behind it once more."""
    delivery = replace(QUICK, parked_streak=3)
    done: list[str] = []
    is_broken = True

    def a_bus_by_tenant() -> Bus:
        bus = Bus(kafka_servers, service="test", delivery=delivery)

        @bus.on(topic, group="g", by_tenant=True)
        async def on_message_sent(event: MessageSent) -> None:
            if event.listener == "acme/a" and is_broken:
                raise Poison("a bad export")
            done.append(event.listener)

        return bus

    await send_by_key(producer, topic, 6, "acme/a", "zoo/b")
    for turn in range(2):
        bus = a_bus_by_tenant()
        async with bus:
            await eventually(bus.troubles)
            (record,) = await eventually(lambda: _held(kafka_servers, topic))
            assert (record.breaker_scope, record.tenant) == ("tenant", "acme")
            await send_by_key(producer, topic, 1, "zoo/b")
            await eventually(lambda n=7 + turn: done.count("zoo/b") >= n)
            assert bus.healthy()
    async with open_dead_letters(kafka_servers) as letters:
        first, end = await letters.bounds(topic.dlq)
    assert end - first == 3
    is_broken = False
    bus = a_bus_by_tenant()
    async with bus:
        await eventually(lambda: done.count("acme/a") == 3)
        await eventually(lambda: _nothing_held(kafka_servers, topic))


def _says(bus: Bus, text: str) -> bool:
    return any(text in problem for problem in bus.problems())


async def _held(servers: str, topic: Topic[MessageSent]) -> list[HeldRecord]:
    """Nothing as long as a busy broker does not answer."""
    with suppress(Unavailable):
        return await held_by(servers, [f"g.{topic.name}"])
    return []


async def _nothing_held(servers: str, topic: Topic[MessageSent]) -> bool:
    return await held_by(servers, [f"g.{topic.name}"]) == []


async def _committed(servers: str, topic: Topic[MessageSent]) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(f"g.{topic.name}")
        return max(int(entry.offset) for place, entry in offsets.items() if place.partition == 0)
    finally:
        await admin.close()


async def _is_committed(servers: str, topic: Topic[MessageSent], offset: int) -> bool:
    return await _committed(servers, topic) == offset
