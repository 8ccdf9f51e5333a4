"""CloudEvents 1.0 in Kafka's binary mode: attributes as `ce_*` headers, beside W3C trace context.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gyre_common.events.event import now
from gyre_common.events.topic import Topic

Headers = Sequence[tuple[str, bytes]]

_PROPAGATOR = TraceContextTextMapPropagator()


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
