"""One set of accounts: the local engines, docker-compose and the services name the same."""

import xml.etree.ElementTree as ElementTree
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
ENGINES = {"kafka", "elasticsearch", "clickhouse"}


def grants(text: str, path: str) -> set[str]:
    return {query.text or "" for query in ElementTree.fromstring(text).findall(path)}


def test_every_container_uses_the_same_passwords_and_none_is_written_down() -> None:
    for name, service in COMPOSE.items():
        environment = service["environment"]
        if name in ENGINES:
            continue
        assert environment["GYRE_CLICKHOUSE_PASSWORD"].startswith("${GYRE_CLICKHOUSE_PASSWORD:?")
        engine = COMPOSE["clickhouse"]["environment"]
        assert engine["CLICKHOUSE_PASSWORD"] == environment["GYRE_CLICKHOUSE_PASSWORD"]
        engine = COMPOSE["elasticsearch"]["environment"]
        assert engine["ELASTIC_PASSWORD"] == environment["GYRE_ELASTICSEARCH_PASSWORD"]
    assert COMPOSE["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"
    assert "CLICKHOUSE_SKIP_USER_SETUP" not in COMPOSE["clickhouse"]["environment"]


def test_no_password_stands_on_a_command_line() -> None:
    for service in COMPOSE.values():
        check = " ".join(service.get("healthcheck", {}).get("test", []))
        assert "-u " not in check
        assert "${" not in check


def test_the_analyst_may_do_the_same_everywhere() -> None:
    local = resources.files("gyre_local.clickhouse_endpoint").joinpath("users.xml").read_text()
    server = ROOT / "infra" / "clickhouse" / "users.d" / "analyst.xml"
    assert f"./{server.relative_to(ROOT)}:" in " ".join(COMPOSE["clickhouse"]["volumes"])
    expected = grants(local, "roles/analyst/grants/query")
    assert expected
    assert grants(server.read_text(), "users/analyst/grants/query") == expected
