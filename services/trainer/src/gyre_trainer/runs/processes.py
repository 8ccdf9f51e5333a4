"""Runs a verb as a process group of its own, and leaves nothing of it behind."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from gyre_common.errors import GyreError

from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import Verb

_GRACE = 5.0
_TAIL = 64 * 1024
_ERROR_PREFIX = "error: "


class VerbFailed(GyreError):
    """A verb could not do its work; the message says why."""


class VerbRunner(Protocol):
    """Runs verbs."""

    async def run(self, verb: Verb, folder: RunFolder) -> None:
        """Return once the verb's mark is there. Cancelled, it ends what it started.

        Raises:
            VerbFailed: it ended without its mark.
        """


class VerbProcesses:
    """Implements VerbRunner on this machine."""

    async def run(self, verb: Verb, folder: RunFolder) -> None:
        """See VerbRunner."""
        folder.logs.mkdir(parents=True, exist_ok=True)
        log = folder.logs / f"{verb.name.replace(' ', '-')}.log"
        with log.open("ab") as output:
            start = output.tell()
            process = await asyncio.create_subprocess_exec(
                *verb.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                status = await process.wait()
            finally:
                await _end(process)
        if status != 0 or not verb.done:
            raise VerbFailed(_why(verb, status, log, start))


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


def _why(verb: Verb, status: int, log: Path, start: int) -> str:
    reason = _reported_error(log, start)
    if reason:
        return reason
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
    elif status == 0:
        how = "was stopped before it was done"
    return f"{verb.name} {how}: {log} tells more, and the run can be resumed"


def _reported_error(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith(_ERROR_PREFIX)]
    return errors[-1].removeprefix(_ERROR_PREFIX) if errors else ""
