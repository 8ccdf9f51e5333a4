"""`gyre status`: what runs, where, how big it is, how far behind and what troubles it."""

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from urllib.error import HTTPError

from gyre_client.errors import Unavailable
from gyre_local.control import running_state
from gyre_local.ports import SERVICES, Ports
from prometheus_client.parser import text_string_to_metric_families
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import table
from gyre_cli.system_table import Health, system_json, system_table

_LAG = "gyre_consumer_lag_records"
_TIMEOUT = 1.0
_NAMES = {"feedback": "feedback-collector"}
"""A service whose contract has another name than it has itself."""


@command
def status(cli: Cli) -> None:
    """Show what runs: state, process, port, memory, restarts and lag."""
    state = running_state(cli.settings.home)
    if state is None:
        _elsewhere(cli)
        return
    health = asyncio.run(health_of_services(Ports(state.port_offset)))
    cli.out.result(system_json(state, health), lambda: system_table(state, health))


def _elsewhere(cli: Cli) -> None:
    """No supervisor of ours: ask the services themselves, wherever the settings say they are."""
    settings = cli.settings
    serving = cli.run(lambda gyre: gyre.serving())
    if not any(serving.values()):
        raise Unavailable(
            f"nothing runs in {settings.home}, and no service answers (the generator would be at "
            f"{settings.addresses.generator}): start one with `gyre up`, or set GYRE_HOME or "
            "GYRE_…_ADDRESS"
        )
    services: list[dict[str, str]] = [
        {
            "service": _NAMES.get(name, name),
            "state": "ready" if serves else "no answer",
            "address": str(getattr(settings.addresses, name)),
        }
        for name, serves in serving.items()
    ]
    rows = table("SERVICE", "STATE", "ADDRESS")
    for one in services:
        style = "green" if one["state"] == "ready" else "red"
        rows.add_row(one["service"], Text(one["state"], style=style), one["address"])
    cli.out.result({"ready": all(serving.values()), "services": services}, lambda: rows)


async def health_of_services(ports: Ports) -> Mapping[str, Health]:
    """By service, as each says itself on its metrics port."""
    health = await asyncio.gather(
        *(asyncio.to_thread(_health, ports.metrics(service)) for service in SERVICES)
    )
    return dict(zip(SERVICES, health, strict=True))


def _health(port: int) -> Health:
    readiness = json.loads(_get(port, "/readyz") or '{"waiting_for": "", "problems": []}')
    problems = filter(None, [readiness["waiting_for"], *readiness["problems"]])
    lags = [
        sample.value
        for family in text_string_to_metric_families(_get(port, "/metrics"))
        if family.name == _LAG
        for sample in family.samples
    ]
    return Health(int(sum(lags)) if lags else None, tuple(problems))


def _get(port: int, path: str) -> str:
    """What is said there, whatever the status; nothing without an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=_TIMEOUT) as reply:
            text: str = reply.read().decode()
    except HTTPError as error:
        return error.read().decode()
    except OSError:  # of urllib too
        return ""
    return text
