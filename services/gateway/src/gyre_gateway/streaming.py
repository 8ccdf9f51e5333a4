"""Server-sent events: they show that they live, and end for readers who are gone or too slow."""

from collections.abc import AsyncIterator, Mapping

from fastapi import Request
from pydantic_core import to_json
from sse_starlette import EventSourceResponse, ServerSentEvent

from gyre_gateway.replies import Json

_SLOW_READER_SECONDS = 60.0
"""A stream whose reader takes nothing for so long is ended: it holds a call open."""


def event(data: Json, name: str | None = None) -> ServerSentEvent:
    """One message, as JSON."""
    return ServerSentEvent(to_json(data).decode(), event=name, sep="\n")


def event_stream(
    request: Request,
    events: AsyncIterator[ServerSentEvent],
    headers: Mapping[str, str] | None = None,
) -> EventSourceResponse:
    """The reply that sends them as they come."""
    return EventSourceResponse(
        events,
        ping=request.app.state.settings.heartbeat_seconds,
        send_timeout=_SLOW_READER_SECONDS,
        sep="\n",
        headers=headers,
    )
