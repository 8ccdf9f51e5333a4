"""/v1/dead-letters: the records that could not be handled."""

import base64
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from gyre.telemetry.v1 import telemetry_pb2
from gyre_client.errors import GyreError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gyre_gateway.errors import renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import MOMENT, Json, as_json, page, replying
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
_TOPIC = telemetry_pb2.DeadLetterTopic(
    topic="documents.submitted.v1.dlq", count=2, oldest_parked_at=MOMENT, end=8
)
_TEXT = {"key": "default/tea.md", "value": "not JSON"}
_ENCODINGS = {"key_encoding": "utf-8", "value_encoding": "utf-8"}


_DECIDED = replying(page([as_json(telemetry_pb2.DecidedDeadLetter(offset=7, outcome="replayed"))]))
_FIELDS = {"actor": "gyre-actor", "filter": "body"}


class Chosen(BaseModel):
    """All that is set must hold. `cause` is a part of kind, error or message, in any case; `tenant`
    whose the record is; `since` and `until` are when it was parked.
    """

    cause: str = ""
    tenant: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    def as_filter(self) -> telemetry_pb2.DeadLetterFilter:
        """For telemetry."""
        return telemetry_pb2.DeadLetterFilter(
            cause=self.cause, tenant=self.tenant, since=self.since, until=self.until
        )


class ShownLetters(Chosen):
    """How many, newest first, and whether with those that somebody decided on."""

    limit: Annotated[int, Field(ge=1, le=1_000)] = 10
    decided: bool = False


class ChosenLetters(Chosen):
    """These offsets of the topic of dead letters, or else all that wait and match the rest."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"offsets": [7], "reason": "the parser is mended"}]},
    )

    offsets: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(default=[], max_length=100)
    reason: str = ""


@router.get(
    "/v1/dead-letters",
    summary="Count dead letters",
    responses=replying(page([as_json(_TOPIC)])),
)
async def list_topics(gyre: Gyre) -> Json:
    """How many of each topic wait for a decision, and since when the first of them."""
    return page(map(as_json, await gyre.dead_letters.list()))


@router.get(
    "/v1/dead-letters/{topic}",
    summary="Show dead letters",
    responses=replying(page([{**as_json(_LETTER), **_TEXT, **_ENCODINGS}])),
)
async def show(
    topic: str,
    gyre: Gyre,
    query: Annotated[ShownLetters, Query()],
) -> Json:
    """The newest of one topic that wait for a decision and match, with or without `.dlq` at its
    end, and why each is there; with `decided` those too that were replayed or dropped.

    `key` and `value` are text where `key_encoding` and `value_encoding` say `utf-8`, else base64.
    """
    letters = await gyre.dead_letters.show(
        topic, limit=query.limit, chosen=query.as_filter(), decided=query.decided
    )
    return page(map(_letter, letters))


@router.post("/v1/dead-letters/{topic}/replay", summary="Replay dead letters", responses=_DECIDED)
async def replay(topic: str, body: ChosenLetters, gyre: Gyre) -> Json:
    """Sends them to the topic that they came from, as they were: what was handled before changes
    nothing. `outcome` is `replayed`; or a letter stays as it was, `detail` says why.
    """
    return await _decided(gyre.dead_letters.replay, topic, body, gyre.caller.actor)


@router.post("/v1/dead-letters/{topic}/drop", summary="Drop dead letters", responses=_DECIDED)
async def drop(topic: str, body: ChosenLetters, gyre: Gyre) -> Json:
    """Decides that they need nothing more, for a `reason`; who and why are kept."""
    return await _decided(gyre.dead_letters.drop, topic, body, gyre.caller.actor)


async def _decided(
    decide: Callable[..., AsyncIterator[telemetry_pb2.DecidedDeadLetter]],
    topic: str,
    body: ChosenLetters,
    actor: str,
) -> Json:
    wanted = body.as_filter()
    # Telemetry refuses offsets beside a filter, so that nobody believes that both count.
    chosen = wanted if wanted.ByteSize() or not body.offsets else None
    about: dict[str, Any] = {"chosen": chosen, "actor": actor or "somebody", "reason": body.reason}
    decided: list[Json] = []
    with renamed(_FIELDS):
        try:
            async for one in decide(topic, body.offsets, **about):
                decided.append(as_json(one))  # noqa: PERF401 (what came before an error counts)
        except GyreError as error:
            if decided:
                last = decided[-1]["offset"]
                error.args = (f"{error}; decided before: {len(decided)}, up to offset {last}",)
            raise
    return page(decided)


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
