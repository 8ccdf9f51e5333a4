"""Dead letters: what a parked record carries beside its own bytes, and a look at where they lie."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from pydantic import Field, TypeAdapter, ValidationError

from gyre_common.bus.envelope import Headers, as_text
from gyre_common.bus.record import RawRecord, digest_and_size
from gyre_common.bus.topics import opened
from gyre_common.errors import NotFound, Poison
from gyre_common.events.event import now
from gyre_common.events.topic import DLQ_SUFFIX

PREFIX = "gyre-dlq-"
SKIPPED = "skipped"
_LONGEST_MESSAGE = 1_000
_MAX_STUB_BYTES = 16 * 1024


@dataclass(frozen=True)
class Cause:
    """Why, where and when a record was parked; each field is a header of the dead letter.

    `kind` is `poison`, `bug` or `skipped`, the last by an `actor` for a `reason`. A stub has a
    digest (`sha256:…`) and a size in bytes: of its value after decompression or, where that was
    not read, of its batch as it lay in Kafka.
    """

    kind: str
    error: str
    message: str
    topic: str
    partition: int
    offset: int
    attempts: int
    group: str
    parked_at: Annotated[datetime, Field(alias="time")]
    digest: str = ""
    size: int | None = None
    actor: str = ""
    reason: str = ""


_CAUSE = TypeAdapter(Cause)


def cause_of(raw: RawRecord, error: Exception, *, attempts: int, group: str) -> Cause:
    """Describe why this record is parked now."""
    return Cause(
        kind="poison" if isinstance(error, Poison) else "bug",
        error=type(error).__name__,
        message=" ".join(str(error).split())[:_LONGEST_MESSAGE],
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        attempts=attempts,
        group=group,
        parked_at=now(),
    )


def stub_of(raw: RawRecord, cause: Cause) -> tuple[bytes | None, None, list[tuple[str, bytes]]]:
    """Key, value and headers of what is parked in place of a record that is too large.

    Key and headers are the record's own unless they are large themselves.
    """
    digest, size = digest_and_size(raw.value)
    key = raw.key if len(raw.key or b"") <= _MAX_STUB_BYTES else None
    headers_size = sum(len(name) + len(value or b"") for name, value in raw.headers)
    own = raw.headers if headers_size <= _MAX_STUB_BYTES else ()
    return key, None, headers_with(own, replace(cause, digest=digest, size=size))


def headers_with(own: Headers, cause: Cause) -> list[tuple[str, bytes]]:
    """A record's own headers, byte for byte, and the cause behind them."""
    fields = _CAUSE.dump_python(cause, mode="json", by_alias=True, exclude_defaults=True)
    own_headers = [(name, value) for name, value in own if not name.startswith(PREFIX)]
    return own_headers + [
        (PREFIX + name, str(value).encode(errors="replace")) for name, value in fields.items()
    ]


def read_cause(headers: Headers) -> Cause | None:
    """The cause that a parked record carries; None if it is not one of ours."""
    fields = {
        name.removeprefix(PREFIX): value
        for name, value in as_text(headers).items()
        if name.startswith(PREFIX)
    }
    try:
        return _CAUSE.validate_python(fields)
    except ValidationError:
        return None


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


class DeadLetterReader:
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
async def open_dead_letters(servers: str) -> AsyncIterator[DeadLetterReader]:
    """Raises Unavailable when Kafka does not answer."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    async with opened(consumer, servers), asyncio.timeout(_TIMEOUT):
        yield DeadLetterReader(consumer)


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
