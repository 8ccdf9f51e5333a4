"""The bus keeps its contract on a real broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from gyre_common.bus import Bus, Delivery, RawRecord
from gyre_common.bus.dead_letters import PREFIX, read_cause
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.topic import Topic

from tests.bus_contract import (
    BusContract,
    Headers,
    Letter,
    MessageSent,
    OpenWorld,
    World,
    message_topic,
)

pytestmark = pytest.mark.integration


class KafkaWorld:
    def __init__(self, servers: str, producer: AIOKafkaProducer, delivery: Delivery) -> None:
        self._servers = servers
        self._producer = producer
        unique = uuid4().hex[:8]
        self.topic = message_topic(f"messages.sent-{unique}.v1")
        self.compacted = message_topic(f"messages.latest-{unique}.v1", compacted=True)
        self.bus = Bus(servers, service="test", delivery=delivery)

    async def put(
        self,
        topic: Topic[MessageSent],
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> None:
        await self._producer.send_and_wait(topic.name, value, key, headers=list(headers))

    async def parked(self) -> list[Letter]:
        letters = []
        for raw in await self._read(self.topic.dlq):
            cause = read_cause(raw.headers)
            assert cause is not None
            own = [pair for pair in raw.headers if not pair[0].startswith(PREFIX)]
            letters.append(Letter(raw.key, raw.value, own, cause))
        return letters

    async def records(self, topic: Topic[MessageSent]) -> list[RawRecord]:
        return await self._read(topic.name)

    async def _read(self, name: str) -> list[RawRecord]:
        consumer = AIOKafkaConsumer(
            name, bootstrap_servers=self._servers, auto_offset_reset="earliest"
        )
        async with consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            collected: list[RawRecord] = []
            while [p for p, end in ends.items() if await consumer.position(p) < end]:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    collected += records
            return collected


class TestKafkaBus(BusContract):
    @pytest.fixture
    def open_world(self, kafka_servers: str) -> OpenWorld:
        @asynccontextmanager
        async def open_world(delivery: Delivery) -> AsyncIterator[World]:
            async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as producer:
                world = KafkaWorld(kafka_servers, producer, delivery)
                await ensure_topics(kafka_servers, [world.topic, world.compacted])
                yield world

        return open_world
