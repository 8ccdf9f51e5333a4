"""Real engines for the integration tests: each starts when the first test asks for it."""

from collections.abc import Iterator

import pytest
from gyre_local.testing import LocalEngines, engines


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
def clickhouse_url(local_engines: LocalEngines) -> str:
    """A ClickHouse shared by all tests of this run: use a database of your own."""
    local_engines.start("clickhouse")
    return local_engines.ports.clickhouse_url
