"""Looks at dead letters where they lie; nothing is consumed by looking."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from gyre_common.bus.dead_letters import PREFIX, Cause, read_cause
from gyre_common.bus.envelope import as_text
from gyre_common.errors import NotFound, Unavailable
from gyre_common.events.topic import DLQ_SUFFIX

_TIMEOUT = 15.0


@dataclass(frozen=True)
class DeadLetter:
    """A parked record with its own headers; `cause` is None if another program put it there."""

    offset: int
    parked_at: datetime
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    cause: Cause | None


class DeadLetters:
    """Opened by `open_dead_letters`."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def counts(self) -> dict[str, int]:
        """How many records each topic of dead letters holds, by topic."""
        topics = sorted(name for name in await self._consumer.topics() if name.endswith(DLQ_SUFFIX))
        partitions = [one for topic in topics for one in self._partitions(topic)]
        begins, ends = await self._bounds(partitions)
        counts = dict.fromkeys(topics, 0)
        for partition in partitions:
            counts[partition.topic] += ends[partition] - begins[partition]
        return counts

    async def last(self, topic: str, limit: int) -> list[DeadLetter]:
        """The newest records of one topic, newest first.

        Raises:
            NotFound: names the topics there are.
        """
        names = sorted(name for name in await self._consumer.topics() if name.endswith(DLQ_SUFFIX))
        name = topic if topic.endswith(DLQ_SUFFIX) else topic + DLQ_SUFFIX
        if name not in names:
            raise NotFound(f"no dead letters of {topic}: there are {', '.join(names) or 'none'}")
        partitions = list(self._partitions(name))
        begins, ends = await self._bounds(partitions)
        self._consumer.assign(partitions)
        letters: list[DeadLetter] = []
        for partition in partitions:
            start = max(begins[partition], ends[partition] - limit)
            self._consumer.seek(partition, start)
        while any([await self._consumer.position(one) < ends[one] for one in partitions]):
            batches = await self._consumer.getmany(timeout_ms=500)
            letters += [_letter(record) for records in batches.values() for record in records]
        return sorted(letters, key=lambda letter: letter.parked_at, reverse=True)[:limit]

    def _partitions(self, topic: str) -> Iterable[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(topic) or {0}
        return (TopicPartition(topic, number) for number in sorted(numbers))

    async def _bounds(
        self, partitions: list[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        if not partitions:
            return {}, {}
        return (
            await self._consumer.beginning_offsets(partitions),
            await self._consumer.end_offsets(partitions),
        )


@asynccontextmanager
async def open_dead_letters(servers: str) -> AsyncIterator[DeadLetters]:
    """Raises Unavailable when Kafka does not answer."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    try:
        async with asyncio.timeout(_TIMEOUT):
            await consumer.start()
            yield DeadLetters(consumer)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(
            f"Kafka at {servers} does not answer: start the system with `gyre up`, or set "
            "GYRE_KAFKA_SERVERS"
        ) from error
    finally:
        await consumer.stop()


def _letter(record: ConsumerRecord) -> DeadLetter:
    cause = read_cause(record.headers)
    time = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    headers = as_text(record.headers)
    return DeadLetter(
        offset=record.offset,
        parked_at=cause.parked_at if cause else time,
        key=record.key,
        value=record.value,
        headers={name: value for name, value in headers.items() if not name.startswith(PREFIX)},
        cause=cause,
    )
