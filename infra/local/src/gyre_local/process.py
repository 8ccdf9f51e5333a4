"""One operating-system process: what the supervisor has to know of it, how it starts and ends."""

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from gyre_local.probes import Probe
from gyre_local.state import ProcessIdentity, SystemState

_PR_SET_PDEATHSIG = 1
_END_SECONDS = 2.0
_POLL_SECONDS = 0.01
_SWEEP_SECONDS = 5.0
_C_LIBRARY = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process of the local system.

    `env` is added to the supervisor's own. `prepare` runs before each start (render config files,
    format a disk) and may raise LocalError. A process whose `liveness` probe fails for long is
    started anew; one without is left alone while it runs. `stop_grace` is how many seconds it has
    between SIGTERM and SIGKILL.

    With `wakes_on`, a port, the supervisor listens there, and starts the process when somebody
    connects. The process gets that socket: its number is in LISTENING_SOCKET. It may end with
    status 0 when it has nothing to do, and is at rest again.
    """

    name: str
    argv: tuple[str, ...]
    probe: Probe
    liveness: Probe | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None
    stop_grace: float = 10.0
    wakes_on: int | None = None


LISTENING_SOCKET = "GYRE_LISTENING_SOCKET"
"""The variable that holds the number of a socket that a process was given."""


async def spawn(
    spec: ProcessSpec, log: Path, *, listening: socket.socket | None = None
) -> asyncio.subprocess.Process:
    """Starts it in a session of its own, so that a terminal's Ctrl-C reaches the supervisor only.

    Raises OSError when the program or the log file cannot be opened.
    """
    given: tuple[int, ...] = ()
    passed: dict[str, str] = {}
    if listening is not None:
        given, passed = (listening.fileno(),), {LISTENING_SOCKET: str(listening.fileno())}
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *spec.argv,
            env={**os.environ, **spec.env, **passed},
            pass_fds=given,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent(os.getpid()),
        )


def end_with_parent(supervisor: int) -> Callable[[], None] | None:
    """What the child runs first: Linux shall kill it when the thread that started it ends.

    Elsewhere there is no such order, and the next start sweeps up.
    """
    if sys.platform != "linux":
        return None

    def ask_kernel() -> None:
        _C_LIBRARY.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before we could ask
            os._exit(1)

    return ask_kernel


async def stop(process: asyncio.subprocess.Process, *, grace: float) -> None:
    """SIGTERM, and SIGKILL for whatever of its session is left after `grace` seconds."""
    if process.returncode is None:
        process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace)
    kill_session(process.pid)
    await process.wait()
    # What was killed is there until the kernel has ended it; a zombie is left to whoever reaps.
    with suppress(ProcessLookupError, PermissionError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            while True:
                os.killpg(process.pid, 0)
                await asyncio.sleep(_POLL_SECONDS)


def kill_session(leader: int) -> None:
    """Kills the process and those that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def identity(pid: int) -> ProcessIdentity | None:
    """None when no such process runs."""
    try:
        return ProcessIdentity(pid=pid, created=psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_alive(process_identity: ProcessIdentity) -> bool:
    """Whether that very process still runs, and not a later one with its pid."""
    try:
        process = psutil.Process(process_identity.pid)
        same = abs(process.create_time() - process_identity.created) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def sweep(state: SystemState | None) -> None:
    """Kills what a supervisor that was killed has left behind, and what that has started."""
    if state is None:
        return
    leaders = [process.identity for process in state.processes if process.identity is not None]
    remains = [process for leader in leaders for process in _session_of(leader)]
    for process in remains:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(remains, timeout=_SWEEP_SECONDS)


def _session_of(leader: ProcessIdentity) -> list[psutil.Process]:
    """While any member lives, the kernel gives the leader's pid to no new process."""
    if psutil.pid_exists(leader.pid) and not is_alive(leader):
        return []
    members = []
    for process in psutil.process_iter():
        with suppress(OSError):  # it has ended meanwhile
            if os.getsid(process.pid) == leader.pid:
                members.append(process)
    return members
