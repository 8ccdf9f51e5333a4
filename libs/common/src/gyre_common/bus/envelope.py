"""CloudEvents 1.0 in Kafka's binary mode: attributes as `ce_*` headers, beside W3C trace context.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gyre_common.events.event import now
from gyre_common.events.topic import Topic

Headers = Sequence[tuple[str, bytes]]

_PROPAGATOR = TraceContextTextMapPropagator()


class _HasPosition(Protocol):
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Headers: ...


def headers_for(topic: Topic[Any], event_id: UUID, service: str) -> list[tuple[str, bytes]]:
    """The headers of an event that `service` publishes now."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode()),
        ("ce_source", f"/gyre/{service}".encode()),
        ("ce_type", f"gyre.{topic.name}".encode()),
        ("ce_time", now().isoformat().replace("+00:00", "Z").encode()),
        ("content-type", b"application/json"),
    ]
    trace: dict[str, str] = {}
    _PROPAGATOR.inject(trace)
    headers.extend((name, value.encode()) for name, value in trace.items())
    return headers


def header(headers: Headers, name: str) -> bytes | None:
    """The last header of that name (Kafka allows several)."""
    last = None
    for key, value in headers:
        if key == name:
            last = value
    return last


def text_header(headers: Headers, name: str) -> str | None:
    """The last header of that name as text; None where it is missing or not UTF-8."""
    value = header(headers, name)
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def as_text(headers: Headers) -> dict[str, str]:
    """All headers as text; bytes that are not UTF-8 become `\\xNN`."""
    return {name: (value or b"").decode(errors="backslashreplace") for name, value in headers}


def event_id(record: _HasPosition) -> UUID:
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


def event_time(record: _HasPosition) -> datetime:
    """`ce_time` if it is an RFC 3339 time with a zone; else the record's timestamp."""
    text = text_header(record.headers, "ce_time")
    if text:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            if time.tzinfo is not None:
                return time.astimezone(UTC)
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)
