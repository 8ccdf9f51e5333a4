"""What a running system says of itself, in memory and in `run/state.json`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ValidationError


class Status(StrEnum):
    """Where a process is on its way; `unready` was ready and does not say so any more, `at rest`
    starts with the first connection to its port.
    """

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    AT_REST = "at rest"
    UNREADY = "unready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class ProcessIdentity(BaseModel, frozen=True):
    """A pid and the moment that process began, since pids are used again."""

    pid: int
    created: float


class ProcessState(BaseModel, frozen=True):
    """`since` is when `status` began; `error` is the last line that explains a death, or empty."""

    name: str
    status: Status
    since: datetime
    identity: ProcessIdentity | None = None
    restarts: int = 0
    ports: Mapping[str, int] = {}
    error: str = ""
    log: Path


class SystemState(BaseModel, frozen=True):
    """All processes of one supervisor; `problem` is what keeps it from its own work, or empty."""

    supervisor: ProcessIdentity
    port_offset: int
    processes: tuple[ProcessState, ...]
    problem: str = ""

    @property
    def ready(self) -> bool:
        """Whether every process is, or would be as soon as somebody connects."""
        serving = (Status.READY, Status.AT_REST)
        return all(process.status in serving for process in self.processes)


def write_state(path: Path, state: SystemState) -> None:
    """Atomic: a reader sees the old state or the new one."""
    draft = path.with_suffix(".draft")
    draft.write_text(state.model_dump_json(indent=1))
    draft.replace(path)


def read_state(path: Path) -> SystemState | None:
    """None when nothing was written there, or by a version too different to understand."""
    try:
        return SystemState.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        return None
