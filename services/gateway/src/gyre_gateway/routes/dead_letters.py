"""/v1/dead-letters: the records that could not be handled."""

import base64

from fastapi import APIRouter
from gyre.telemetry.v1 import telemetry_pb2

from gyre_gateway.identity import Gyre
from gyre_gateway.replies import Json, Limit, as_json, page
from gyre_gateway.routing import Route

router = APIRouter(tags=["operations"], route_class=Route)


@router.get("/v1/dead-letters", summary="Count dead letters")
async def list_topics(gyre: Gyre) -> Json:
    """How many each topic has."""
    counts = await gyre.dead_letters.list()
    return page({"topic": topic, "count": count} for topic, count in counts.items())


@router.get("/v1/dead-letters/{topic}", summary="Show dead letters")
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
