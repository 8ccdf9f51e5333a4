"""Rows into ClickHouse, a batch an insert."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from gyre_telemetry.clickhouse import clickhouse_errors
from gyre_telemetry.rows import TableRow

DATABASE = "gyre"
_COLUMNS = "SELECT table, name, type FROM system.columns WHERE database = {database:String}"


class ClickHouseSink:
    """Implements `Sink` on tables that replace rows by their sorting key."""

    def __init__(self, client: AsyncClient, types: Mapping[str, Mapping[str, str]]) -> None:
        self._client = client
        self._types = types

    @classmethod
    async def open(cls, client: AsyncClient) -> "ClickHouseSink":
        """Learn the tables' columns once, so that an insert need not ask.

        Raises:
            Unavailable: ClickHouse is not there.
        """
        with clickhouse_errors():
            columns = await client.query(_COLUMNS, parameters={"database": DATABASE})
        types: dict[str, dict[str, str]] = defaultdict(dict)
        for table, name, kind in columns.result_rows:
            types[str(table)][str(name)] = str(kind)
        return cls(client, types)

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        """See `Sink`."""
        kinds = self._types[table]
        names = [name for name in kinds if name in rows[0].values]
        columns = [_column(kinds[name], [row.values[name] for row in rows]) for name in names]
        with clickhouse_errors():
            await self._client.insert(
                table,
                columns,
                column_names=names,
                column_type_names=[kinds[name] for name in names],
                column_oriented=True,
                database=DATABASE,
            )

    async def reachable(self) -> bool:
        """Tell whether ClickHouse answers."""
        return bool(await self._client.ping())


def _column(kind: str, values: list[Any]) -> list[Any]:
    """Values as a column of that type takes them: parts by name, "" for a text that is missing."""
    if kind.startswith("Array(Tuple("):
        return [[vars(part) for part in parts] for parts in values]
    if None in values and not kind.startswith("Nullable("):
        return ["" if value is None else value for value in values]
    return values
