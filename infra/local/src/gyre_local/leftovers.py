"""Ends what a supervisor that was killed has left behind."""

import os
from contextlib import suppress

import psutil

from gyre_local.child import is_alive
from gyre_local.state import ProcessIdentity, SystemState

_WAIT_SECONDS = 5.0


def sweep(state: SystemState | None) -> None:
    """Kills the processes of an earlier run that still live, and those which they started."""
    if state is None:
        return
    leaders = [process.identity for process in state.processes if process.identity is not None]
    remains = [process for leader in leaders for process in _session_of(leader)]
    for process in remains:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(remains, timeout=_WAIT_SECONDS)


def _session_of(leader: ProcessIdentity) -> list[psutil.Process]:
    """While any member lives, the kernel gives the leader's pid to no new process."""
    if psutil.pid_exists(leader.pid) and not is_alive(leader):
        return []
    return [process for process in psutil.process_iter() if _session(process.pid) == leader.pid]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
