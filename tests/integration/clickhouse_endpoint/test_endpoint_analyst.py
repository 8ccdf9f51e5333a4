"""The analyst reads the database and nothing else, whatever the statement."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.block
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

pytestmark = pytest.mark.integration


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the server's that no analyst may see."""
    path = tmp_path / "secret.csv"
    path.write_text("secret\n")
    return path


def test_the_analyst_reads_tables_views_and_the_catalogue(
    endpoint: Any, table: str, analyst: Callable[..., Any]
) -> None:
    endpoint.client().command(f"INSERT INTO {table} VALUES (1, 'tea')")
    client = analyst(database="gyre")
    assert client.query(f"SELECT text FROM {table} WHERE id = {{id:UInt8}}", {"id": 1}).row_count
    assert client.query_df(f"SELECT * FROM {table}").shape == (1, 2)
    names = client.query("SELECT name FROM system.tables WHERE database = 'gyre'").result_rows
    assert (table.removeprefix("gyre."),) in names
    assert client.command("USE gyre") is not None
    assert analyst(database="default").command("SELECT currentDatabase()") == "default"
    assert client.command("EXPLAIN SELECT 1")


WRITES = [
    "INSERT INTO {table} VALUES (2, 'x')",
    "INSERT INTO {table} SELECT 2, 'x'",
    "WITH 1 AS one INSERT INTO {table} SELECT one, 'x'",
    "INSERT INTO FUNCTION file('/tmp/gyre-must-not-exist.csv', 'CSV', 'a UInt8') VALUES (1)",
    "CREATE TABLE gyre.made (a UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE made (a UInt8)",
    "CREATE VIEW gyre.made AS SELECT 1",
    "CREATE FUNCTION made AS (x) -> x",
    "CREATE DATABASE made",
    "ALTER TABLE {table} ADD COLUMN b UInt8",
    "ALTER TABLE {table} DELETE WHERE 1",
    "DELETE FROM {table} WHERE 1",
    "UPDATE {table} SET text = '' WHERE 1",
    "TRUNCATE TABLE {table}",
    "DROP TABLE {table}",
    "DETACH TABLE {table}",
    "OPTIMIZE TABLE {table}",
    "RENAME TABLE {table} TO gyre.other",
]
POWERS = [
    "SET readonly = 0",
    "SET max_threads = 17",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_execution_time = 301",
    "SELECT 1 SETTINGS profile = 'default', max_parser_depth = 100000",
    "SELECT 1 PARALLEL WITH SET ROLE owner",
    "SET ROLE owner",
    "SET ROLE DEFAULT",
    "SET ROLE ALL",
    "EXECUTE AS default SELECT 1",
    "GRANT ALL ON *.* TO default",
    "CREATE USER other",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "BACKUP DATABASE gyre TO File('/tmp/gyre-must-not-exist.zip')",
    "SELECT 1 INTO OUTFILE '/tmp/gyre-must-not-exist.csv'",
    "SELECT 1; DROP TABLE {table}",
]
FILES = [
    "SELECT file('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT `\\x66ile`('{secret}')",
    "SELECT * APPLY(file) FROM values('a String', '{secret}')",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "SHOW TABLES FROM gyre WHERE file('{secret}') != ''",
    "EXPLAIN actions = 1 SELECT file('{secret}')",
    "DESCRIBE (SELECT file('{secret}'))",
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT (SELECT any(line) FROM file('{secret}', 'LineAsString'))",
    "SELECT * FROM view(SELECT * FROM file('{secret}', 'LineAsString'))",
    "SELECT * FROM loop(file('{secret}', 'LineAsString'))",
    "SELECT * FROM `{secret}`",
    "SELECT * FROM default.`{secret}`",
    "SELECT * FROM '{secret}'",
    "DESCRIBE file('{secret}', 'CSV')",
    "DESCRIBE TABLE '{secret}'",
    "SELECT * FROM url('file://{secret}', 'LineAsString', 'line String')",
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
    "DESCRIBE url('http://127.0.0.1:9/', 'CSV')",
    "SELECT * FROM s3('http://127.0.0.1:9/bucket/key', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:9', 'system.one')",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
    "SELECT * FROM Python(os)",
]


