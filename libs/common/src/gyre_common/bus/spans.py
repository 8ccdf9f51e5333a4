"""One span around each call of a handler, continued from the record that caused it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from gyre_common.bus.envelope import header
from gyre_common.bus.record import Record
from gyre_common.telemetry import tracer
from gyre_common.telemetry.tracing import trace_from

_NOTHING = nullcontext()
_MOST_LINKS = 32


def handling_span(record: Record[Any], *, traced: bool) -> AbstractContextManager[Any]:
    """A span for one record. Nothing at all where nobody traces: a span costs more than decoding.

    Without tracing in this process, a trace that came with the record is still passed on.
    """
    if not traced and header(record.raw.headers, "traceparent") is None:
        return _NOTHING
    return tracer.start_as_current_span(
        f"{record.topic} process",
        context=trace_from(record.headers),
        kind=trace.SpanKind.CONSUMER,
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
        },
    )


def batch_span(topic: str, records: Sequence[object]) -> AbstractContextManager[Any]:
    """A span for a batch, linked to the traces that its first records came with."""
    if not is_tracing():
        return _NOTHING
    return tracer.start_as_current_span(
        f"{topic} process",
        kind=trace.SpanKind.CONSUMER,
        links=[
            trace.Link(context)
            for record in records[:_MOST_LINKS]
            if isinstance(record, Record) and (context := _sent_context(record)) is not None
        ],
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": topic,
            "messaging.batch.message_count": len(records),
        },
    )


def _sent_context(record: Record[Any]) -> trace.SpanContext | None:
    context = trace.get_current_span(trace_from(record.headers)).get_span_context()
    return context if context.is_valid else None


def is_tracing() -> bool:
    """Tell whether this process makes spans."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)
