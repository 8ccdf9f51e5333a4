"""Starts programs in order to kill them at random points.

`GYRE_CRASH_KILLS` and `GYRE_CRASH_SEED` make a test longer, or another one.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.eventually import eventually

_SEED = int(os.environ.get("GYRE_CRASH_SEED", "7"))
_ROOT = Path(__file__).parents[2]
_PATIENCE = 60


def kills_wanted(default: int) -> int:
    """How often a test kills."""
    return int(os.environ.get("GYRE_CRASH_KILLS", default))


def kill_points(kills: int, events: int) -> list[int]:
    """After how many of the events to kill, ascending; the same for the same seed."""
    return sorted(random.Random(_SEED).sample(range(1, events), kills))


@asynccontextmanager
async def running(
    program: Path, *arguments: str, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Such a program, killed at the end if it still runs; what it says goes to `log`."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            *arguments,
            stdout=file,
            stderr=file,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def kill_when(
    process: asyncio.subprocess.Process, reached: Callable[[], bool | Awaitable[bool]]
) -> None:
    """Let it work until it got so far, then give it no time to put anything in order."""
    await eventually(reached, _PATIENCE)
    process.send_signal(signal.SIGKILL)
    await process.wait()
