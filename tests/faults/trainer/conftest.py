"""A Kafka of its own for tests that hurt what reads from it."""

from collections.abc import Iterator

import pytest
from gyre_local.testing import engines


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its topics hold nothing but what the tests here put there."""
    with engines(tmp_path_factory.mktemp("trainer-fault-engines")) as running:
        running.start("kafka")
        yield running.ports.kafka_servers
