"""Runs a phase as a process group of its own, and leaves nothing of it behind."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from gyre_common.errors import GyreError

from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.phases import Phase

_GRACE = 5.0
_TAIL = 64 * 1024
_SAYS = "error: "


class PhaseFailed(GyreError):
    """A phase could not do its work; the message says why."""


class Processes(Protocol):
    """Runs phases."""

    async def run(self, phase: Phase, folder: RunFolder) -> None:
        """Return once the phase's mark is there. Cancelled, it ends what it started.

        Raises:
            PhaseFailed: it ended without its mark.
        """


class PhaseProcesses:
    """Implements Processes on this machine."""

    async def run(self, phase: Phase, folder: RunFolder) -> None:
        """See Processes."""
        folder.logs.mkdir(parents=True, exist_ok=True)
        log = folder.logs / f"{phase.name.replace(' ', '-')}.log"
        with log.open("ab") as output:
            start = output.tell()
            process = await asyncio.create_subprocess_exec(
                *phase.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                status = await process.wait()
            finally:
                await _end(process)
        if status != 0 or not phase.done:
            raise PhaseFailed(_why(phase, status, log, start))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the whole group to end, then make it: the leader's children outlive it."""
    try:
        if process.returncode is None:
            _signal(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)
    finally:  # also when somebody has no patience for that
        _signal(process.pid, signal.SIGKILL)
        await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _why(phase: Phase, status: int, log: Path, start: int) -> str:
    said = _last_words(log, start)
    if said:
        return said
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
    elif status == 0:
        how = "was stopped before it was done"
    return f"{phase.name} {how}: {log} tells more, and the run can be resumed"


def _last_words(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line[len(_SAYS) :] for line in reversed(lines) if line.startswith(_SAYS)), "")
