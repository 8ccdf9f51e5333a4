"""The local system as a table: what `up` and `status` show."""

from collections.abc import Mapping
from datetime import UTC, datetime

import psutil
from gyre_local.state import ProcessState, Status, SystemState
from rich.console import RenderableType
from rich.text import Text

from gyre_cli.output import Json, megabytes, table

_STYLES = {
    Status.READY: "green",
    Status.UNREADY: "red",
    Status.RESTARTING: "red",
    Status.STARTING: "yellow",
    Status.STOPPING: "yellow",
}

Lags = Mapping[str, int]
"""Records that a service has not handled yet, by service."""


def system_table(state: SystemState, lags: Lags | None = None) -> RenderableType:
    """One line a process."""
    columns = ["SERVICE", "STATE", "PID", "PORT", "MEMORY", "RESTARTS"]
    rows = table(*columns, "LAG", "NOTE", right=("PID", "PORT", "MEMORY", "RESTARTS", "LAG"))
    for process in state.processes:
        lag = (lags or {}).get(process.name)
        rows.add_row(
            process.name,
            Text(process.status, style=_STYLES.get(process.status, "dim")),
            str(process.identity.pid) if process.identity else "",
            str(next(iter(process.ports.values()), "")),
            megabytes(resident_bytes(process)) if process.identity else "",
            str(process.restarts or ""),
            "" if lag is None else str(lag),
            Text(process.error, style="red"),
        )
    return rows


def system_json(state: SystemState, lags: Lags | None = None) -> dict[str, Json]:
    """The same for programs."""
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
                "resident_bytes": resident_bytes(process),
                "restarts": process.restarts,
                "lag": (lags or {}).get(process.name),
                "error": process.error,
                "log": str(process.log),
            }
            for process in state.processes
        ],
    }


def resident_bytes(process: ProcessState) -> int | None:
    """Of the process and those it started; None when it is gone."""
    if process.identity is None:
        return None
    try:
        leader = psutil.Process(process.identity.pid)
        family = [leader, *leader.children(recursive=True)]
        return sum(one.memory_info().rss for one in family)
    except psutil.Error:
        return None
