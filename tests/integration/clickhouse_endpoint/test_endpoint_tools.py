"""The analyst through their tools: requests as the drivers of Grafana and Metabase send them.

Recorded from clickhouse-go 2.51 (Grafana's data source over HTTP, gzip and lz4) and from
clickhouse-jdbc 0.8.6 and 0.10.0 (Metabase's driver), and cut down to what they differ in.
"""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import lz4.block
import pytest

pytestmark = pytest.mark.integration

ANALYST = {"Authorization": "Basic " + base64.b64encode(b"analyst:").decode()}
GRAFANA = "?client_protocol_version=54460&database=gyre&default_format=Native&limit=1000"
METABASE = {"X_ClickHouse_Format": "RowBinaryWithNamesAndTypes", "X_ClickHouse_Database": "gyre"}


def plain(blocks: bytes) -> bytes:
    """What ClickHouse's own lz4 blocks hold."""
    text = b""
    while blocks:
        _, packed, size = struct.unpack_from("<BII", blocks, 16)
        text += lz4.block.decompress(blocks[25 : 16 + packed], uncompressed_size=size)
        blocks = blocks[16 + packed :]
    return text


@pytest.mark.parametrize(
    "setting",
    [
        "max_execution_time=65",
        "session_timezone=Europe/Berlin",
        "wait_end_of_query=1",
        "extremes=0",
        "result_overflow_mode=break&max_result_rows=2000",
        "default_format=JSON",
        "send_progress_in_http_headers=1",
        "enable_http_compression=1",
        "limit=1000",
        "select_sequential_consistency=1",
        "network_compression_method=LZ4",
        "add_http_cors_header=1",
        "client_protocol_version=54405",
    ],
)
def test_what_drivers_set_is_accepted(endpoint: Any, setting: str) -> None:
    status, headers, body = endpoint.curl(f"?{setting}", b"SELECT 1", **ANALYST)
    assert (status, headers.get("X-ClickHouse-Exception-Code")) == (200, None), body


def test_a_client_that_sets_much_reads_as_the_analyst(
    endpoint: Any, table: str, analyst: Callable[..., Any]
) -> None:
    endpoint.client().command(f"INSERT INTO {table} VALUES (1, 'tea')")
    settings = {
        "max_execution_time": 65,
        "session_timezone": "Europe/Berlin",
        "max_result_rows": 2000,
        "result_overflow_mode": "break",
        "extremes": 0,
    }
    client = analyst(settings=settings, compress="zstd", database="gyre")
    query = "SELECT text, timezone(), getSetting('max_execution_time') FROM {t:Identifier}"
    rows = client.query(query, {"t": table.removeprefix("gyre.")}).result_rows
    assert rows == [("tea", "Europe/Berlin", 65)]


def test_grafanas_driver_learns_who_serves(endpoint: Any) -> None:
    hello = b"SELECT displayName() AS name, revision() AS revision, timezone() AS zone"
    status, headers, body = endpoint.curl(f"{GRAFANA}&max_execution_time=65", hello, **ANALYST)
    assert (status, headers["X-ClickHouse-Format"]) == (200, "Native")
    assert body.startswith(b"\x01\x00\x02\xff\xff\xff\xff\x00\x03\x01\x04name\x06String\x00")
    packed = f"{GRAFANA}&compress=1&network_compression_method=LZ4"
    assert plain(endpoint.curl(packed, hello, **ANALYST)[2]) == body


def test_metabases_driver_learns_how_many_rows_there_are(endpoint: Any) -> None:
    ask = b"SELECT version() AS server_version"
    status, headers, body = endpoint.curl(
        "?compress=1&wait_end_of_query=1", ask, **ANALYST, **METABASE
    )
    summary = json.loads(headers["X-ClickHouse-Summary"])
    assert (status, summary["result_rows"]) == (200, "1")
    assert plain(body).startswith(b"\x01\x0eserver_version\x06String")


