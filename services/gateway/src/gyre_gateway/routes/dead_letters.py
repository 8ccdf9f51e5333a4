"""/v1/dead-letters: the records that could not be handled."""

import base64

from fastapi import APIRouter
from gyre.telemetry.v1 import telemetry_pb2

from gyre_gateway.identity import Gyre
from gyre_gateway.replies import MOMENT, Json, Limit, as_json, page, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["operations"], route_class=Route)


_LETTER = telemetry_pb2.DeadLetter(
    offset=7,
    parked_at=MOMENT,
    value_bytes=8,
    cause=telemetry_pb2.DeadLetterCause(
        kind="poison",
        message="the value is not JSON",
        topic="documents.submitted.v1",
        offset=41,
        attempts=1,
        group="ingestor",
    ),
)
_TEXT = {"key": "default/tea.md", "value": "not JSON"}
_ENCODINGS = {"key_encoding": "utf-8", "value_encoding": "utf-8"}


@router.get(
    "/v1/dead-letters",
    summary="Count dead letters",
    responses=replying(page([{"topic": "documents.submitted.v1.dlq", "count": 2}])),
)
async def list_topics(gyre: Gyre) -> Json:
    """How many each topic has."""
    counts = await gyre.dead_letters.list()
    return page({"topic": topic, "count": count} for topic, count in counts.items())


@router.get(
    "/v1/dead-letters/{topic}",
    summary="Show dead letters",
    responses=replying(page([{**as_json(_LETTER), **_TEXT, **_ENCODINGS}])),
)
async def show(topic: str, gyre: Gyre, limit: Limit = 10) -> Json:
    """The newest of one topic, with or without `.dlq` at its end, and why each is there.

    `key` and `value` are text where `key_encoding` and `value_encoding` say `utf-8`, else base64.
    """
    letters = await gyre.dead_letters.show(topic, limit=limit)
    return page(map(_letter, letters))


def _letter(letter: telemetry_pb2.DeadLetter) -> Json:
    fields = as_json(letter)
    for name in ("key", "value"):
        if letter.HasField(name):
            fields |= _bytes(name, getattr(letter, name))
    return fields


def _bytes(name: str, value: bytes) -> Json:
    try:
        return {name: value.decode(), f"{name}_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {name: base64.b64encode(value).decode(), f"{name}_encoding": "base64"}
