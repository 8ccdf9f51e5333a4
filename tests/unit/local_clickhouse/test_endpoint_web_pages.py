"""What a browser sends for a page is told from what tools send."""

import pytest
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.web_pages import refuse_web_pages


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost", "localhost:9999", "[::1]:8123"])
def test_tools_are_served_under_every_name_of_this_machine(host: str) -> None:
    refuse_web_pages({"Host": host, "User-Agent": "curl"})
    refuse_web_pages({"Host": host, "Sec-Fetch-Site": "none"})  # typed by a person


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.org:8123"},
        {"Host": "127.0.0.1.example.org"},
        {"Host": "[::1"},
        {"Host": ""},
        {},
        {"Host": "127.0.0.1", "Origin": "https://example.org"},
        {"Host": "127.0.0.1", "Origin": "null"},
        {"Host": "127.0.0.1", "Sec-Fetch-Site": "cross-site"},
        {"Host": "127.0.0.1", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_are_not(headers: dict[str, str]) -> None:
    with pytest.raises(EngineError) as excinfo:
        refuse_web_pages(headers)
    assert excinfo.value.status == 403