def test_a_summary_tells_what_was_read_from_what_came_of_it(endpoint: Any) -> None:
    counted = endpoint.curl("", b"SELECT count() FROM numbers(1000)")[1]
    summary = json.loads(counted["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"]) == ("1000", "1")
    many = b"SELECT number, toString(number) FROM numbers(1000000)"
    waited = endpoint.curl("?wait_end_of_query=1", many)[1]
    assert json.loads(waited["X-ClickHouse-Summary"])["result_rows"] == "1000000"


COLUMNS = [
    "number", "number = 1 AS b", "toString(number) AS s", "repeat('x', number * 100) AS l",
    "toFixedString('ab', 3) AS f", "toDecimal64(number, 2) AS d", "toDecimal256(1, 2) AS h",
    "toDateTime64(0, 3, 'UTC') AS t", "toDate(number) AS a",
    "toUUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8') AS i", "toIntervalDay(number) AS j",
    "CAST(1, 'Enum8(\\'a, (b\\' = 1)') AS e", "if(number = 1, NULL, number) AS n",
    "if(number = 1, NULL, 'x') AS o", "range(number) AS r", "[[], range(number)] AS rr",
    "arrayMap(x -> toString(x), range(number)) AS rs", "emptyArrayString() AS re",
    "map('a', number, 'b', 2) AS m", "map() AS me", "(number, 'x', [number]) AS p",
    "CAST((1, 'x'), 'Tuple(one UInt8, `the other` String)') AS q",
    "toLowCardinality(toString(number)) AS c", "toLowCardinality(toNullable('x')) AS cn",
    "arrayMap(x -> toLowCardinality(toString(x)), range(number)) AS rc",
    "CAST(map('a', 1.5), 'Map(LowCardinality(String), Float64)') AS mc",
    "[(toLowCardinality('x'), NULL)] AS pc", "toIPv6('::1') AS v", "NULL AS z",
]  # fmt: skip


INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


def native(endpoint: Any, columns: str, rows: int, version: int) -> bytes:
    path = f"?default_format=Native&client_protocol_version={version}"
    sql = f"SELECT {columns} FROM numbers({rows}) ORDER BY number"
    status, _, body = endpoint.curl(path, sql.encode(), **ANALYST)
    assert status == 200, body
    return bytes(body)


@pytest.mark.parametrize("rows", [1, 4])
def test_native_blocks_are_those_of_the_clients_version(endpoint: Any, rows: int) -> None:
    expected = INFO + bytes([len(COLUMNS), rows])
    for column in COLUMNS:
        alone = native(endpoint, column, rows, 0)[2:]
        name = 1 + alone[0]
        head = name + 1 + alone[name]
        expected += alone[:head] + b"\x00" + alone[head:]
    assert native(endpoint, ", ".join(COLUMNS), rows, 54460) == expected


def test_so_are_all_blocks_of_a_long_result_and_those_of_an_empty_one(endpoint: Any) -> None:
    columns = "number, toString(number) AS text"
    old, new = (native(endpoint, columns, 300_000, version) for version in (54405, 54460))
    assert new.count(INFO) > 1
    assert len(new) == len(old) + new.count(INFO) * (len(INFO) + 2)
    assert native(endpoint, columns, 0, 54460) == b""


def test_a_type_that_has_several_forms_is_refused_with_what_to_do(endpoint: Any) -> None:
    status, _, body = endpoint.curl(GRAFANA, b"SELECT CAST(1, 'Variant(UInt8)')", **ANALYST)
    assert (status, b"Variant is not offered" in body) == (501, True)


@pytest.mark.parametrize("version", ["", "new", "-1", "9" * 400])
def test_a_version_is_a_number(endpoint: Any, version: str) -> None:
    status, headers, _ = endpoint.curl(
        f"?client_protocol_version={version}", b"SELECT 1", **ANALYST
    )
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "36")
