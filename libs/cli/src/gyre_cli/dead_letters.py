"""Reads dead letters straight from their topics; nothing is consumed by looking."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from gyre_common.bus.dead_letters import Cause, read_cause
from gyre_common.errors import NotFound, Unavailable
from gyre_common.events.topic import DLQ_SUFFIX

from gyre_cli.output import Json

_TIMEOUT = 15.0


@dataclass(frozen=True)
class DeadLetter:
    """A parked record; `cause` is None if another program put it there."""

    offset: int
    parked_at: datetime
    key: bytes | None
    value: bytes | None
    cause: Cause | None

    def as_json(self) -> dict[str, Json]:
        """For programs; bytes that are not UTF-8 become `\\xNN`."""
        cause = self.cause
        return {
            "offset": self.offset,
            "parked_at": self.parked_at.isoformat(),
            "key": _text(self.key),
            "value": _text(self.value),
            "kind": cause.kind if cause else None,
            "error": cause.error if cause else None,
            "message": cause.message if cause else None,
            "origin": f"{cause.topic}/{cause.partition}/{cause.offset}" if cause else None,
            "attempts": cause.attempts if cause else None,
            "group": cause.group if cause else None,
        }


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
        known = sorted(name for name in await self._consumer.topics() if name.endswith(DLQ_SUFFIX))
        name = topic if topic.endswith(DLQ_SUFFIX) else topic + DLQ_SUFFIX
        if name not in known:
            raise NotFound(f"no dead letters of {topic}: there are {', '.join(known) or 'none'}")
        partitions = list(self._partitions(name))
        begins, ends = await self._bounds(partitions)
        self._consumer.assign(partitions)
        found: list[DeadLetter] = []
        for partition in partitions:
            start = max(begins[partition], ends[partition] - limit)
            self._consumer.seek(partition, start)
        while any([await self._consumer.position(one) < ends[one] for one in partitions]):
            batches = await self._consumer.getmany(timeout_ms=500)
            found += [_letter(record) for records in batches.values() for record in records]
        return sorted(found, key=lambda letter: letter.parked_at, reverse=True)[:limit]

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
    return DeadLetter(
        record.offset, cause.parked_at if cause else time, record.key, record.value, cause
    )


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")
