"""What a web page, a bomb or a greedy query can do to the endpoint: nothing."""

import http.client
import os
import socket
import time
import zlib
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.integration

LONG = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
FILE = "SELECT file('{path}') AS `'`, 1 AS `b'`"


def post(endpoint: Any, statement: str, query: str = "", **headers: str) -> tuple[int, bytes]:
    """As a page would: without a password unless `query` has one, by a simple POST."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=60)
    try:
        by_name = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", f"/{query}", statement.encode(), by_name)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("user", ["", "?user=default", "?user=analyst"])
def test_a_page_elsewhere_reaches_no_account(endpoint: Any, table: str, user: str) -> None:
    page = {"Origin": "https://example.org", "Sec_Fetch_Site": "cross-site"}
    status, answer = post(endpoint, "SELECT 41 + 1", user, **page)
    assert (status, b"42" in answer) == (403, False)
    status, answer = post(endpoint, "SELECT 41 + 1", user, Host="rebound.example.org")
    assert (status, b"42" in answer) == (403, False)


def test_without_its_password_nobody_is_the_owner(endpoint: Any, tmp_path: Path) -> None:
    made = tmp_path / "made.csv"
    insert = f"INSERT INTO FUNCTION file('{made}', 'CSV', 'a UInt8') VALUES (1)"
    assert post(endpoint, insert)[0] == 403
    assert post(endpoint, "CREATE DATABASE made")[0] == 403
    assert not made.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO FUNCTION file('{made}', 'CSV', 'a UInt8') VALUES (1)",
        "INSERT INTO FUNCTION url('http://127.0.0.1:9/', 'CSV', 'a UInt8') VALUES (1)",
        "SELECT 1 INTO OUTFILE '{made}'",
        "INSERT INTO {table} FROM INFILE '{secret}' FORMAT LineAsString",
        "SELECT * FROM file('{secret}', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
        "SELECT * FROM s3('http://127.0.0.1:9/bucket/key', 'CSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1:9', 'system.one')",
        "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
        "SELECT * FROM postgresql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
        "SELECT * FROM executable('id', 'TSV', 'a String')",
        "BACKUP DATABASE gyre TO File('{made}')",
        "CREATE DICTIONARY gyre.ran (a String) PRIMARY KEY a LAYOUT(COMPLEX_KEY_HASHED()) "
        "SOURCE(EXECUTABLE(COMMAND 'id' FORMAT 'TSV')) LIFETIME(0)",
    ],
)
def test_the_owner_keeps_the_database_and_nothing_else(
    endpoint: Any, table: str, tmp_path: Path, statement: str
) -> None:
    made, secret = tmp_path / "made.csv", tmp_path / "secret"
    secret.write_text("secret")
    sql = statement.format(made=made, secret=secret, table=table)
    status, _, answer = endpoint.curl(body=sql.encode())
    assert status >= 400, answer
    assert b"secret\n" not in answer
    assert not made.exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Landlock is Linux's")
def test_the_kernel_keeps_file_to_the_endpoints_folder(
    endpoint: Any, table: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for path in (
        secret,
        "/etc/passwd",
        f"/proc/{os.getpid()}/environ",
        endpoint.folder / "password",
    ):
        status, _, answer = endpoint.curl(body=FILE.format(path=path).encode())
        assert (status, b"Permission denied" in answer) == (503, True), answer
    endpoint.curl(
        body=f"CREATE TABLE gyre.of_file (a String) ENGINE = File('TSV', '{secret}')".encode()
    )
    assert endpoint.curl(body=b"SELECT * FROM gyre.of_file")[0] >= 400
    endpoint.curl(body=b"DROP TABLE IF EXISTS gyre.of_file")


@pytest.mark.parametrize(
    "hiding",
    [
        b"SELECT file('{path}') AS `'`, 1 AS `b'`",
        b"SELECT '\xff\xfe\xff\xfe\xff', file('{path}')",
        "SELECT 'ü茶', file('{path}')".encode(),
        b"SELECT /* ' */ file('{path}') -- '",
        b"SELECT $$'$$, file('{path}')",
    ],
)
@pytest.mark.parametrize("session", ["", "&session_id=hiding&output_format_json_validate_utf8=1"])
def test_nothing_hides_what_a_statement_calls(
    endpoint: Any, table: str, hiding: bytes, session: str
) -> None:
    statement = hiding.replace(b"{path}", str(endpoint.folder / "data" / "users.xml").encode())
    for _ in range(2):  # a kept session has the settings of the request before
        status, headers, answer = endpoint.curl(f"?user=analyst{session}", statement)
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "497"), answer


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4", "br"])
def test_a_bomb_is_refused_before_it_fills_the_memory(endpoint: Any, encoding: str) -> None:
    from gyre_local.clickhouse_endpoint.compression import encoder

    _, pack = encoder(encoding)
    blank = b" " * (8 << 20)
    bomb = b"".join(pack.compress(blank) for _ in range(32)) + pack.flush()
    before = psutil.Process(endpoint.pid).memory_info().rss
    status, _, answer = endpoint.curl("?user=analyst", bomb, Content_Encoding=encoding)
    assert (status, b"larger than 1048576 bytes" in answer) == (413, True)
    assert psutil.Process(endpoint.pid).memory_info().rss - before < 64 << 20


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
def test_a_body_of_empty_frames_is_refused_too(endpoint: Any, encoding: str) -> None:
    from gyre_local.clickhouse_endpoint.compression import encoder

    frame = encoder(encoding)[1].flush()
    status, _, answer = endpoint.curl("?user=analyst", frame * (1 << 17), Content_Encoding=encoding)
    assert (status, b"larger than 1048576 bytes" in answer) == (413, True)


def test_a_form_is_bounded_too(endpoint: Any) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="query"\r\n'
    packed = b"Content-Encoding: gzip\r\n\r\n" + zlib.compress(bytes(1 << 20), wbits=31)
    form = {"Content_Type": "multipart/form-data; boundary=b"}
    large = head + b"\r\n" + b" " * (2 << 20) + b"\r\n--b--\r\n"
    assert endpoint.curl("?user=analyst", large, **form)[0] == 413
    assert endpoint.curl("?user=analyst", head + packed + b"\r\n--b--\r\n", **form)[0] == 400
    good = head + b"\r\nSELECT 42\r\n--b--\r\n"
    assert endpoint.curl("?user=analyst", good, **form)[::2] == (200, b"42\n")


@pytest.mark.parametrize("output", ["TSV", "JSON"])
def test_a_query_ends_when_its_caller_leaves(endpoint: Any, table: str, output: str) -> None:
    statement = f"{LONG} AND '{table}' != '' FORMAT {output}"
    running = (
        "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers(%'"
    )
    with socket.create_connection(("127.0.0.1", endpoint.port)) as caller:
        head = (
            f"POST /?user=analyst HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(statement)}"
        )
        caller.sendall(f"{head}\r\n\r\n{statement}".encode())
        until(lambda: endpoint.client().command(running) == 1)
    until(lambda: endpoint.client().command(running) == 0)


def test_time_and_memory_are_bounded(endpoint: Any) -> None:
    status, answer = post(endpoint, LONG, "?user=analyst&max_execution_time=1")
    assert (status, b"TIMEOUT_EXCEEDED" in answer) == (408, True)
    greedy = "SELECT length(groupArray(number)) FROM numbers(1000000000)"
    status, answer = post(endpoint, greedy, "?user=analyst")
    assert (status, b"MEMORY_LIMIT_EXCEEDED" in answer) == (500, True)


def until(condition: Any) -> None:
    """True before the analyst's own time limit, which would end the query too."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "still not so"
