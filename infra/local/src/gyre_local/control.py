"""From outside a running system: start it in the background, read it, stop it."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from gyre_local import log_files
from gyre_local.errors import AlreadyRunningError, LocalError, StartError
from gyre_local.home import Home
from gyre_local.process import is_alive, sweep
from gyre_local.state import SystemState, read_state
from gyre_local.supervisor import raise_if_hopeless

_POLL_SECONDS = 0.1
_STOP_SECONDS = 60.0
_MAIN_LOG = "supervisor"


def running_state(path: Path) -> SystemState | None:
    """What the system of this home says of itself; None when no supervisor lives there."""
    state = read_state(Home(path).state)
    return state if state is not None and is_alive(state.supervisor) else None


def spawn_supervisor(
    argv: Sequence[str],
    home: Home,
    *,
    env: Mapping[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """A command that opens a Supervisor on `home`, in a session of its own. Raises HomeError."""
    home.prepare()
    log = home.log(_MAIN_LOG)
    log_files.rotate(log)
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=preexec,
        )


def state_of(supervisor: subprocess.Popen[bytes], home: Home) -> SystemState | None:
    """What it says of itself; None before it says anything. Raises StartError when it has ended."""
    if supervisor.poll() is not None:
        reason = log_files.cause_line(home.log(_MAIN_LOG)).removeprefix("error: ")
        raise StartError(reason or f"the supervisor ended with exit code {supervisor.returncode}")
    state = read_state(home.state)
    return state if state is not None and state.supervisor.pid == supervisor.pid else None


async def launch(
    argv: Sequence[str], path: Path, *, deadline_seconds: float
) -> AsyncIterator[SystemState]:
    """Runs a supervising command in the background and yields its states until it is ready.

    Raises AlreadyRunningError when one is open on that home, and StartError when it ends, takes too
    long or one of its processes keeps dying; it is stopped then.
    """
    running = running_state(path)
    if running is not None:
        raise AlreadyRunningError.in_home(path, running.supervisor.pid)
    home = Home(path)
    supervisor = spawn_supervisor(argv, home)
    deadline = time.monotonic() + deadline_seconds
    last = None
    try:
        while True:
            state = state_of(supervisor, home)
            if state is not None and state != last:
                yield state
                raise_if_hopeless(state)
                if state.ready:
                    return
                last = state
            if time.monotonic() > deadline:
                raise StartError(f"not ready after {deadline_seconds:.0f} s; see {home.logs}")
            await asyncio.sleep(_POLL_SECONDS)
    except StartError:
        supervisor.terminate()
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(supervisor.wait, _STOP_SECONDS)
        supervisor.kill()
        raise


async def stop_running(path: Path) -> bool:
    """Stops the system of this home in order, by force if that takes long; False when none ran."""
    state = running_state(path)
    if state is not None:
        await asyncio.to_thread(_end, state.supervisor.pid)
    await asyncio.to_thread(sweep, read_state(Home(path).state))
    return state is not None


def _end(supervisor: int) -> None:
    try:
        process = psutil.Process(supervisor)
        process.terminate()
        for survivor in psutil.wait_procs([process], timeout=_STOP_SECONDS)[1]:
            survivor.kill()
            psutil.wait_procs([survivor], timeout=_STOP_SECONDS)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise LocalError(
            f"pid {supervisor} belongs to another user: stop it as that user"
        ) from error
