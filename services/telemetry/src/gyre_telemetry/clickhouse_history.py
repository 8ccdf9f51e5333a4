"""Reads ClickHouse for people: columns have the names of messages' fields, each spelt once."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from clickhouse_connect.driver.asyncclient import AsyncClient
from google.protobuf.message import Message
from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre_common.context import RequestContext, request_context
from gyre_common.events.event import EVERY_TENANT

from gyre_telemetry.clickhouse import DATABASE, clickhouse_errors
from gyre_telemetry.history_reader import (
    LISTS,
    JsonRow,
    ListRequest,
    Position,
    View,
    Vote,
    list_name,
)

_PARTS = {"retrieved", "verdicts", "feedback"}
_ALIASES = dict.fromkeys(("completed_at", "judged_at", "received_at"), "time")
_TEXT_CHARACTERS = 400  # characters of a text that stands in a list
_LONGEST_SECONDS = 60.0
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)
_TENANT = "tenant = {tenant:String}"


def _fields(message: type[Message], sources: Mapping[str, str] = _ALIASES) -> str:
    names = [field.name for field in message.DESCRIPTOR.fields if field.name not in _PARTS]
    return ", ".join(f"{sources[name]} AS {name}" if name in sources else name for name in names)


def _of_interaction(message: type[Message], table: str) -> str:
    return (
        f"SELECT {_fields(message)} FROM {DATABASE}.{table} FINAL "
        f"WHERE {_TENANT} AND interaction_id = {{id:UUID}}"
    )


_READABLE = (
    "(actor != '' AND actor = {actor:String} "
    "OR arrayAll(one -> hasAny(one, {groups:Array(String)}), document_acls))"
)
_INTERACTION = f"{_of_interaction(pb.Interaction, 'interactions')} AND {_READABLE}"
_PART_QUERIES = {
    "retrieved": f"{_of_interaction(pb.RetrievedPassage, 'retrieved_chunks')} ORDER BY rank",
    "verdicts": f"{_of_interaction(pb.Verdict, 'judgements')} ORDER BY time, metric",
    "feedback": f"{_of_interaction(pb.InteractionFeedback, 'feedback')} ORDER BY time",
}
_SUMMARY = _fields(
    pb.InteractionSummary,
    {
        "completed_at": "time",
        "question": f"leftUTF8(a.question, {_TEXT_CHARACTERS})",
        "answer": f"leftUTF8(a.answer, {_TEXT_CHARACTERS})",
    },
)
_FILTERS: Mapping[str, str] = {
    "id_prefix": "startsWith(toString(interaction_id), {id_prefix:String})",
    "conversation_id": "conversation_id = {conversation_id:String}",
    "outcome": "outcome = {outcome:String}",
    "version": "has(mapValues(versions), {version:String})",
    "search": "NOT has(multiSearchAllPositionsCaseInsensitiveUTF8("
    "concat(question, '\\n', answer), splitByWhitespace({search:String})), 0)",
}
"""What a field that is set asks of an interaction."""

_VOTED = (
    f"interaction_id IN (SELECT interaction_id FROM {DATABASE}.current_feedback "
    f"WHERE {_TENANT} AND kind IN ('thumb', 'rating')%s)"
)
_VOTES: Mapping[str, str] = {
    Vote.UP: _VOTED % " AND value IN ('up', '4', '5')",
    Vote.DOWN: _VOTED % " AND value IN ('down', '1', '2')",
    Vote.NONE: "NOT " + _VOTED % "",
}
_COLUMNS = (
    "SELECT name, type, comment AS description FROM system.columns "
    "WHERE database = {database:String} AND table = {view:String} ORDER BY position"
)


class ClickHouseHistory:
    """Implements `HistoryStore`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def interaction(
        self, caller: RequestContext, interaction_id: UUID, *, actor: str
    ) -> JsonRow | None:
        """See `HistoryStore`."""
        parameters = {**_reader(caller, actor), "id": interaction_id}
        rows = await self._rows(_INTERACTION, parameters)
        if not rows:
            return None
        parts = {name: await self._rows(query, parameters) for name, query in _PART_QUERIES.items()}
        return {**rows[0], **parts}

    async def columns(self, view: str) -> Sequence[JsonRow]:
        """See `HistoryStore`."""
        return await self._rows(_COLUMNS, {"database": DATABASE, "view": view})

    async def page(
        self, caller: RequestContext, request: ListRequest, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        """See `HistoryStore`. Keys sort as text: times in UTC do, and names are text already."""
        name = list_name(request)
        where, parameters = _bounds(LISTS[name], request, after)
        parameters |= {"tenant": caller.tenant, "every": EVERY_TENANT}
        keys = ", ".join(f"toString({key})" for key in LISTS[name].keys)
        first = f"ORDER BY ({keys}) DESC LIMIT {limit:d}"
        columns, source = "*", f"{DATABASE}.{name}"
        if isinstance(request, pb.ListInteractionsRequest):
            parameters |= _reader(caller, request.actor)
            parameters |= {field: getattr(request, field) for field in _FILTERS}
            where += [_READABLE, *_conditions(request)]
            # The table tells which, so that the view joins verdicts and votes of those alone.
            ids = f"SELECT interaction_id FROM {source} FINAL WHERE {' AND '.join(where)} {first}"
            columns, source = _SUMMARY, f"{DATABASE}.answers AS a"
            where = [_TENANT, f"interaction_id IN ({ids})"]
        rows = await self._rows(
            f"SELECT {columns}, [{keys}] AS position FROM {source} "
            f"WHERE {' AND '.join(where)} {first}",
            parameters,
        )
        return [(tuple(row.pop("position")), row) for row in rows]

    async def _rows(self, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As JSON has them. The engine gives up when the caller does."""
        remaining = request_context().remaining()
        seconds = _LONGEST_SECONDS if remaining is None else min(remaining, _LONGEST_SECONDS)
        with clickhouse_errors():
            result = await self._client.query(
                query,
                parameters=dict(parameters),
                settings={"max_execution_time": max(1, round(seconds))},
            )
        return [json.loads(json.dumps(row, default=_text)) for row in result.named_results()]


def _bounds(view: View, request: ListRequest, after: Position) -> tuple[list[str], dict[str, Any]]:
    """What every row of the list is within, and the parameters of that."""
    where = ["tenant IN ({tenant:String}, {every:String})" if view.shared else _TENANT]
    parameters: dict[str, Any] = {f"key{place}": value for place, value in enumerate(after)}
    for bound, comparison in (("since", ">="), ("until", "<")):
        if request.HasField(bound):
            # Beyond these years DateTime64 holds nothing, so that the bound holds all or none.
            moment = min(max(getattr(request, bound).ToDatetime(UTC), _FIRST), _LAST)
            where.append(
                f"toDateTime64({view.keys[0]}, 3, 'UTC') {comparison} "
                f"toDateTime64({{{bound}:String}}, 3, 'UTC')"
            )
            parameters[bound] = f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    if after:
        keys = ", ".join(f"toString({key})" for key in view.keys)
        values = ", ".join(f"{{{name}:String}}" for name in parameters if name.startswith("key"))
        where.append(f"({keys}) < ({values})")
    return where, parameters


def _conditions(request: pb.ListInteractionsRequest) -> list[str]:
    votes = [_VOTES[request.vote]] if request.vote else []
    return votes + [one for field, one in _FILTERS.items() if getattr(request, field)]


def _reader(caller: RequestContext, actor: str) -> dict[str, Any]:
    return {"tenant": caller.tenant, "groups": list(caller.acl), "actor": actor}


def _text(value: object) -> str:
    if isinstance(value, datetime):  # ClickHouse's are all in UTC; the client drops that
        return f"{value.replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    return value.isoformat() if isinstance(value, date) else str(value)
