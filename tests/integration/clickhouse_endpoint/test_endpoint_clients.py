"""clickhouse-connect, sync and async, sees a ClickHouse server."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import pandas as pd
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from tests.integration.clickhouse_endpoint.conftest import PASSWORD

pytestmark = pytest.mark.integration


def test_what_is_inserted_is_read_back_with_its_types(endpoint: Any) -> None:
    client = endpoint.client()
    client.command(
        "CREATE TABLE gyre.typed (id UUID, at DateTime64(3, 'UTC'), tags Array(String), "
        "scores Map(String, Float64), maybe Nullable(Float64), kind LowCardinality(String)) "
        "ENGINE = MergeTree ORDER BY id"
    )
    at = datetime(2026, 3, 1, 12, 30, 15, 123000, tzinfo=UTC)
    row = ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", at, ["a'b", "ü\n"], {"bm25": 1.5}, None, "x"]
    columns = ["id", "at", "tags", "scores", "maybe", "kind"]
    summary = client.insert("gyre.typed", [row], column_names=columns)
    assert summary.written_rows == 1
    [read] = client.query("SELECT * FROM gyre.typed", query_tz="UTC").result_rows
    assert str(read[0]) == row[0]
    assert read[1].replace(tzinfo=UTC) == at
    assert list(read[2:]) == row[2:]


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip", "br", False])
def test_every_compression_goes_both_ways(endpoint: Any, table: str, compression: Any) -> None:
    client = endpoint.client(compress=compression)
    client.insert(table, [[i, "tea " * 10] for i in range(1000)], column_names=["id", "text"])
    assert client.query(f"SELECT id, text FROM {table}").row_count == 1000


def test_data_frames_go_both_ways(endpoint: Any, table: str) -> None:
    client = endpoint.client()
    client.insert_df(table, pd.DataFrame({"id": [1, 2], "text": ["tea", "milk"]}))
    frame = client.query_df(f"SELECT * FROM {table} ORDER BY id")
    assert frame.to_dict("list") == {"id": [1, 2], "text": ["tea", "milk"]}


@pytest.mark.parametrize("text", ["a'b", "line\nbreak", "tab\there", "back\\slash", "ü — 茶", ""])
def test_parameters_arrive_as_they_are(endpoint: Any, text: str) -> None:
    client = endpoint.client()
    result = client.query("SELECT {text:String}, {n:Array(UInt8)}", {"text": text, "n": [1, 2]})
    assert result.result_rows == [(text, [1, 2])]


@pytest.mark.parametrize("in_a_session", [False, True])
def test_settings_and_database_go_with_one_request_only(endpoint: Any, in_a_session: bool) -> None:
    client = endpoint.client(autogenerate_session_id=in_a_session)
    ask = "SELECT getSetting('max_block_size'), currentDatabase()"
    before = client.query(ask).result_rows
    client.database = "gyre"
    assert client.query(ask, settings={"max_block_size": 7}).result_rows == [(7, "gyre")]
    client.database = None
    assert client.query(ask).result_rows == before
    assert before[0][1] == "default"


@pytest.mark.parametrize("seconds", ["nan", "-1", "soon"])
def test_a_session_lasts_a_number_of_seconds(endpoint: Any, seconds: str) -> None:
    status, headers, _ = endpoint.curl(f"?session_id=odd&session_timeout={seconds}", b"SELECT 1")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "36")


def test_a_session_ends_when_nobody_comes_back(endpoint: Any) -> None:
    session = "?session_id=short&session_timeout=0.1&database=gyre"
    assert endpoint.curl(session, b"CREATE TEMPORARY TABLE of_session (a UInt8)")[0] == 200
    deadline = time.monotonic() + 30
    while endpoint.curl(f"{session}&session_check=1", b"SELECT 1")[0] == 200:
        assert time.monotonic() < deadline, "it never ends"
        time.sleep(0.3)
    assert endpoint.curl(session, b"SELECT * FROM of_session")[0] == 404


def test_what_a_session_sets_itself_it_keeps(endpoint: Any) -> None:
    client = endpoint.client()
    client.command("SET max_block_size = 11")
    client.command("USE gyre")
    ask = "SELECT getSetting('max_block_size'), currentDatabase()"
    assert client.query(ask, settings={"max_threads": 1}).result_rows == [(11, "gyre")]
    assert client.query(ask, settings={"max_block_size": 3}).result_rows == [(3, "gyre")]
    assert client.query(ask).result_rows == [(11, "gyre")]


def test_a_session_keeps_its_temporary_tables_and_shares_them_with_nobody(endpoint: Any) -> None:
    one, other = endpoint.client(database="gyre"), endpoint.client(database="gyre")
    one.command("CREATE TEMPORARY TABLE mine (x UInt8)")
    one.command("INSERT INTO mine VALUES (7)")
    assert one.command("SELECT x FROM mine") == 7
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        other.command("SELECT x FROM mine")


@pytest.mark.parametrize("user", ["", "&user=analyst"])
def test_a_setting_that_is_refused_does_not_spoil_the_session_for_later(
    endpoint: Any, user: str
) -> None:
    session = f"?session_id=refusing{user}"
    for setting in ("max_threads=many", "no_such_setting=1"):
        assert endpoint.curl(f"{session}&{setting}", b"SELECT 1")[0] in (400, 403, 404)
        assert endpoint.curl(session, b"SELECT 1")[2] == b"1\n"


def test_a_large_insert_and_a_large_result_pass(endpoint: Any, table: str) -> None:
    client = endpoint.client(compress=False)
    rows = [[i, "x" * 1000] for i in range(25_000)]  # 25 MB: past what is held in memory
    assert client.insert(table, rows, column_names=["id", "text"]).written_rows == 25_000
    assert client.query(f"SELECT * FROM {table}").row_count == 25_000
    with client.query_row_block_stream(f"SELECT * FROM {table}") as blocks:
        assert sum(len(block) for block in blocks) == 25_000


def test_an_insert_that_the_table_refuses_is_an_error_and_none_of_it_is_there(
    endpoint: Any,
) -> None:
    client = endpoint.client()
    client.command(
        "CREATE TABLE gyre.checked (x Int32, y Int32 DEFAULT 7, CONSTRAINT small CHECK x < 10) "
        "ENGINE = MergeTree ORDER BY x"
    )
    with pytest.raises(DatabaseError, match="VIOLATED_CONSTRAINT"):
        client.insert("gyre.checked", [[1], [11]], column_names=["x"])
    client.insert("gyre.checked", [[2]], column_names=["x"])
    assert client.query("SELECT * FROM gyre.checked").result_rows == [(2, 7)]


def test_an_error_carries_clickhouses_code_and_text(endpoint: Any) -> None:
    with pytest.raises(DatabaseError) as failed:
        endpoint.client().query("SELECT * FROM gyre.nowhere")
    assert failed.value.code == 60
    assert "Unknown table expression identifier 'gyre.nowhere'" in str(failed.value)


LATE = "SELECT number, throwIf(number = 3000000) FROM numbers(5000000)"


def test_an_error_in_the_middle_of_a_stream_is_an_error(endpoint: Any) -> None:
    stream = endpoint.client().query_row_block_stream(LATE)
    with pytest.raises(StreamFailureError, match="throwIf"), stream as blocks:
        for _ in blocks:
            pass


def test_a_result_that_is_waited_for_fails_as_a_whole(endpoint: Any) -> None:
    with pytest.raises(DatabaseError) as failed:
        endpoint.client().query(LATE)
    assert failed.value.code == 395


async def test_async_clients_run_side_by_side(endpoint: Any, table: str) -> None:
    client = await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=endpoint.port, username="default", password=PASSWORD
    )
    try:
        await asyncio.gather(
            *(client.insert(table, [[i, "tea"]], column_names=["id", "text"]) for i in range(20)),
            *(client.query(f"SELECT count() FROM {table}") for _ in range(20)),
        )
        result = await client.query(f"SELECT count() FROM {table}")
        assert result.result_rows == [(20,)]
    finally:
        await client.close()
