"""A topic and a producer of its own for each test of the bus."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.topic import Topic

from tests.bus_contract import MessageSent, message_topic


@pytest.fixture
async def topic(kafka_servers: str) -> Topic[MessageSent]:
    topic = message_topic(f"messages.sent-{uuid4().hex[:8]}.v1")
    await ensure_topics(kafka_servers, [topic])
    return topic


@pytest.fixture
async def producer(kafka_servers: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as producer:
        yield producer
