"""Where a row comes from: the id, time and trace of the event behind it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gyre_common.bus import RawRecord, Record
from gyre_common.bus.envelope import as_text, event_id, event_time
from gyre_common.telemetry.tracing import trace_from
from opentelemetry import trace


@dataclass(frozen=True)
class Origin:
    """What every row says of its event. `trace_id` is 32 hexadecimal digits, or empty."""

    event_id: UUID
    time: datetime
    trace_id: str
    offset: int


def origin_of(record: Record[Any]) -> Origin:
    """The origin of the rows that follow from a record."""
    return origin_of_raw(record.raw)


def origin_of_raw(raw: RawRecord) -> Origin:
    """The same, of a record that nobody decoded."""
    span = trace.get_current_span(trace_from(as_text(raw.headers))).get_span_context()
    return Origin(
        event_id=event_id(raw),
        time=event_time(raw),
        trace_id=trace.format_trace_id(span.trace_id) if span.is_valid else "",
        offset=raw.offset,
    )
