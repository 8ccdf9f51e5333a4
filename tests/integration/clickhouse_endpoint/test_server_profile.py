"""The analyst of a ClickHouse server (infra/clickhouse/users.d), tried on the engine itself."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ANALYST = Path(__file__).parents[3] / "infra" / "clickhouse" / "users.d" / "analyst.xml"
CODES = """
import json, re, sys, chdb
users, statements = sys.argv[1], json.loads(sys.argv[2])
engine = chdb.connect(f"{users}.data?config-file={users}&users_config={users}")
for statement in statements:
    try:
        engine.query(statement, "TSV")
        print(0)
    except Exception as error:
        print(re.search(r"Code: ([0-9]+)", str(error)).group(1))
"""
"""In a process of its own: chdb has one engine a process, and one set of users."""


def codes(folder: Path, *statements: str) -> list[int]:
    """What the engine says to each, in one session of the server's analyst; 0 for yes."""
    server = ElementTree.parse(ANALYST).getroot()
    analyst = server.find("users/analyst")
    assert analyst is not None
    analyst.tag = "default"  # chdb knows this user only
    for kind in ("profiles", "quotas"):
        parent = server.find(kind)
        ElementTree.SubElement(
            ElementTree.SubElement(server, kind) if parent is None else parent, "default"
        )
    users = folder / "users.xml"
    users.write_text(ElementTree.tostring(server, encoding="unicode"))
    command = [sys.executable, "-c", CODES, str(users), json.dumps(statements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_what_drivers_set_is_accepted(tmp_path: Path) -> None:
    settings = (
        "max_execution_time = 65", "max_memory_usage = 2000000000", "max_threads = 4",
        "session_timezone = 'Europe/Berlin'", "limit = 1000", "max_result_rows = 2000",
        "result_overflow_mode = 'break'", "extremes = 1", "select_sequential_consistency = 1",
        "network_compression_method = 'LZ4'", "send_progress_in_http_headers = 1",
        "enable_http_compression = 1", "log_comment = 'dashboard'", "join_use_nulls = 1",
    )  # fmt: skip
    queries = [f"SELECT 1 FORMAT Null SETTINGS {setting}" for setting in settings]
    assert codes(tmp_path, *queries) == [0] * len(queries)


def test_no_bound_is_lifted_and_nothing_is_written_or_reached(tmp_path: Path) -> None:
    refused = {
        "SELECT 1 SETTINGS max_execution_time = 0": 452,
        "SELECT 1 SETTINGS max_execution_time = 301": 452,
        "SELECT 1 SETTINGS max_memory_usage = 0": 452,
        "SELECT 1 SETTINGS max_memory_usage = 3000000000": 452,
        "SELECT 1 SETTINGS max_threads = 17": 452,
        "SELECT 1 SETTINGS readonly = 0": 164,
        "SET readonly = 1": 164,
        "CREATE TABLE gyre.made (a UInt8) ENGINE = Memory": 497,
        "CREATE TEMPORARY TABLE made (a UInt8)": 497,
        "CREATE USER other": 497,
        "SYSTEM SHUTDOWN": 497,
        "SELECT * FROM file('x.csv', 'CSV', 'a String')": 497,
        "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')": 497,
        "SELECT * FROM s3('http://127.0.0.1:9/bucket/key', 'CSV', 'a String')": 497,
        "SELECT * FROM remote('127.0.0.1:9', 'system.one')": 497,
        "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')": 497,
        "SELECT * FROM executable('id', 'TSV', 'a String')": 497,
    }
    answers = codes(tmp_path, *refused, "SET profile = 'default'", *refused)
    assert dict(zip(refused, answers, strict=False)) == refused
    assert dict(zip(refused, answers[-len(refused) :], strict=True)) == refused
