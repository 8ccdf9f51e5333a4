"""An Elasticsearch for the half of the contract that needs one."""

from collections.abc import Iterator

import pytest
from gyre_local.testing import engines


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with engines(tmp_path_factory.mktemp("engines")) as running:
        running.start("elasticsearch")
        yield running.ports.elasticsearch_url
