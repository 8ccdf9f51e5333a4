"""The in-memory bus keeps the contract of the bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from gyre_common.bus import Delivery, RawRecord
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
from tests.fakes.bus import MemoryBus


class MemoryWorld:
    def __init__(self, delivery: Delivery) -> None:
        self.bus = MemoryBus(delivery=delivery)
        self.topic = message_topic("messages.sent.v1")
        self.compacted = message_topic("messages.latest.v1", compacted=True)
        self.bus.publishes(self.topic, self.compacted)

    async def put(
        self,
        topic: Topic[MessageSent],
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> None:
        self.bus.put_raw(topic, (key, value, headers))

    async def parked(self) -> list[Letter]:
        return [
            Letter(parked.raw.key, parked.raw.value, parked.raw.headers, parked.cause)
            for parked in self.bus.parked
        ]

    async def records(self, topic: Topic[MessageSent]) -> list[RawRecord]:
        return [record for record in self.bus.sent if record.topic == topic.name]


@asynccontextmanager
async def _open_world(delivery: Delivery) -> AsyncIterator[World]:
    yield MemoryWorld(delivery)


class TestMemoryBus(BusContract):
    @pytest.fixture
    def open_world(self) -> OpenWorld:
        return _open_world
