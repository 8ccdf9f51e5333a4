"""W3C trace context: one trace from the first call through every topic to the last row."""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()

tracer = trace.get_tracer("gyre")
"""Makes the spans of this process."""


def start_tracing(service: str) -> None:
    """Give every span of this process a real trace id. A second call changes nothing."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(
            TracerProvider(resource=Resource.create({SERVICE_NAME: f"gyre-{service}"}))
        )


def current_traceparent() -> str | None:
    """The `traceparent` header of the current span (W3C Trace Context, section 3.2), if any."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def trace_from(headers: Mapping[str, str]) -> Context:
    """The parent context that `traceparent` and `tracestate` headers name; empty if they are
    missing or malformed.
    """
    return _PROPAGATOR.extract(headers)


def current_trace_id() -> str | None:
    """The trace id of the current span as 32 hex digits, if any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
