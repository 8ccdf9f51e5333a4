"""Messages on a topic of a real broker, for the tests of the bus."""

import asyncio
from collections.abc import Awaitable

from aiokafka import AIOKafkaProducer
from gyre_common.bus import (
    Bus,
    Delivery,
)
from gyre_common.events.topic import Topic

from tests.bus_contract import QUICK, MessageSent


async def send_messages(
    producer: AIOKafkaProducer, topic: Topic[MessageSent], count: int, *names: str
) -> None:
    names = names or tuple(f"l{number}" for number in range(50))
    futures = [
        await producer.send(
            topic.name, MessageSent(listener=name, ordinal=ordinal).to_json(), name.encode()
        )
        for ordinal in range(count)
        for name in names
    ]
    await asyncio.gather(*futures)


def a_bus(servers: str, delivery: Delivery = QUICK) -> Bus:
    return Bus(servers, service="test", delivery=delivery)


async def reads_as(reading: Awaitable[object], expected: object) -> bool:
    return await reading == expected
