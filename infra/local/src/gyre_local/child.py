"""One operating-system process that cannot outlive its supervisor."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from gyre_local.process import ProcessSpec
from gyre_local.state import ProcessIdentity

_PR_SET_PDEATHSIG = 1
_END_SECONDS = 2.0
_POLL_SECONDS = 0.01
_C_LIBRARY = ctypes.CDLL(None, use_errno=True)


async def spawn(spec: ProcessSpec, log: Path) -> asyncio.subprocess.Process:
    """Starts it in a session of its own, so that a terminal's Ctrl-C reaches the supervisor only.

    Raises OSError when the program or the log file cannot be opened.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *spec.argv,
            env={**os.environ, **spec.env},
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
            async with asyncio.timeout(grace):
                await process.wait()
    kill_session(process.pid)
    await process.wait()
    await _until_empty(process.pid)


async def _until_empty(leader: int) -> None:
    """What was killed is there until the kernel has ended it; a zombie is left to whoever reaps."""
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    with suppress(ProcessLookupError, PermissionError):
        while asyncio.get_running_loop().time() < deadline:
            os.killpg(leader, 0)
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