@pytest.mark.parametrize("statement", [*WRITES, *POWERS, *FILES])
def test_the_analyst_is_refused(
    endpoint: Any, table: str, analyst: Callable[..., Any], secret: Path, statement: str
) -> None:
    endpoint.client().command(f"INSERT INTO {table} VALUES (1, 'tea')")
    with pytest.raises(DatabaseError) as excinfo:
        analyst().command(statement.format(table=table, secret=secret))
    assert excinfo.value.code in {62, 78, 164, 344, 452, 481, 497}
    assert "secret\n" not in str(excinfo.value)
    assert endpoint.client().command(f"SELECT groupArray(text) FROM {table}") == "['tea']"
    assert not list(Path("/tmp").glob("gyre-must-not-exist*"))


def test_a_file_named_in_a_parameter_is_refused_too(
    analyst: Callable[..., Any], endpoint: Any, secret: Path
) -> None:
    with pytest.raises(DatabaseError) as excinfo:
        analyst().query("SELECT * FROM {t:Identifier}", {"t": str(secret)})
    assert excinfo.value.code == 497


def test_settings_within_bounds_are_the_analysts(endpoint: Any, table: str) -> None:
    ask = b"SELECT getSetting('max_execution_time')"
    assert endpoint.curl("?user=analyst&max_execution_time=5", ask)[2] == b"5\n"
    assert endpoint.curl("?user=analyst", ask + b" SETTINGS max_execution_time = 7")[2] == b"7\n"
    session = "?user=analyst&session_id=analysts-own"
    assert endpoint.curl(f"{session}&max_execution_time=5", ask)[2] == b"5\n"
    assert endpoint.curl(session, ask)[2] == b"60\n"


@pytest.mark.parametrize(
    "settings",
    ["readonly=0", "max_execution_time=0", "max_execution_time=301", "max_memory_usage=0",
     "max_result_bytes=999999999999", "max_parser_depth=1000000", "allow_ddl=0", "log_comment=x",
     "output_format_schema=x"],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused(endpoint: Any, table: str, settings: str) -> None:
    status, headers, _ = endpoint.curl(f"?user=analyst&{settings}", b"SELECT 1 FORMAT TSV")
    assert (status, headers.get("X-ClickHouse-Exception-Code")) in [(403, "164"), (403, "452")]


def test_drivers_get_rows_in_clickhouses_own_compression(endpoint: Any) -> None:
    ask = b"SELECT number FROM numbers(300000)"
    status, headers, body = endpoint.curl("?user=analyst&max_execution_time=5&compress=1", ask)
    assert (status, "Content-Encoding" in headers) == (200, False)
    rows = b""
    while body:
        method, packed, plain = struct.unpack_from("<BII", body, 16)
        assert method == 0x82
        rows += lz4.block.decompress(body[25 : 16 + packed], uncompressed_size=plain)
        body = body[16 + packed :]
    assert rows.splitlines()[-1] == b"299999"


def test_the_analyst_has_no_other_role(endpoint: Any) -> None:
    assert endpoint.curl("?user=analyst&role=owner", b"SELECT 1")[0] == 501


def test_a_session_name_does_not_open_anothers_session(
    endpoint: Any, table: str, analyst: Callable[..., Any]
) -> None:
    endpoint.client(session_id="shared").command("SELECT 1")
    with pytest.raises(DatabaseError):
        analyst(session_id="shared").command(f"INSERT INTO {table} VALUES (1, 'x')")


@pytest.mark.parametrize("password", ["guess", ""])
def test_a_wrong_password_is_clickhouses_516(endpoint: Any, password: str) -> None:
    with pytest.raises(DatabaseError) as excinfo:
        endpoint.client(username="default", password=password)
    assert excinfo.value.code == 516
    assert endpoint.curl(f"?user=default&password={password}&query=SELECT+1")[0] == 403
