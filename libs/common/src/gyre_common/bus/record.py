"""A record as handlers see it: the event, and where it came from."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Generic, Protocol, Self, TypeVar
from uuid import UUID

from opentelemetry import context as otel

from gyre_common.bus import envelope
from gyre_common.errors import GyreError, Poison
from gyre_common.events.event import Event, derived_id, new_id
from gyre_common.telemetry.tracing import trace_from

E = TypeVar("E", bound=Event, covariant=True)


class RawRecord(Protocol):
    """A record byte for byte, as the broker holds it. `timestamp` is milliseconds since 1970."""

    @property
    def topic(self) -> str:
        """The topic's name."""

    @property
    def partition(self) -> int:
        """The number of the partition."""

    @property
    def offset(self) -> int:
        """The place in the partition."""

    @property
    def timestamp(self) -> int:
        """When the producer or the broker made it."""

    @property
    def key(self) -> bytes | None:
        """What decided the partition."""

    @property
    def value(self) -> bytes | None:
        """The event, or None for a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """In the order sent; a name may come twice."""


class Record(Generic[E]):
    """An event with its place on its topic. `maker` names the handler that works on it."""

    __slots__ = ("_ids_derived", "event", "maker", "raw")

    def __init__(self, event: E, raw: RawRecord, maker: str) -> None:
        self.event = event
        self.raw = raw
        self.maker = maker
        self._ids_derived = 0

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self.raw.topic

    @property
    def partition(self) -> int:
        """The number of the partition."""
        return self.raw.partition

    @property
    def offset(self) -> int:
        """The place in the partition."""
        return self.raw.offset

    @property
    def key(self) -> str | None:
        """The key as text; bytes that are not UTF-8 become `\\xNN`."""
        key = self.raw.key
        return None if key is None else key.decode(errors="backslashreplace")

    @property
    def headers(self) -> dict[str, str]:
        """The headers as text; bytes that are not UTF-8 become `\\xNN`."""
        return envelope.as_text(self.raw.headers)

    @property
    def event_id(self) -> UUID:
        """The id of the fact: `ce_id`, or one derived from the record's place without it."""
        return envelope.event_id(self.raw)

    @property
    def time(self) -> datetime:
        """When it happened: `ce_time`, or the record's own timestamp without it."""
        return envelope.event_time(self.raw)

    @property
    def timestamp(self) -> datetime:
        """The record's own timestamp."""
        return datetime.fromtimestamp(self.raw.timestamp / 1000, UTC)

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that the producer sent along."""
        return envelope.text_header(self.raw.headers, "traceparent")

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Inside a batch handler: what is published in this block follows from this record."""
        token = CURRENT.set(self)
        trace = otel.attach(trace_from(self.headers))
        try:
            yield
        finally:
            otel.detach(trace)
            CURRENT.reset(token)

    def begin(self) -> None:
        """Start an attempt: ids of what it makes are counted from nought again."""
        self._ids_derived = 0

    def next_id(self) -> UUID:
        """The id of the next fact that follows from this one."""
        next_id = derived_id(self.event_id, self.maker, self._ids_derived)
        self._ids_derived += 1
        return next_id


class NoCurrentRecordError(GyreError):
    """Code that needs the record being handled ran outside of a handler."""


class ManyCurrentRecordsError(GyreError):
    """A batch handler published without saying which record the event follows from."""


class _Batch:
    """Stands where the current record would be while a batch is handled."""


BATCH = _Batch()
CURRENT: ContextVar[Record[Event] | _Batch | None] = ContextVar("gyre_record", default=None)


def current_record() -> Record[Event]:
    """The record that the running handler works on.

    Raises:
        NoCurrentRecordError: outside of a handler, or in a batch handler without
            `record.handling()`.
    """
    record = CURRENT.get()
    if not isinstance(record, Record):
        raise NoCurrentRecordError("there is no current record: call this inside a handler")
    return record


def id_for_next_event() -> UUID:
    """A derived id inside a handler, so that a replay makes the same one; a new one elsewhere.

    Raises:
        ManyCurrentRecordsError: in a batch handler, outside `record.handling()`.
    """
    record = CURRENT.get()
    if record is None:
        return new_id()
    if not isinstance(record, Record):
        raise ManyCurrentRecordsError(
            "a batch handler must say what an event follows from: publish inside "
            "`with record.handling():`, or give an event_id"
        )
    return record.next_id()


class UnreadValue(bytes):
    """An empty value, why it is empty, and how to know again what it stands for.

    It stands for all offsets from `first` to that of its record. `digest` and `size` are those of
    the batch as it lies in Kafka. `damaged` says that nothing could be read of it, so that another
    copy of the batch, or a later version of this program, may hold good records.
    """

    reason: str
    first: int
    digest: str
    size: int
    damaged: bool

    def __new__(cls, reason: str, *, first: int, batch: bytes, damaged: bool) -> Self:
        """An empty value for this reason."""
        self = super().__new__(cls)
        self.reason, self.first, self.damaged = reason, first, damaged
        self.digest, self.size = sha256(batch), len(batch)
        return self


class Unreadable(Poison):
    """Kafka holds something that cannot be read; parking it could lose good records."""


def sha256(data: bytes) -> str:
    """The digest of these bytes, as it is written everywhere."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
