"""Rewrites rows of before a tenant's choice for personal data, as those that come now are."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.errors import FailedPrecondition
from gyre_common.events import documents as docs
from gyre_common.events.event import now
from gyre_common.events.feedback import FeedbackReceived
from gyre_common.events.interactions import InteractionCompleted, RetrievedChunk, Score
from gyre_common.events.releases import ReleaseChanged
from gyre_common.events.sources import SourceChanged
from gyre_common.events.training import TrainingFinished, TrainingStarted
from gyre_common.personal_data import Redaction
from gyre_common.redaction import RedactedText, redact, redaction_of, text_fields
from gyre_common.redaction.choices import choices
from pydantic import BaseModel

from gyre_telemetry.clickhouse import DATABASE, clickhouse_errors

_SOURCES: Mapping[str, tuple[type[BaseModel], ...]] = {
    # First: where citations stand in passages follows from the passages as they were.
    "interactions": (InteractionCompleted,),
    "retrieved_chunks": (RetrievedChunk,),
    "judgements": (Score,),
    "feedback": (FeedbackReceived,),
    "documents": (
        docs.DocumentAccepted,
        docs.DocumentChunked,
        docs.DocumentIndexed,
        docs.DocumentRejected,
        docs.DocumentQuarantined,
    ),
    "quarantine_decisions": (docs.QuarantineDecided,),
    "training_runs": (TrainingStarted, TrainingFinished),
    "releases": (ReleaseChanged,),
    "sources": (SourceChanged,),
}
"""What the rows of a table are made of."""

_SORTING_KEY = (
    "SELECT sorting_key FROM system.tables "
    "WHERE database = {database:String} AND name = {table:String}"
)
_ROWS = 500
_NO_TEXT = frozenset({"chunk_id", "document_id", "role", "name"})
"""Parts of a column that is made of several, and that are names and ids."""

Row = dict[str, Any]


class ClickHouseRedaction:
    """Rows are replaced by their sorting key, and the old ones are merged away."""

    def __init__(self, client: AsyncClient, types: Mapping[str, Mapping[str, str]]) -> None:
        self._client = client
        self._types = types

    async def redact(self, tenant: str, since: datetime) -> dict[str, int]:
        """Rewrite the tenant's rows from then on; returns how many, by table. Doing it again does
        what was left undone.

        Raises:
            FailedPrecondition: the tenant keeps personal data.
            Unavailable: ClickHouse is away or busy.
        """
        if choices().of(tenant) is Redaction.KEEP:
            raise FailedPrecondition(
                f"personal data of {tenant} is kept, so there is nothing to rewrite: set "
                "GYRE_PERSONAL_DATA or GYRE_PERSONAL_DATA_OF_TENANTS for every service first"
            )
        window = {"tenant": tenant, "since": since, "until": now()}
        with clickhouse_errors():
            await self._note(window)
            rows = {table: await self._rewrite(table, window) for table in _SOURCES}
            await self._note(window)
        return rows

    async def _note(self, window: Mapping[str, Any]) -> None:
        """First of all, so that no rebuild of the tables brings back what was redacted here, and
        at the end: a rebuild that began before that is not swapped.
        """
        row = {**window, "redacted_as": redacted_as(window["tenant"]), "time": now()}
        await self._client.insert(
            "redactions", [list(row.values())], column_names=list(row), database=DATABASE
        )

    async def _rewrite(self, table: str, window: Mapping[str, object]) -> int:
        texts = text_columns(table) & self._types[table].keys()
        [key] = await self._rows(_SORTING_KEY, {"database": DATABASE, "table": table})
        select = (
            f"SELECT * FROM {DATABASE}.{table} FINAL WHERE tenant = {{tenant:String}} "
            "AND time >= {since:DateTime64(3)} AND time < {until:DateTime64(3)} "
            f"ORDER BY {key['sorting_key']} LIMIT {_ROWS} OFFSET {{offset:UInt64}}"
        )
        offset = rewritten = 0
        while rows := await self._rows(select, {**window, "offset": offset}):
            passages = await self._cited_passages(table, rows)
            after = await asyncio.to_thread(_redacted_rows, rows, texts, passages)
            changed = [new for old, new in zip(rows, after, strict=True) if new != old]
            await self._insert(table, changed)
            rewritten += len(changed)
            offset += len(rows)
        if rewritten:
            await self._client.command(f"OPTIMIZE TABLE {DATABASE}.{table} FINAL")
        return rewritten

    async def _rows(self, select: str, parameters: Mapping[str, object]) -> list[Row]:
        result = await self._client.query(select, parameters=dict(parameters))
        return [dict(row) for row in result.named_results()]

    async def _cited_passages(
        self, table: str, rows: Sequence[Row]
    ) -> Mapping[tuple[UUID, UUID], str]:
        """By interaction and passage."""
        if table != "interactions":
            return {}
        ids = [row["interaction_id"] for row in rows if row["citations"]]
        stored = await self._rows(
            f"SELECT interaction_id, chunk_id, text FROM {DATABASE}.retrieved_chunks FINAL "
            "WHERE tenant = {tenant:String} AND interaction_id IN {ids:Array(UUID)}",
            {"tenant": rows[0]["tenant"], "ids": ids},
        )
        return {(row["interaction_id"], row["chunk_id"]): row["text"] for row in stored}

    async def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        kinds = self._types[table]
        await self._client.insert(
            table,
            [[row[name] for name in kinds] for row in rows],
            column_names=list(kinds),
            column_type_names=list(kinds.values()),
            database=DATABASE,
        )


def redacted_as(tenant: str) -> str:
    """What becomes of personal data of the tenant today, of which kinds, and what finds names."""
    today = choices()
    names = f"; {today.pipeline}" if today.pipeline else ""
    return f"{today.of(tenant)}: {', '.join(sorted(today.kinds))}{names}"


def text_columns(table: str) -> frozenset[str]:
    """Fields that fill columns of their name and hold text."""
    return frozenset().union(*map(text_fields, _SOURCES[table]))


def _redacted_rows(
    rows: Sequence[Row], texts: frozenset[str], passages: Mapping[tuple[UUID, UUID], str]
) -> list[Row]:
    return [redacted_row(row, texts, passages) for row in rows]


def redacted_row(row: Row, texts: frozenset[str], passages: Mapping[tuple[UUID, UUID], str]) -> Row:
    """A row as it may stay. Citations stand at the same words as before."""
    tenant = row["tenant"]
    after = row | {name: _redacted(row[name], tenant, name) for name in texts & row.keys()}
    if row.get("citations"):
        answer = redaction_of(row["answer"], tenant)
        cited = [
            passages.get((row["interaction_id"], each["chunk_id"])) for each in row["citations"]
        ]
        after["citations"] = [
            _moved(citation, answer, None if text is None else redaction_of(text, tenant))
            for citation, text in zip(after["citations"], cited, strict=True)
        ]
    return after


def _moved(citation: Row, answer: RedactedText, passage: RedactedText | None) -> Row:
    moved = citation | {
        "start": answer.start(citation["start"]),
        "end": answer.end(citation["end"]),
    }
    if passage is not None:
        moved["chunk_start"] = passage.start(citation["chunk_start"])
        moved["chunk_end"] = passage.end(citation["chunk_end"])
    return moved


def _redacted(value: Any, tenant: str, column: str) -> Any:
    match value:
        case str():
            return redact(value, tenant)
        case dict():
            return {
                name: part
                if name in _NO_TEXT and column != "metadata"
                else _redacted(part, tenant, column)
                for name, part in value.items()
            }
        case list() | tuple():
            return [_redacted(each, tenant, column) for each in value]
        case _:
            return value
