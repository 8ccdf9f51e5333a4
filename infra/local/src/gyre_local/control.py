"""From outside a running system: start it in the background, read it, stop it."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from gyre_local import child, log_files
from gyre_local.errors import AlreadyRunningError, LocalError, StartError
from gyre_local.home import Home
from gyre_local.leftovers import sweep
from gyre_local.state import ProcessIdentity, SystemState, read_state
from gyre_local.supervisor import raise_if_hopeless

_POLL_SECONDS = 0.1
_STOP_SECONDS = 60.0
_MAIN_LOG = "supervisor"


def running_state(path: Path) -> SystemState | None:
    """What the system of this home says of itself; None when no supervisor lives there."""
    state = read_state(Home(path).state)
    return state if state is not None and child.is_alive(state.supervisor) else None


async def launch(
    argv: Sequence[str], path: Path, *, env: Mapping[str, str], deadline_seconds: float
) -> AsyncIterator[SystemState]:
    """Runs a supervising command in a session of its own and yields its states until it is ready.

    `argv` must open a Supervisor on `path`. Raises AlreadyRunningError when one is open there, and
    StartError when it ends, takes too long or one of its processes keeps dying; it is stopped then.
    """
    running = running_state(path)
    if running is not None:
        raise AlreadyRunningError.in_home(path, running.supervisor.pid)
    home = Home(path)
    home.prepare()
    log = home.log(_MAIN_LOG)
    log_files.rotate(log)
    with log.open("ab") as output:
        supervisor = subprocess.Popen(  # noqa: ASYNC220 (a fork is over in a moment)
            argv,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        async for state in _states_of(supervisor, home, deadline_seconds):
            yield state
            raise_if_hopeless(state)
            if state.ready:
                return
    except StartError:
        supervisor.terminate()
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(supervisor.wait, _STOP_SECONDS)
        supervisor.kill()
        raise


async def _states_of(
    supervisor: subprocess.Popen[bytes], home: Home, deadline_seconds: float
) -> AsyncIterator[SystemState]:
    """Each state that this supervisor writes; raises StartError when it ends or time runs out."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_seconds
    last = None
    while supervisor.poll() is None:
        state = read_state(home.state)
        if state is not None and state.supervisor.pid == supervisor.pid and state != last:
            yield state
            last = state
        if loop.time() > deadline:
            raise StartError(f"not ready after {deadline_seconds:.0f} s; see {home.logs}")
        await asyncio.sleep(_POLL_SECONDS)
    reason = log_files.cause_line(home.log(_MAIN_LOG)).removeprefix("error: ")
    raise StartError(reason or f"the supervisor ended with exit code {supervisor.returncode}")


async def stop_running(path: Path, *, deadline_seconds: float = _STOP_SECONDS) -> bool:
    """Stops the system of this home in order, by force past the deadline; False when none ran."""
    home = Home(path)
    state = read_state(home.state)
    if state is None:
        return False
    ran = child.is_alive(state.supervisor)
    if ran and not await _end_process(state.supervisor, signal.SIGTERM, deadline_seconds):
        await _end_process(state.supervisor, signal.SIGKILL, deadline_seconds)
    await asyncio.to_thread(sweep, read_state(home.state))
    return ran


async def _end_process(supervisor: ProcessIdentity, number: signal.Signals, seconds: float) -> bool:
    try:
        os.kill(supervisor.pid, number)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise LocalError(
            f"pid {supervisor.pid} belongs to another user: stop it as that user"
        ) from error
    with suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
        await asyncio.to_thread(psutil.Process(supervisor.pid).wait, seconds)
    return not child.is_alive(supervisor)
