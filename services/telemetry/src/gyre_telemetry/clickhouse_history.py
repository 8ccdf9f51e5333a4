"""Reads ClickHouse for people. Columns have the names of the messages' fields, so that a field is
spelt once.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from clickhouse_connect.driver.asyncclient import AsyncClient
from google.protobuf.message import Message
from gyre.telemetry.v1.telemetry_pb2 import (
    Interaction,
    InteractionFeedback,
    InteractionSummary,
    RetrievedPassage,
    Verdict,
)
from gyre_common.context import request_context
from gyre_common.events.event import EVERY_TENANT

from gyre_telemetry.clickhouse import clickhouse_errors
from gyre_telemetry.clickhouse_sink import DATABASE
from gyre_telemetry.history_reader import VIEWS, Column, JsonRow, Position, TimeRange

_PARTS = {"retrieved", "verdicts", "feedback"}
_ALIASES = dict.fromkeys(("completed_at", "judged_at", "received_at"), "time")
_TEXT_CHARACTERS = 400  # characters of a text that stands in a list
_WHERE_INTERACTION = "WHERE tenant = {tenant:String} AND interaction_id = {id:UUID}"
_COLUMNS = (
    "SELECT name, type, comment FROM system.columns "
    "WHERE database = {database:String} AND table = {view:String} ORDER BY position"
)
_LONGEST_SECONDS = 60.0


def _fields(message: type[Message], sources: Mapping[str, str] = _ALIASES) -> str:
    names = [field.name for field in message.DESCRIPTOR.fields if field.name not in _PARTS]
    return ", ".join(f"{sources[name]} AS {name}" if name in sources else name for name in names)


_INTERACTION = f"SELECT {_fields(Interaction)} FROM gyre.interactions FINAL {_WHERE_INTERACTION}"
_PART_QUERIES = {
    "retrieved": f"SELECT {_fields(RetrievedPassage)} "
    f"FROM gyre.retrieved_chunks FINAL {_WHERE_INTERACTION} ORDER BY rank",
    "verdicts": f"SELECT {_fields(Verdict)} "
    f"FROM gyre.judgements FINAL {_WHERE_INTERACTION} ORDER BY time, metric",
    "feedback": f"SELECT {_fields(InteractionFeedback)} "
    f"FROM gyre.feedback FINAL {_WHERE_INTERACTION} ORDER BY time",
}
_SUMMARY = _fields(
    InteractionSummary,
    {
        "completed_at": "time",
        "question": f"leftUTF8(a.question, {_TEXT_CHARACTERS})",
        "answer": f"leftUTF8(a.answer, {_TEXT_CHARACTERS})",
    },
)


class ClickHouseHistory:
    """Implements `History`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def interaction(self, tenant: str, interaction_id: UUID) -> JsonRow | None:
        """See `History`."""
        parameters = {"tenant": tenant, "id": interaction_id}
        rows = await self._rows(_INTERACTION, parameters)
        if not rows:
            return None
        parts = {name: await self._rows(query, parameters) for name, query in _PART_QUERIES.items()}
        return {**rows[0], **parts}

    async def interactions(
        self, tenant: str, span: TimeRange, id_prefix: str, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        """See `History`."""
        parameters = {"tenant": tenant}
        where = ["tenant = {tenant:String}"]
        if id_prefix:
            where.append("startsWith(toString(interaction_id), {prefix:String})")
            parameters["prefix"] = id_prefix
        keys = ("time", "interaction_id")
        return await self._page("answers", _SUMMARY, keys, where, parameters, span, after, limit)

    async def columns(self, name: str) -> Sequence[Column]:
        """See `History`."""
        rows = await self._rows(_COLUMNS, {"database": DATABASE, "view": name})
        return [Column(str(row["name"]), str(row["type"]), str(row["comment"])) for row in rows]

    async def view(
        self, tenant: str, name: str, span: TimeRange, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        """See `History`."""
        view, parameters = VIEWS[name], {"tenant": tenant}
        where = ["tenant = {tenant:String}"]
        if view.shared:
            where = ["tenant IN ({tenant:String}, {every:String})"]
            parameters["every"] = EVERY_TENANT
        return await self._page(name, "*", view.keys, where, parameters, span, after, limit)

    async def _page(
        self,
        source: str,
        columns: str,
        keys: Sequence[str],
        where: list[str],
        parameters: dict[str, str],
        span: TimeRange,
        after: Position,
        limit: int,
    ) -> Sequence[tuple[Position, JsonRow]]:
        """Keys sort as text: times in UTC do, and names are text already."""
        for bound, comparison, name in ((span.since, ">=", "since"), (span.until, "<", "until")):
            if bound is not None:
                where.append(
                    f"toDateTime64({keys[0]}, 3, 'UTC') {comparison} "
                    f"toDateTime64({{{name}:String}}, 3, 'UTC')"
                )
                parameters[name] = f"{bound.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
        texts = ", ".join(f"toString({key})" for key in keys)
        if after:
            values = ", ".join(f"{{key{place}:String}}" for place in range(len(keys)))
            where.append(f"({texts}) < ({values})")
            parameters |= {f"key{place}": value for place, value in enumerate(after)}
        rows = await self._rows(
            f"SELECT {columns}, [{texts}] AS position FROM {DATABASE}.{source} AS a "
            f"WHERE {' AND '.join(where)} ORDER BY position DESC LIMIT {limit:d}",
            parameters,
        )
        return [(_position(row), _without_position(row)) for row in rows]

    async def _rows(self, query: str, parameters: Mapping[str, Any]) -> list[JsonRow]:
        """The engine gives up when the caller does."""
        remaining = request_context().remaining()
        seconds = _LONGEST_SECONDS if remaining is None else min(remaining, _LONGEST_SECONDS)
        with clickhouse_errors():
            result = await self._client.query(
                query,
                parameters=dict(parameters),
                settings={"max_execution_time": max(1, round(seconds))},
            )
        return [_json(row) for row in result.named_results()]


def _json(row: Mapping[str, object]) -> JsonRow:
    plain: JsonRow = json.loads(json.dumps(row, default=_text))
    return plain


def _text(value: object) -> str:
    if isinstance(value, datetime):  # ClickHouse's are all in UTC; the client drops that
        return f"{value.replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    return value.isoformat() if isinstance(value, date) else str(value)


def _position(row: JsonRow) -> Position:
    parts = row["position"]
    assert isinstance(parts, Iterable)
    return tuple(str(part) for part in parts)


def _without_position(row: JsonRow) -> JsonRow:
    return {name: value for name, value in row.items() if name != "position"}
