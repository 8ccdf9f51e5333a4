"""The local system as a table: what `up` and `status` show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
from gyre_local.state import ProcessState, Status, SystemState
from rich.table import Table
from rich.text import Text

from gyre_cli.output import Json, table

_STYLES = {
    Status.READY: "green",
    Status.UNREADY: "red",
    Status.RESTARTING: "red",
    Status.STARTING: "yellow",
    Status.STOPPING: "yellow",
}


@dataclass(frozen=True)
class Health:
    """What a service says of itself: records it has not handled yet, and why events do not flow.

    `lag` is None where nothing is consumed.
    """

    lag: int | None = None
    problems: tuple[str, ...] = ()


_SILENT = Health()


def system_table(state: SystemState, health: Mapping[str, Health] | None = None) -> Table:
    """One line a process; how far behind and what went wrong only where there is something."""
    reports = {one.name: (health or {}).get(one.name, _SILENT) for one in state.processes}
    notes = {one.name: _notes(one, reports[one.name]) for one in state.processes}
    optional = {
        "RESTARTS": any(process.restarts for process in state.processes),
        "LAG": any(one.lag is not None for one in reports.values()),
        "NOTE": any(notes.values()),
    }
    shown = [name for name, is_wanted in optional.items() if is_wanted]
    numbers = ("PID", "PORT", "MEMORY", "RESTARTS", "LAG")
    rows = table("SERVICE", "STATE", "PID", "PORT", "MEMORY", *shown, right=numbers)
    for process in state.processes:
        lag, memory = reports[process.name].lag, resident_bytes(process)
        more: dict[str, str | Text] = {
            "RESTARTS": str(process.restarts or ""),
            "LAG": "" if lag is None else str(lag),
            "NOTE": Text(notes[process.name], style="red"),
        }
        rows.add_row(
            process.name,
            Text(process.status, style=_STYLES.get(process.status, "dim")),
            str(process.identity.pid) if process.identity else "",
            str(next(iter(process.ports.values()), "")),
            _megabytes(memory) if process.identity else "",
            *(more[name] for name in shown),
        )
    return rows


def system_json(state: SystemState, health: Mapping[str, Health] | None = None) -> dict[str, Json]:
    """The same for programs."""
    reports = health or {}
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
                "lag": reports.get(process.name, _SILENT).lag,
                "problems": reports.get(process.name, _SILENT).problems,
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


def _notes(process: ProcessState, health: Health) -> str:
    return "\n".join(filter(None, [process.error, *health.problems]))


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1_048_576:.0f} MB"
