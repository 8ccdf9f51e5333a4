"""The local system as a table: what `up` and `status` show."""

from collections.abc import Mapping, Sequence
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

Problems = Mapping[str, Sequence[str]]
"""Why events do not flow, by service."""


def system_table(
    state: SystemState, lags: Lags | None = None, problems: Problems | None = None
) -> RenderableType:
    """One line a process; how far behind and what went wrong only where there is something."""
    columns = ["SERVICE", "STATE", "PID", "PORT", "MEMORY"]
    behind = lags or {}
    notes = {
        process.name: [*filter(None, [process.error]), *(problems or {}).get(process.name, ())]
        for process in state.processes
    }
    optional = {
        "RESTARTS": any(process.restarts for process in state.processes),
        "LAG": bool(behind),
        "NOTE": any(notes.values()),
    }
    optional_columns = [name for name, is_wanted in optional.items() if is_wanted]
    rows = table(*columns, *optional_columns, right=("PID", "PORT", "MEMORY", "RESTARTS", "LAG"))
    for process in state.processes:
        more: dict[str, str | Text] = {
            "RESTARTS": str(process.restarts or ""),
            "LAG": str(behind.get(process.name, "")),
            "NOTE": Text("\n".join(notes[process.name]), style="red"),
        }
        rows.add_row(
            process.name,
            Text(process.status, style=_STYLES.get(process.status, "dim")),
            str(process.identity.pid) if process.identity else "",
            str(next(iter(process.ports.values()), "")),
            megabytes(resident_bytes(process)) if process.identity else "",
            *(more[name] for name in optional_columns),
        )
    return rows


def system_json(
    state: SystemState, lags: Lags | None = None, problems: Problems | None = None
) -> dict[str, Json]:
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
                "problems": list((problems or {}).get(process.name, ())),
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
