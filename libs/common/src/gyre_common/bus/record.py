"""A record as handlers see it: the event, and where it came from."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Generic, Protocol, Self, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from opentelemetry import context as otel
from pydantic_core import from_json

from gyre_common.bus.envelope import Headers, as_text, text_header
from gyre_common.errors import GyreError, Poison
from gyre_common.events.event import Event, derived_id, new_id
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.telemetry.tracing import trace_from

"""Of the year 9999."""

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
    def headers(self) -> Headers:
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
    def key(self) -> str | None:
        """The key as text; bytes that are not UTF-8 become `\\xNN`."""
        key = self.raw.key
        return None if key is None else key.decode(errors="backslashreplace")

    @property
    def headers(self) -> dict[str, str]:
        """The headers as text; bytes that are not UTF-8 become `\\xNN`."""
        return as_text(self.raw.headers)

    @property
    def event_id(self) -> UUID:
        """The id of the fact: `ce_id`, or one derived from the record's place without it."""
        return event_id(self.raw)

    @property
    def time(self) -> datetime:
        """When it happened: `ce_time`, or the record's own timestamp without it."""
        return event_time(self.raw)

    @property
    def timestamp(self) -> datetime:
        """The record's own timestamp."""
        return moment(self.raw.timestamp)

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


def event_id(record: RawRecord) -> UUID:
    """`ce_id` if it is a UUID; else one derived from it, its source or the record's place.

    CloudEvents ids are unique within their source only, and outside producers may send none.
    """
    text = text_header(record.headers, "ce_id")
    if not text:
        place = f"kafka:{record.topic}/{record.partition}/{record.offset}"
        return uuid5(NAMESPACE_URL, place)
    try:
        return UUID(text)
    except ValueError:
        source = text_header(record.headers, "ce_source") or ""
        return uuid5(NAMESPACE_URL, f"cloudevent:{source}#{text}")


def event_time(record: RawRecord) -> datetime:
    """`ce_time` if it is an RFC 3339 time with a zone; else the record's timestamp."""
    text = text_header(record.headers, "ce_time")
    if text:
        # In UTC it may be none of the calendar's: year 1 begins there 14 hours earlier somewhere.
        with suppress(ValueError, OverflowError):
            time = datetime.fromisoformat(text)
            if time.tzinfo is not None:
                return time.astimezone(UTC)
    return moment(record.timestamp)


_LAST_MILLISECOND = 253_402_300_799_000


def moment(timestamp: int) -> datetime:
    """Of milliseconds since 1970, of the calendar, whatever a producer wrote: 1970 for none."""
    return datetime.fromtimestamp(min(max(timestamp, 0), _LAST_MILLISECOND) / 1000, UTC)


LARGEST_FOREIGN_RECORD = 1024 * 1024
"""Bytes of a value that outside producers may send, after decompression: a larger event gets a
readable refusal."""


class RecordTooLarge(Poison):
    """An event is too large to publish, however often it is tried."""


def check_size(topic: str, value: bytes) -> None:
    """Raises: RecordTooLarge."""
    if len(value) > LARGEST_EVENT:
        raise RecordTooLarge(
            f"an event of {len(value)} bytes does not fit on {topic}, which takes "
            f"{LARGEST_EVENT}: put the large part in the store and send its reference and digest"
        )


class UnreadValue(bytes):
    """An empty value, why it is empty, and how to know again what it stands for.

    It stands for all offsets from `first` to that of its record. `digest` and `size` are those of
    the batch as it lies in Kafka. `damaged` says that it is not as its producer made it, so that
    another copy of the batch may hold good records.
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


TenantOf = Callable[[RawRecord], bytes]
"""Whose a record is."""


def tenant_by_key(raw: RawRecord) -> bytes:
    """Of a topic that Gyre's services write: `tenant/…`."""
    return (raw.key or b"").partition(b"/")[0]


def tenant_by_value(raw: RawRecord) -> bytes:
    """Of a topic that others write too, with any key: as the JSON says, the same for all records of
    a document.
    """
    try:
        event = from_json(raw.value or b"")
    except ValueError:
        return b""
    tenant = event.get("tenant") if isinstance(event, dict) else None
    return tenant.encode(errors="replace") if isinstance(tenant, str) else b""


class LeftValue(bytes):
    """An empty value in place of one that is read again from Kafka when its turn comes."""


class RecordGone(Exception):
    """A value that was left in Kafka is there no more: its topic forgot it, or has a newer one."""


class Unreadable(Poison):
    """Kafka holds something damaged; another copy may be intact, so it is not passed over."""


def digest_and_size(value: bytes | None) -> tuple[str, int]:
    """Of a value, or of the batch that it stands for."""
    if isinstance(value, UnreadValue):
        return value.digest, value.size
    return sha256(value or b""), len(value or b"")


def sha256(data: bytes) -> str:
    """The digest of these bytes, as it is written everywhere."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
