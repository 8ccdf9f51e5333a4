"""Every service stands in each list that has them all, with the ports of its place."""

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from gyre_client import Addresses
from gyre_common.settings import ServiceSettings
from gyre_gateway.settings import GatewaySettings
from gyre_local.ports import GATEWAY, SERVICES, Ports

from tools.asyncapi import EDGES

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
ADDRESSES = {"feedback-collector": "feedback"}
"""Names in `Addresses`, where they are not the service's own."""

OF_SERVICES = "Services never import each other"
OF_CORES = "The core of a service knows no broker, no RPC and no store client"
WITHOUT_TORCH = "The serving path runs without torch"
SHARED = "Shared code depends on nobody above it"
NO_CORE = {"trainer", GATEWAY}
"""Whose core is no module `service`: the trainer's is several, the gateway has none."""
WITH_TORCH = {"trainer"}

services = pytest.mark.parametrize("service", SERVICES)
behind = pytest.mark.parametrize("service", [each for each in SERVICES if each != GATEWAY])


def package(service: str) -> str:
    return f"gyre_{service.replace('-', '_')}"


def rule(name: str, part: str) -> list[str]:
    contracts = PYPROJECT["importlinter"]["contracts"]
    return next(each[part] for each in contracts if each["name"] == name)


def test_every_folder_is_a_service() -> None:
    folders = {each.parent.name for each in (ROOT / "services").glob("*/pyproject.toml")}
    assert folders == set(SERVICES)


@services
def test_its_ports_are_those_of_its_place(service: str) -> None:
    module = import_module(f"{package(service)}.settings")
    (settings,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, ServiceSettings)
        and each.__module__ == module.__name__
    )
    assert settings.service == service
    assert settings.grpc_port_base == Ports().grpc(service)
    assert settings.metrics_port_base == Ports().metrics(service)


@services
def test_a_container_runs_it_and_asks_whether_it_is_alive(service: str) -> None:
    container = COMPOSE["services"][service]
    assert container["build"]["args"]["SERVICE"] == service
    assert f"localhost:{Ports().metrics(service)}/healthz" in container["healthcheck"]["test"][-1]


@behind
def test_clients_gateway_and_containers_know_where_it_is(service: str) -> None:
    name, port = ADDRESSES.get(service, service), Ports().grpc(service)
    assert getattr(Addresses(), name) == f"127.0.0.1:{port}"
    shifted = GatewaySettings(port_offset=200)
    assert getattr(shifted, f"{name}_address") == f"127.0.0.1:{port + 200}"
    variables = COMPOSE["x-service"]["environment"]
    assert variables[f"GYRE_{name.upper()}_ADDRESS"] == f"{service}:{port}"


@services
def test_what_it_sends_and_reads_is_described(service: str) -> None:
    handlers = ROOT / "services" / service / "src" / package(service) / "handlers.py"
    assert service in EDGES or not handlers.exists()


@services
def test_types_and_import_rules_know_it(service: str) -> None:
    own = package(service)
    assert f"services/{service}/src" in PYPROJECT["mypy"]["mypy_path"]
    assert own in PYPROJECT["importlinter"]["root_packages"]
    assert own in rule(OF_SERVICES, "modules")
    assert own in rule(SHARED, "forbidden_modules")
    assert service in NO_CORE or f"{own}.service" in rule(OF_CORES, "source_modules")
    assert service in WITH_TORCH or own in rule(WITHOUT_TORCH, "source_modules")
