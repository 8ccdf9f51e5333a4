"""A Kafka of its own for tests that hurt it."""

from collections.abc import Iterator

import pytest
from gyre_local.testing import LocalEngines, engines


@pytest.fixture(scope="session")
def fault_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngines]:
    """Nothing runs until a test starts it."""
    with engines(tmp_path_factory.mktemp("fault-engines")) as running:
        yield running


@pytest.fixture
def kafka_servers(fault_engines: LocalEngines) -> str:
    """A Kafka that runs when the test begins."""
    fault_engines.start("kafka")
    return fault_engines.ports.kafka_servers
