"""Real engines and one whole system, shared by the whole run; each starts when it is asked for."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# Tests fork children while gRPC's threads are at work, as the supervisor does (gyre_local.probes).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import pytest
from gyre_common.redaction.choices import choices
from gyre_local.ports import Ports
from gyre_local.testing import LocalEngines, engines, reserved_offset

from tests.system import System


@pytest.fixture(scope="session")
def local_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngines]:
    """A private home on ports of its own; nothing runs until it is asked for."""
    with engines(tmp_path_factory.mktemp("engines")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_servers(local_engines: LocalEngines) -> str:
    """A Kafka shared by all tests of this run: use topics of your own."""
    local_engines.start("kafka")
    return local_engines.ports.kafka_servers


@pytest.fixture(scope="session")
def elasticsearch_url(local_engines: LocalEngines) -> str:
    """An Elasticsearch shared by all tests of this run: use indexes of your own."""
    local_engines.start("elasticsearch")
    return local_engines.ports.elasticsearch_url


@pytest.fixture(scope="session")
def elasticsearch_login(local_engines: LocalEngines, elasticsearch_url: str) -> tuple[str, str]:
    """User and password for it."""
    return local_engines.elasticsearch_login


@pytest.fixture(scope="session")
def clickhouse_url(local_engines: LocalEngines) -> str:
    """A ClickHouse shared by all tests of this run: use a database of your own."""
    local_engines.start("clickhouse")
    return local_engines.ports.clickhouse_url


@pytest.fixture(scope="session")
def clickhouse_login(local_engines: LocalEngines, clickhouse_url: str) -> tuple[str, str]:
    """User and password for it, of who may write."""
    return local_engines.clickhouse_login


@pytest.fixture
def masking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Personal data of every tenant is masked, in this process and those that it starts."""
    monkeypatch.setenv("GYRE_PERSONAL_DATA", "mask")
    choices.cache_clear()
    yield
    choices.cache_clear()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole of Gyre by `gyre up`, started once, stopped at the end."""
    home = tmp_path_factory.mktemp("gyre-home")
    with reserved_offset() as offset:
        running = System(home, Ports(offset))
        running.content.mkdir()
        running.gyre("up", "--detach", "--port-offset", str(offset))
        try:
            yield running
        finally:
            running.gyre("down")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the minutes that each folder of tests took, starts of engines and systems included."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds["/".join(Path(report.nodeid).parts[:2])] += report.duration
    terminalreporter.section("minutes by tier")
    for tier, taken in sorted(seconds.items()):
        terminalreporter.write_line(f"{taken / 60:5.1f} {tier}")
