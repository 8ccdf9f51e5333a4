"""The connection to ClickHouse, and what its errors mean to us."""

import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import (
    DatabaseError,
    DataError,
    Error,
    InternalError,
    NotSupportedError,
    ProgrammingError,
)
from gyre_common.errors import Poison, Unavailable

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60

# What a value can be wrong about, by ClickHouse's code (src/Common/ErrorCodes.cpp): such a row
# fails for ever. Every other refusal waits in place: the schema, the user or the disk can be
# mended, and nothing may be lost until then.
_BAD_VALUE = frozenset(
    {6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 376, 441, 691}
)


@asynccontextmanager
async def open_clickhouse(url: str, *, user: str, password: str) -> AsyncIterator[AsyncClient]:
    """Connect.

    Raises:
        Unavailable: ClickHouse is not there, or does not let the user in.
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
            send_receive_timeout=_ANSWER_SECONDS,
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
    except (DataError, ValueError, OverflowError, struct.error) as error:
        raise Poison(f"a row does not fit its table ({type(error).__name__})") from error
    except (ProgrammingError, NotSupportedError, InternalError):
        raise
    except DatabaseError as error:
        if error.code in _BAD_VALUE:
            raise Poison(f"ClickHouse refuses a value (code {error.code})") from error
        raise Unavailable(f"ClickHouse: {_first_line(error)}") from error
    except (Error, OSError) as error:
        raise Unavailable(f"ClickHouse does not answer: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
