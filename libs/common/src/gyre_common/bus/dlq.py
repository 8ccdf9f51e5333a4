"""Looks into the dead letters without touching them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from gyre_common.bus.dead_letters import PREFIX, Cause, read_cause
from gyre_common.bus.envelope import as_text
from gyre_common.errors import NotFound, Unavailable
from gyre_common.events import ALL_TOPICS
from gyre_common.events.topic import Topic

_POLL_MS = 200
_PATIENCE = 30.0


@dataclass(frozen=True)
class DeadLetter:
    """A parked record as text; bytes that are not UTF-8 become `\\xNN`.

    `headers` are the record's own; `cause` is None where the record carries none that can be read.
    """

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: str | None
    value: str | None
    headers: dict[str, str]
    cause: Cause | None


async def count(servers: str, topics: Iterable[Topic[Any]] = ALL_TOPICS) -> dict[str, int]:
    """How many dead letters each topic has. Raises `Unavailable` if Kafka does not answer."""
    wanted = list(topics)
    counts = dict.fromkeys((topic.dlq for topic in wanted), 0)
    there = await _existing(servers, counts)
    if there:
        async with _reader(servers, there) as (_, spans):
            for place, (begin, end) in spans.items():
                counts[place.topic] += end - begin
    return {topic.name: counts[topic.dlq] for topic in wanted}


async def show(servers: str, topic: Topic[Any], *, most: int = 20) -> list[DeadLetter]:
    """The newest dead letters of a topic, newest first.

    Raises:
        NotFound: the topic has no dead letters because nobody has used it yet.
        Unavailable: Kafka does not answer.
    """
    there = await _existing(servers, [topic.dlq])
    if not there:
        raise NotFound(f"there is no topic {topic.dlq}: has {topic.name} been used yet?")
    async with _reader(servers, there) as (consumer, spans):
        for place, (begin, end) in spans.items():
            consumer.seek(place, max(begin, end - most))
        letters: list[DeadLetter] = []
        while [p for p, (_, end) in spans.items() if await consumer.position(p) < end]:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                letters += [_letter(raw) for raw in records]
    return sorted(letters, key=lambda letter: letter.timestamp, reverse=True)[:most]


async def _existing(servers: str, topics: Iterable[str]) -> list[str]:
    async with _answering(servers), AsyncExitStack() as stack:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers, client_id="gyre-dlq")
        stack.push_async_callback(admin.close)
        await admin.start()
        return sorted(set(topics) & set(await admin.list_topics()))


Spans = dict[TopicPartition, tuple[int, int]]
"""First offset and end of each partition."""


@asynccontextmanager
async def _reader(servers: str, topics: list[str]) -> AsyncIterator[tuple[AIOKafkaConsumer, Spans]]:
    """A consumer of these topics without a group, and what they hold."""
    async with _answering(servers), AsyncExitStack() as stack:
        consumer = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=servers,
            client_id="gyre-dlq",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        places = list(consumer.assignment())
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        yield consumer, {place: (begins[place], ends[place]) for place in places}


@asynccontextmanager
async def _answering(servers: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {servers} does not answer: {error}") from error


def _letter(raw: Any) -> DeadLetter:
    def text(data: bytes | None) -> str | None:
        return None if data is None else data.decode(errors="backslashreplace")

    headers = as_text(raw.headers)
    return DeadLetter(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp=datetime.fromtimestamp(raw.timestamp / 1000, UTC),
        key=text(raw.key),
        value=text(raw.value),
        headers={name: value for name, value in headers.items() if not name.startswith(PREFIX)},
        cause=read_cause(raw.headers),
    )
