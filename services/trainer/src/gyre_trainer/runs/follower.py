"""Reads what verbs write about their progress, about as often as somebody would look."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic import ValidationError

from gyre_trainer.runs.folder import ProgressLine

OnProgress = Callable[[ProgressLine], Awaitable[None]]

_LOOK_EVERY = 0.2
_TELL_EVERY = 1.0


class Follower:
    """Tells the newest line of a run's `progress.jsonl`: at once when the stage is another."""

    def __init__(self, path: Path, on_progress: OnProgress) -> None:
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
        lines = (_read(line) for line in whole.splitlines())
        return [line for line in lines if line is not None]


def _read(line: bytes) -> ProgressLine | None:
    """A line that two processes wrote into one another is passed over."""
    try:
        return ProgressLine.model_validate_json(line)
    except ValidationError:
        return None
