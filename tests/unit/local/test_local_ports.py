"""One offset moves every port, and no two systems meet."""

import pytest
from gyre_local.errors import LocalError
from gyre_local.ports import LARGEST_OFFSET, SERVICES, STEP, Ports
from gyre_local.testing import reserved_offset


def test_ports_without_an_offset_are_the_documented_ones() -> None:
    ports = Ports()
    assert (ports.kafka, ports.elasticsearch, ports.clickhouse) == (9092, 9200, 8123)
    assert [ports.grpc(name) for name in SERVICES] == list(range(50051, 50051 + len(SERVICES)))
    assert ports.metrics("ingestor") == 9101
    assert ports.metrics("telemetry") == 9108
    assert (ports.grpc("releases"), ports.metrics("releases")) == (50059, 9109)


def test_systems_at_different_offsets_share_no_port() -> None:
    remainders = [port % STEP for port in Ports().all()]
    assert len(set(remainders)) == len(remainders)


def test_all_ports_fit_below_the_largest_number() -> None:
    assert max(Ports(LARGEST_OFFSET).all()) <= 65535


def test_ports_of_a_test_run_are_none_that_an_outgoing_connection_may_hold() -> None:
    with reserved_offset() as offset:
        assert not any(32768 <= port <= 60999 for port in Ports(offset).all())


@pytest.mark.parametrize("offset", [-100, 50, LARGEST_OFFSET + STEP])
def test_an_offset_that_cannot_work_is_refused_with_the_rule(offset: int) -> None:
    with pytest.raises(LocalError, match="multiple of 100"):
        Ports(offset)


def test_an_offset_whose_page_no_browser_would_open_is_refused() -> None:
    with pytest.raises(LocalError, match="port 10080, which browsers refuse to open; give 2100"):
        Ports(2000)
