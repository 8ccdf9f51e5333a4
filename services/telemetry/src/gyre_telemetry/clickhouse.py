"""ClickHouse: the connection, what its errors mean to us, and rows into it a batch an insert."""

import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver import exceptions
from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.errors import Poison, Unavailable

from gyre_telemetry.service import TableRow

DATABASE = "gyre"
_COLUMNS = "SELECT table, name, type FROM system.columns WHERE database = {database:String}"
_NO_ANSWER = "ClickHouse does not answer: see whether it runs"
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60

_ANY_MONTHS = {"max_partitions_per_insert_block": 0}
"""Records say which months a batch has; by default one with more than 100 is refused as a whole."""

# What a value can be wrong about, by ClickHouse's code (src/Common/ErrorCodes.cpp): such a row
# fails for ever. Every other refusal waits in place: the schema, the user or the disk can be
# mended, and nothing may be lost until then.
_BAD_VALUE = frozenset(
    {6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 376, 441, 469, 691}
)


@asynccontextmanager
async def open_clickhouse(
    url: str, *, user: str, password: str, answer_seconds: float = _ANSWER_SECONDS
) -> AsyncIterator[AsyncClient]:
    """Raises Unavailable where ClickHouse is not there, or does not let the user in. A request may
    go so many seconds without a byte of its answer.
    """
    parts = urlsplit(url)
    with clickhouse_errors():
        client = await clickhouse_connect.get_async_client(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            interface=parts.scheme,
            username=user,
            password=password,
            autogenerate_session_id=False,  # one client, many requests at once
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=answer_seconds,
            client_name="gyre-telemetry",
        )
    try:
        yield client
    finally:
        await client.close()


@contextmanager
def clickhouse_errors() -> Iterator[None]:
    """Turn the client's errors into ours; what the client was not made for stays a bug.

    Raises:
        Poison: a value that never fits its column. It does not quote the value: its text ends up in
            logs and dead letters.
        Unavailable: anything that may be mended.
    """
    try:
        yield
    except (exceptions.DataError, ValueError, OverflowError, struct.error) as error:
        raise Poison(f"a row does not fit its table ({type(error).__name__})") from error
    except (exceptions.ProgrammingError, exceptions.NotSupportedError, exceptions.InternalError):
        raise
    except exceptions.DatabaseError as error:
        if error.code in _BAD_VALUE:
            raise Poison(f"ClickHouse refuses a value (code {error.code})") from error
        if isinstance(error, exceptions.OperationalError) and error.code is None:
            raise Unavailable(_NO_ANSWER) from error
        raise Unavailable(f"ClickHouse: {_first_line(error)}") from error
    except (exceptions.Error, OSError) as error:
        raise Unavailable(_NO_ANSWER) from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


async def column_types(client: AsyncClient) -> Mapping[str, Mapping[str, str]]:
    """The type of each column of each table. Raises Unavailable."""
    with clickhouse_errors():
        columns = await client.query(_COLUMNS, parameters={"database": DATABASE})
    types: dict[str, dict[str, str]] = defaultdict(dict)
    for table, name, kind in columns.result_rows:
        types[str(table)][str(name)] = str(kind)
    return types


class ClickHouseSink:
    """Implements `Sink` on tables that replace rows by their sorting key."""

    def __init__(
        self,
        client: AsyncClient,
        types: Mapping[str, Mapping[str, str]],
        *,
        database: str = DATABASE,
    ) -> None:
        self._client = client
        self._types = types
        self._database = database

    @classmethod
    async def open(cls, client: AsyncClient) -> Self:
        """Learn the tables' columns once, so that an insert need not ask. Raises Unavailable."""
        return cls(client, await column_types(client))

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        """See `Sink`."""
        kinds = {name: kind for name, kind in self._types[table].items() if name in rows[0].values}
        with clickhouse_errors():
            await self._client.insert(
                table,
                [_column(kind, [row.values[name] for row in rows]) for name, kind in kinds.items()],
                column_names=list(kinds),
                column_type_names=list(kinds.values()),
                column_oriented=True,
                database=self._database,
                settings=_ANY_MONTHS,
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
