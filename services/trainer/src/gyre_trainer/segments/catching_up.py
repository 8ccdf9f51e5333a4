"""Waits until all that Kafka holds at this moment is durable, so that a vote just given counts."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from gyre_common.errors import FailedPrecondition, Unavailable

from gyre_trainer.segments.parquet import STREAMS
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import Window

GROUP = "trainer"

_PAUSE = 0.2
_KAFKA_SECONDS = 5.0
_TOPICS = [stream.topic for stream in STREAMS]


async def until_collected(
    servers: str, segments: Segments, *, group: str = GROUP, seconds: float = 15.0
) -> dict[str, tuple[int, int]]:
    """All that is durable once the collector has reached Kafka's present end. Raises Unavailable:
    Kafka does not answer, or the collector is still behind after `seconds`; FailedPrecondition:
    the store holds more than Kafka ever had; Retryable: the store cannot be read.
    """
    deadline = time.monotonic() + seconds
    async with _open_admin(servers) as admin:
        async with _answer_of(servers):
            kafka = await _kafka_window(servers, admin)
        while True:
            durable = await segments.durable()
            _check_they_belong_together(durable, kafka)
            async with _answer_of(servers):
                committed = await _committed(admin, group)
            behind = _behind(durable, kafka, committed)
            if not behind:
                return durable
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{behind} records are not collected yet after {seconds:g} s: look at "
                    "`gyre logs trainer`, and try again",
                    retry_after_seconds=5.0,
                )
            await asyncio.sleep(_PAUSE)


def _check_they_belong_together(durable: Window, kafka: Window) -> None:
    for place, (_, durable_end) in durable.items():
        _, end = kafka.get(place, (0, 0))
        if durable_end > end:
            raise FailedPrecondition(
                f"the store keeps {place} up to offset {durable_end}, but Kafka's topic ends at "
                f"{end}: the topic was made anew; give the trainer a new GYRE_STORE_URL, or move "
                "the old segments away"
            )


def _behind(durable: Window, kafka: Window, committed: Mapping[str, int]) -> int:
    """Records that Kafka holds and that are neither kept nor, because they are broken, parked."""
    behind = 0
    for place, (first, end) in kafka.items():
        _, durable_end = durable.get(place, (0, 0))
        behind += max(0, end - max(durable_end, committed.get(place, 0), first))
    return behind


@asynccontextmanager
async def _open_admin(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    limit = int(_KAFKA_SECONDS * 1000)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=limit)
    try:
        async with _answer_of(servers):
            await admin.start()
        yield admin
    finally:
        await admin.close()


async def _kafka_window(servers: str, admin: AIOKafkaAdminClient) -> Window:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, request_timeout_ms=int(_KAFKA_SECONDS * 1000)
    )
    try:
        await consumer.start()
        places = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics(_TOPICS)
            for partition in topic["partitions"]
        ]
        first = await consumer.beginning_offsets(places)
        end = await consumer.end_offsets(places)
        return {_text(place): (first[place], end[place]) for place in places}
    finally:
        await consumer.stop()


async def _committed(admin: AIOKafkaAdminClient, group: str) -> dict[str, int]:
    """What lies below these offsets is durable or parked."""
    offsets: dict[str, int] = {}
    for topic in _TOPICS:
        committed = await admin.list_consumer_group_offsets(f"{group}.{topic}")
        offsets |= {_text(place): value.offset for place, value in committed.items()}
    return offsets


@asynccontextmanager
async def _answer_of(servers: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_KAFKA_SECONDS):
            yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {servers} does not answer: is it up?") from error


def _text(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
