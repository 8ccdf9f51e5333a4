"""New tables beside the live ones, in ClickHouse: they share parts with the old ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from clickhouse_connect.driver.asyncclient import AsyncClient

from gyre_telemetry.clickhouse import DATABASE, ClickHouseSink, clickhouse_errors
from gyre_telemetry.rebuild import Rebuilding, RebuildState, RedactedWindow
from gyre_telemetry.service import Sink

BESIDE = "gyre_rebuild"
NO_FACTS = ("migrations", "rebuilds", "redactions")
"""Tables of telemetry's own, which no event fills."""

_ANY_SIZE = {"max_table_size_to_drop": 0}
"""By default a server drops no table of more than 50 GB."""

_TABLES = (
    "SELECT name, uuid, comment FROM system.tables WHERE database = {database:String} "
    f"AND engine LIKE '%MergeTree' AND name NOT IN {NO_FACTS}"
)
_COLUMNS = (
    "SELECT table, name, type FROM system.columns WHERE database = {database:String} "
    "ORDER BY table, position"
)
_PARTITIONS = (
    "SELECT DISTINCT partition_id FROM system.parts "
    "WHERE database = {database:String} AND table = {table:String} AND active ORDER BY partition_id"
)
_LAST = f"SELECT * FROM {DATABASE}.rebuilds FINAL ORDER BY started_at DESC LIMIT 1"
_WINDOWS = f"SELECT tenant, since, until, redacted_as, time FROM {DATABASE}.redactions FINAL"


class ClickHouseTables:
    """Implements `Tables`. `types` as `column_types` has them. What may take long, counts and
    removals of tables of any size, goes through the `patient` client.
    """

    def __init__(
        self,
        client: AsyncClient,
        types: Mapping[str, Mapping[str, str]],
        patient: AsyncClient | None = None,
    ) -> None:
        self._client = client
        self._patient = patient or client
        self._types = types

    async def last(self) -> Rebuilding | None:
        """See `Tables`."""
        rows = await self._rows(_LAST)
        if not rows:
            return None
        values = {name: _aware(value) for name, value in rows[0].items()}
        return Rebuilding(**{**values, "state": RebuildState(values["state"])})

    async def save(self, rebuild: Rebuilding) -> None:
        """See `Tables`."""
        values = {**asdict(rebuild), "state": str(rebuild.state)}
        with clickhouse_errors():
            await self._client.insert(
                "rebuilds", [list(values.values())], column_names=list(values), database=DATABASE
            )

    async def redacted_windows(self) -> Sequence[RedactedWindow]:
        """See `Tables`."""
        rows = await self._rows(_WINDOWS)
        return [
            RedactedWindow(**{name: _aware(value) for name, value in row.items()}) for row in rows
        ]

    async def copy(self) -> Mapping[str, UUID]:
        """See `Tables`."""
        await self.drop()
        await self._command(f"CREATE DATABASE {BESIDE} COMMENT 'What becomes the tables of gyre'")
        for name, comment in (await self._tables(DATABASE)).items():
            new, old = f"{BESIDE}.{name}", f"{DATABASE}.{name}"
            await self._command(f"CREATE TABLE {new} AS {old}")
            await self._command(f"ALTER TABLE {new} MODIFY COMMENT {_quoted(comment)}")
            for partition in await self._rows(_PARTITIONS, database=DATABASE, table=name):
                part = f"PARTITION ID {_quoted(partition['partition_id'])}"
                await self._command(f"ALTER TABLE {new} ATTACH {part} FROM {old}")
        return await self._ids(BESIDE)

    async def fit(self, tables: Mapping[str, UUID]) -> bool:
        """See `Tables`."""
        live, beside = await self._ids(DATABASE), await self._ids(BESIDE)
        if not tables or tables.keys() != live.keys():
            return False
        if any(each not in (live[name], beside.get(name)) for name, each in tables.items()):
            return False
        columns, new = await self._columns(DATABASE), await self._columns(BESIDE)
        return all(columns[name] == new[name] for name in new)

    async def row_counts(self, *, new: bool) -> Mapping[str, int]:
        """See `Tables`."""
        database = BESIDE if new else DATABASE
        counts = {}
        for name in await self._ids(database):
            with clickhouse_errors():
                count = await self._patient.query(f"SELECT count() FROM {database}.{name} FINAL")
            counts[name] = int(count.result_rows[0][0])
        return counts

    def sink(self, *, new: bool) -> Sink:
        """See `Tables`."""
        return ClickHouseSink(self._client, self._types, database=BESIDE if new else DATABASE)

    async def swap(self, tables: Mapping[str, UUID]) -> None:
        """See `Tables`. Who reads or writes a table by its name has the old one or the new one."""
        live = await self._ids(DATABASE)
        for name, new in tables.items():
            if live[name] != new:
                await self._command(f"EXCHANGE TABLES {DATABASE}.{name} AND {BESIDE}.{name}")

    async def drop(self) -> None:
        """See `Tables`."""
        with clickhouse_errors():
            drop = f"DROP DATABASE IF EXISTS {BESIDE} SYNC"
            await self._patient.command(drop, settings=_ANY_SIZE)

    async def _tables(self, database: str) -> Mapping[str, str]:
        rows = await self._rows(_TABLES, database=database)
        return {row["name"]: row["comment"] for row in rows}

    async def _ids(self, database: str) -> Mapping[str, UUID]:
        rows = await self._rows(_TABLES, database=database)
        return {row["name"]: row["uuid"] for row in rows}

    async def _columns(self, database: str) -> Mapping[str, list[tuple[str, str]]]:
        columns: dict[str, list[tuple[str, str]]] = {}
        for row in await self._rows(_COLUMNS, database=database):
            columns.setdefault(row["table"], []).append((row["name"], row["type"]))
        return columns

    async def _rows(self, query: str, **parameters: object) -> list[dict[str, Any]]:
        with clickhouse_errors():
            result = await self._client.query(query, parameters=parameters)
        return [dict(row) for row in result.named_results()]

    async def _command(self, statement: str) -> None:
        with clickhouse_errors():
            await self._client.command(statement)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _aware(value: Any) -> Any:
    """ClickHouse's times are all in UTC; the client drops that."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
