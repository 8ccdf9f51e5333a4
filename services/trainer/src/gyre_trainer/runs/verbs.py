"""The verbs of a run in their order: process groups that write their progress and end in a mark."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gyre_common.errors import GyreError
from pydantic import ValidationError

from gyre_trainer.recipes.recipe import Recipe
from gyre_trainer.runs.folder import ProgressLine, RunFolder

PREPARE, TRAIN, EXPORT, COMPARE = "prepare", "train", "export", "compare"
WAITING = "waiting"
"""The stage before the first verb, while another run has the machine."""

_GRACE = 5.0
_TAIL = 64 * 1024
_ERROR_PREFIX = "error: "
_LOOK_EVERY = 0.2
_TELL_EVERY = 1.0

RunVerb = Callable[["Verb", RunFolder], Awaitable[None]]
"""Returns once the verb's mark is there. Cancelled, it ends what it started. Raises VerbFailed."""


@dataclass(frozen=True)
class Verb:
    """One child process of a run. `mark` is the file that it writes last."""

    name: str
    mark: Path
    command: tuple[str, ...]
    minutes: float | None = None
    """How long it may take."""

    @property
    def stage(self) -> str:
        """What progress calls it: a training by its variant."""
        return self.name.removeprefix(f"{TRAIN} ")

    @property
    def done(self) -> bool:
        """Whether it need not run (again)."""
        return self.mark.exists()


class VerbFailed(GyreError):
    """A verb could not do its work; the message says why."""


def verbs_of(
    recipe: Recipe,
    folder: RunFolder,
    *,
    variants: Sequence[str],
    workers: int,
    minutes: float | None = None,
) -> list[Verb]:
    """Each variant is trained by a process of its own; the export chooses one."""
    program = (sys.executable, "-m", "gyre_trainer.recipes.verbs")
    about = ("--recipe", recipe.package, "--run", str(folder.path), "--parent", str(os.getpid()))

    def verb(name: str, mark: Path) -> Verb:
        return Verb(name, mark, (*program, name, *about), minutes)

    def training(variant: str) -> Verb:
        launch = ("--deepspeed", str(workers)) if recipe.deepspeed else ()
        command = (*program, TRAIN, *about, "--variant", variant, *launch)
        mark = folder.variant(variant) / "result.json"
        return Verb(f"{TRAIN} {variant}", mark, command, minutes)

    return [
        verb(PREPARE, folder.prepared_file),
        *map(training, variants),
        verb(EXPORT, folder.candidate_file),
        verb(COMPARE, folder.verdict_file),
    ]


async def run_verb(verb: Verb, folder: RunFolder) -> None:
    """Runs a verb on this machine; see RunVerb. Nothing of its process group is left behind."""
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
            async with asyncio.timeout(verb.minutes and verb.minutes * 60):
                status = await process.wait()
        except TimeoutError as error:
            raise VerbFailed(
                f"{verb.name} was stopped: it was not done within {verb.minutes:g} minutes, the "
                "run's verb_minutes; resumed, it has as long again and goes on from where it was"
            ) from error
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
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith(_ERROR_PREFIX)]
    if errors:
        return errors[-1].removeprefix(_ERROR_PREFIX)
    how = f"ended with status {status}"
    if status < 0:
        how = f"was killed by {signal.Signals(-status).name}"
    elif status == 0:
        how = f"ended without writing {verb.mark.name}, its last file"
    return f"{verb.name} {how}: {log} tells more, and the run can be resumed"


class Follower:
    """Reports the newest line of `progress.jsonl`: a new stage at once, else once a second."""

    def __init__(self, path: Path, on_progress: Callable[[ProgressLine], Awaitable[None]]) -> None:
        self._path = path
        self._on_progress = on_progress
        self._place = path.stat().st_size if path.exists() else 0
        self._pending: ProgressLine | None = None
        self._stage = ""
        self._reported_at = 0.0

    async def follow(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY)

    async def look(self, *, last: bool = False) -> None:
        """Tell what is new, if it is time; as the `last` look, whatever there is."""
        for line in self._new_lines():
            if self._pending is not None and line.stage != self._pending.stage:
                await self._report(self._pending)
            self._pending = line
        pending = self._pending
        if pending is None:
            return
        due = time.monotonic() - self._reported_at >= _TELL_EVERY
        if last or due or pending.stage != self._stage:
            await self._report(pending)

    async def _report(self, line: ProgressLine) -> None:
        self._pending, self._stage, self._reported_at = None, line.stage, time.monotonic()
        await self._on_progress(line)

    def _new_lines(self) -> list[ProgressLine]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._place += len(whole) + len(newline)
        lines = []
        for line in whole.splitlines():
            with suppress(ValidationError):  # two processes wrote into one another
                lines.append(ProgressLine.model_validate_json(line))
        return lines
