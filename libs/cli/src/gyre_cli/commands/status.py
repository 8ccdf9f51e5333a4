"""`gyre status`: what runs, where, how big it is, how far behind and what troubles it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import psutil
from gyre_client.errors import Unavailable
from gyre_client.health import Health, health_at
from gyre_local.control import running_state
from gyre_local.ports import SERVICES, Ports
from gyre_local.state import ProcessState, Status, SystemState
from rich.table import Table
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import table

_STYLES = {
    Status.READY: "green",
    Status.UNREADY: "red",
    Status.RESTARTING: "red",
    Status.STARTING: "yellow",
    Status.STOPPING: "yellow",
}

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
    """As each says itself on its metrics port."""
    health = await asyncio.gather(
        *(
            asyncio.to_thread(health_at, f"127.0.0.1:{ports.metrics(one)}", timeout=_TIMEOUT)
            for one in SERVICES
        )
    )
    return dict(zip(SERVICES, health, strict=True))


def system_json(
    state: SystemState, health: Mapping[str, Health] = MappingProxyType({})
) -> dict[str, Any]:
    """The local system for programs; what only services say of themselves is null elsewhere."""
    return {
        "ready": state.ready,
        "port_offset": state.port_offset,
        "pid": state.supervisor.pid,
        "problem": state.problem,
        "services": [
            {
                "service": process.name,
                "state": str(process.status),
                "since_seconds": round((datetime.now(UTC) - process.since).total_seconds(), 1),
                "pid": process.identity.pid if process.identity else None,
                "ports": dict(process.ports),
                "resident_bytes": _resident_bytes(process),
                "restarts": process.restarts,
                **vars(health.get(process.name, Health())),
                "error": process.error,
                "log": str(process.log),
            }
            for process in state.processes
        ],
    }


def system_table(state: SystemState, health: Mapping[str, Health] = MappingProxyType({})) -> Table:
    """One line a process; how far behind and what went wrong only where there is something."""
    services = system_json(state, health)["services"]
    optional = {
        "RESTARTS": [str(one["restarts"] or "") for one in services],
        "LAG": ["" if one["lag"] is None else str(one["lag"]) for one in services],
        "NOTE": ["\n".join(filter(None, [one["error"], *one["problems"]])) for one in services],
    }
    more = {name: cells for name, cells in optional.items() if any(cells)}
    numbers = ("PID", "PORT", "MEMORY", "RESTARTS", "LAG")
    rows = table("SERVICE", "STATE", "PID", "PORT", "MEMORY", *more, right=numbers)
    for place, one in enumerate(services):
        resident = one["resident_bytes"]
        memory = f"{resident / 1_048_576:.0f} MB" if resident else "–"
        rows.add_row(
            one["service"],
            Text(one["state"], style=_STYLES.get(one["state"], "dim")),
            str(one["pid"] or ""),
            str(next(iter(one["ports"].values()), "")),
            memory if one["pid"] else "",
            *(Text(more[name][place], style="red" if name == "NOTE" else "") for name in more),
        )
    return rows


def _resident_bytes(process: ProcessState) -> int | None:
    """With those it started; None when it is gone."""
    if process.identity is None:
        return None
    try:
        leader = psutil.Process(process.identity.pid)
        family = [leader, *leader.children(recursive=True)]
        return sum(one.memory_info().rss for one in family)
    except psutil.Error:
        return None
