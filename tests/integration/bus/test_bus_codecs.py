"""Outsiders compress as they like: every codec of two public clients is read, on every topic."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from gyre_common.bus import Bus, CompactedReader, RawRecord
from gyre_common.bus.topics import ensure_topics
from gyre_common.events import ALL_TOPICS
from gyre_common.events.event import Event
from gyre_common.events.topic import Topic

from tests.builders import EXAMPLES
from tests.bus_contract import QUICK
from tests.eventually import eventually

pytestmark = pytest.mark.integration

CODECS = ("gzip", "lz4", "snappy", "zstd")
IN_A_BATCH = 10


def unique_copy(topic: Topic[Any], unique: str) -> Topic[Any]:
    return replace(topic, name=f"{topic.name}-{unique}")


def example(topic: str) -> Event:
    return EXAMPLES[topic.rpartition("-")[0]]


def key(topic: Topic[Any]) -> bytes:
    return topic.key(example(topic.name)).encode()


async def send_by_aiokafka(servers: str, codec: str, topics: Sequence[Topic[Any]]) -> None:
    headers = [("sent", f"aiokafka {codec}".encode())]
    async with AIOKafkaProducer(
        bootstrap_servers=servers, compression_type=codec, linger_ms=20
    ) as producer:
        futures = [
            await producer.send(
                topic.name, example(topic.name).to_json(), key(topic), headers=headers
            )
            for topic in topics
            for _ in range(IN_A_BATCH)
        ]
        await asyncio.gather(*futures)


async def send_by_librdkafka(servers: str, codec: str, topics: Sequence[Topic[Any]]) -> None:
    headers: list[tuple[str, str | bytes | None]] = [("sent", f"librdkafka {codec}")]
    producer = Producer({"bootstrap.servers": servers, "compression.type": codec, "linger.ms": 20})
    for topic in topics:
        for _ in range(IN_A_BATCH):
            producer.produce(topic.name, example(topic.name).to_json(), key(topic), headers=headers)
    assert await asyncio.to_thread(producer.flush, 30) == 0


async def test_compressed_batches_of_every_codec_are_read_on_every_topic(
    kafka_servers: str,
) -> None:
    unique = uuid4().hex[:8]
    topics = [unique_copy(topic, unique) for topic in ALL_TOPICS]
    await ensure_topics(kafka_servers, topics)
    for codec in CODECS:
        await send_by_aiokafka(kafka_servers, codec, topics)
        await send_by_librdkafka(kafka_servers, codec, topics)
    bus = Bus(kafka_servers, service="test", delivery=QUICK)
    read = Counter[tuple[str, str]]()

    names = [topic.name for topic in topics]

    @bus.on_raw_batch(names, group="g", max_records=500, max_wait=0.01)
    async def on_records(records: Sequence[RawRecord]) -> None:
        for record in records:
            event = example(record.topic)
            assert type(event).model_validate_json(record.value or b"") == event
            ((_, header_value),) = record.headers
            read[record.topic, header_value.decode()] += 1

    expected = {
        (topic.name, f"{client} {codec}"): IN_A_BATCH
        for topic in topics
        for client in ("aiokafka", "librdkafka")
        for codec in CODECS
    }
    async with bus:
        await eventually(lambda: dict(read) == expected, 60)


@pytest.mark.parametrize("codec", CODECS)
async def test_a_compressed_batch_is_read_by_whoever_reads_a_topic_whole(
    kafka_servers: str, codec: str
) -> None:
    unique = uuid4().hex[:8]
    topics = [unique_copy(topic, unique) for topic in ALL_TOPICS if topic.compacted]
    await ensure_topics(kafka_servers, topics)
    await send_by_aiokafka(kafka_servers, codec, topics)
    await send_by_librdkafka(kafka_servers, codec, topics)
    for topic in topics:
        async with asyncio.timeout(30), CompactedReader(kafka_servers, topic) as reader:
            assert [record.event for record in reader.records] == [example(topic.name)]
