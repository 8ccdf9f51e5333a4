"""What was acknowledged is there after a kill, and the folder belongs to one process."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import Error

pytestmark = [pytest.mark.integration, pytest.mark.faults]


def test_acknowledged_rows_survive_kill_minus_nine(endpoint: Any, table: str) -> None:
    acknowledged: list[int] = []

    def insert_until_it_dies() -> None:
        client = endpoint.client(query_retries=0)
        try:
            for i in range(100_000):
                client.insert(table, [[i, "tea"]] * 100, column_names=["id", "text"])
                acknowledged.append(i)
        except (Error, OSError):
            return

    writer = threading.Thread(target=insert_until_it_dies)
    writer.start()
    while len(acknowledged) < 20 and writer.is_alive():
        writer.join(0.01)
    endpoint.kill()
    writer.join()
    endpoint.start()
    rows = endpoint.client().query(f"SELECT id, count() FROM {table} GROUP BY id").result_rows
    counts = dict(rows)
    assert {i: counts.get(i) for i in acknowledged} == dict.fromkeys(acknowledged, 100)
    assert all(count == 100 for count in counts.values())  # an insert is there whole or not at all


def test_a_stop_waits_for_what_runs_and_leaves_the_data(endpoint: Any, table: str) -> None:
    endpoint.client().command(f"INSERT INTO {table} VALUES (1, 'tea')")
    answers: list[Any] = []
    slow = threading.Thread(
        target=lambda: answers.append(endpoint.client().command("SELECT sleep(1)"))
    )
    slow.start()
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep(1)%'"
    while not endpoint.client().command(running):
        pass
    assert endpoint.stop() == 0
    slow.join()
    endpoint.start()
    assert answers == [0]
    assert endpoint.client().command(f"SELECT count() FROM {table}") == 1


def test_a_second_process_on_the_folder_is_refused_with_one_line(endpoint: Any) -> None:
    module = [sys.executable, "-m", "gyre_local.clickhouse_endpoint"]
    second = subprocess.run(
        [*module, *endpoint.options(1)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "Traceback" not in second.stderr
    assert "cannot open" in second.stderr


def test_a_taken_port_is_named(endpoint: Any, tmp_path: Path) -> None:
    module = [sys.executable, "-m", "gyre_local.clickhouse_endpoint"]
    second = subprocess.run(
        [*module, *endpoint.options(endpoint.port), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert str(endpoint.port) in second.stderr
    assert "Traceback" not in second.stderr
