"""Dead letters: what a parked record carries beside its own bytes, and a look at where they lie.

What somebody decides of one is a record behind it on the same topic: it names the letter, who and
why, and goes when the letter goes (docs/adr/0050).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import Field, TypeAdapter, ValidationError

from gyre_common.bus.envelope import Headers, as_text
from gyre_common.bus.publisher import KafkaPublisher
from gyre_common.bus.record import RawRecord, UnreadValue, digest_and_size, moment
from gyre_common.bus.topics import opened
from gyre_common.errors import NotFound, Poison
from gyre_common.events.event import now
from gyre_common.events.topic import DLQ_SUFFIX

PREFIX = "gyre-dlq-"
SKIPPED = "skipped"
_LONGEST_MESSAGE = 1_000
_MAX_STUB_BYTES = 16 * 1024
_OWN_OF_DECISION = ("ce_id", "traceparent")


class Verdict(StrEnum):
    """What was done with a dead letter: sent to its topic again, or left where it is for good."""

    REPLAYED = "replayed"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Cause:
    """Why, where and when a record was parked; each field is a header of the dead letter.

    `kind` is `poison`, `bug` or `skipped`, the last by an `actor` for a `reason`. A stub has a
    digest (`sha256:…`) and a size in bytes: of its value after decompression or, where that was
    not read, of its batch as it lay in Kafka, and stands for all offsets from `first` on.
    `timestamp` is the record's own, in milliseconds. With a `verdict` it is a decision of the
    letter at the offset `letter` of the same topic of dead letters.
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
    timestamp: int | None = None
    first: int | None = None
    verdict: Verdict | None = None
    letter: int | None = None


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
        timestamp=raw.timestamp,
        first=raw.value.first if isinstance(raw.value, UnreadValue) else None,
    )


def unknown_cause(raw: RawRecord) -> Cause:
    """Of a letter that another program put there: nothing but where it lies."""
    return Cause(
        kind="unknown",
        error="",
        message="",
        topic=raw.topic.removesuffix(DLQ_SUFFIX),
        partition=raw.partition,
        offset=raw.offset,
        attempts=0,
        group="",
        parked_at=moment(raw.timestamp),
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


def decision_of(
    raw: RawRecord, cause: Cause, verdict: Verdict, *, actor: str, reason: str
) -> tuple[bytes | None, None, list[tuple[str, bytes]]]:
    """Key, value and headers of what says that somebody decided of this dead letter."""
    size = cause.size if cause.digest else len(raw.value or b"")
    decided = replace(
        cause,
        verdict=verdict,
        letter=raw.offset,
        actor=actor,
        reason=reason,
        size=size,
        parked_at=now(),
    )
    own = [(name, value) for name, value in raw.headers if name in _OWN_OF_DECISION]
    key = raw.key if len(raw.key or b"") <= _MAX_STUB_BYTES else None
    return key, None, headers_with(own, decided)


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
_PUT_LIMIT = 5.0
_POLL_MS = 500


@dataclass(frozen=True)
class DeadLetter:
    """A parked record with its own headers; `cause` is None if another program put it there."""

    offset: int
    parked_at: datetime
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    cause: Cause | None


class KafkaDeadLetters:
    """The topics of dead letters, and those that they came from. Opened by `open_dead_letters`."""

    def __init__(self, servers: str, consumer: AIOKafkaConsumer, stack: AsyncExitStack) -> None:
        self._servers = servers
        self._consumer = consumer
        self._stack = stack
        self._publisher: KafkaPublisher | None = None

    async def topics(self) -> Sequence[str]:
        """The names of the topics of dead letters."""
        return sorted(name for name in await self._consumer.topics() if name.endswith(DLQ_SUFFIX))

    async def all_bounds(self) -> Mapping[str, tuple[int, int]]:
        """`bounds` of every topic of dead letters. Asked at once, and of topics that the consumer
        has by then: it looks for others one by one, a tenth of a second each.
        """
        places = [TopicPartition(name, 0) for name in await self.topics()]
        if not places:
            return {}
        self._consumer.assign(places)
        self._consumer.pause(*places)
        begins, ends = await self._bounds(places)
        return {place.topic: (first, ends[place]) for place, first in begins.items()}

    async def bounds(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """The first offset that is there, and the next one that will be."""
        place = TopicPartition(topic, partition)
        begins, ends = await self._bounds([place])
        return begins[place], ends[place]

    async def _bounds(
        self, places: Sequence[TopicPartition]
    ) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
        begins = await self._consumer.beginning_offsets(places)
        return begins, await self._consumer.end_offsets(places)

    async def read(
        self, topic: str, start: int, end: int, *, partition: int = 0
    ) -> AsyncIterator[Sequence[RawRecord]]:
        """The records there are from offset `start` to before `end`, in order, a few at a time."""
        place = TopicPartition(topic, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        while await self._consumer.position(place) < end:
            for records in (await self._consumer.getmany(place, timeout_ms=_POLL_MS)).values():
                yield [record for record in records if record.offset < end]

    async def read_all(
        self, ranges: Mapping[str, tuple[int, int]]
    ) -> AsyncIterator[Sequence[RawRecord]]:
        """As `read`, of several topics of dead letters side by side."""
        ends = {TopicPartition(topic, 0): end for topic, (_, end) in ranges.items()}
        self._consumer.assign(list(ends))
        for topic, (start, _) in ranges.items():
            self._consumer.seek(TopicPartition(topic, 0), start)
        while ends:
            batches = await self._consumer.getmany(*ends, timeout_ms=_POLL_MS)
            for place, records in batches.items():
                yield [record for record in records if record.offset < ends[place]]
            for place in list(ends):
                if await self._consumer.position(place) >= ends[place]:
                    del ends[place]
                    self._consumer.pause(place)

    async def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int | None = None,
    ) -> None:
        """As `KafkaPublisher.put`."""
        if self._publisher is None:
            publisher = KafkaPublisher(self._servers, service="dlq", limit=_PUT_LIMIT)
            self._publisher = await self._stack.enter_async_context(publisher)
        await self._publisher.put(topic, key, value, headers, partition=partition)

    async def last(self, topic: str, limit: int) -> list[DeadLetter]:
        """The newest records of one topic, newest first. Raises NotFound."""
        name = topic if topic.endswith(DLQ_SUFFIX) else topic + DLQ_SUFFIX
        if name not in await self.topics():
            raise NotFound(f"no dead letters of {topic}")
        first, end = await self.bounds(name)
        letters: list[DeadLetter] = []
        async for records in self.read(name, max(first, end - limit), end):
            letters += map(as_letter, records)
        return letters[::-1]


@asynccontextmanager
async def open_dead_letters(
    servers: str, *, within: float = _TIMEOUT
) -> AsyncIterator[KafkaDeadLetters]:
    """Look for so many seconds. Raises Unavailable when Kafka does not answer."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        client_id="gyre-dead-letters",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    async with opened(consumer, servers), asyncio.timeout(within), AsyncExitStack() as stack:
        yield KafkaDeadLetters(servers, consumer, stack)


def as_letter(record: RawRecord) -> DeadLetter:
    """As people look at it."""
    cause = read_cause(record.headers)
    headers = as_text(record.headers)
    return DeadLetter(
        offset=record.offset,
        parked_at=cause.parked_at if cause else moment(record.timestamp),
        key=record.key,
        value=record.value,
        headers={name: value for name, value in headers.items() if not name.startswith(PREFIX)},
        cause=cause,
    )
