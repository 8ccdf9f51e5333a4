"""An endpoint of its own for these tests: they kill it, and give the analyst a password."""

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

PASSWORD = "correct horse battery"


class RunningEndpoint:
    """The endpoint as a process, which can be killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        (folder / "password").write_text(PASSWORD)
        self.start()

    def start(self) -> None:
        module = [sys.executable, "-m", "gyre_local.clickhouse_endpoint"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*module, *self.options(self.port)],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 90
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the endpoint does not answer"
            time.sleep(0.05)

    def options(self, port: int) -> list[str]:
        password = ["--password-file", str(self.folder / "password")]
        return ["--data", str(self.folder / "data"), "--port", str(port), *password]

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def client(self, **options: Any) -> Any:
        login = {"username": "default", "password": PASSWORD}
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.port, **login | options)

    def curl(
        self, query: str = "", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """As the owner, unless the URL or a header names another user."""
        if "user=" not in query and not any("User" in name for name in headers):
            headers["X_ClickHouse_Key"] = PASSWORD
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{query}",
            data=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def _answers(self) -> bool:
        try:
            return self.curl("ping")[2] == b"Ok.\n"
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    running = RunningEndpoint(tmp_path_factory.mktemp("clickhouse"))
    running.client().command("CREATE DATABASE gyre")
    yield running
    running.kill()


@pytest.fixture
def table(endpoint: RunningEndpoint, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty table of the test's own: id UInt64, text String."""
    name = f"gyre.t{abs(hash(request.node.nodeid))}"
    client = endpoint.client()
    client.command(f"CREATE TABLE {name} (id UInt64, text String) ENGINE = MergeTree ORDER BY id")
    yield name
    client.command(f"DROP TABLE {name}")


@pytest.fixture
def analyst(endpoint: RunningEndpoint) -> Callable[..., Any]:
    """Make a client that reads as the analyst."""
    return lambda **options: endpoint.client(username="analyst", password="", **options)
