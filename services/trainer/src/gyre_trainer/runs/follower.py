"""Reads what phases write about their progress, about as often as somebody would look."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic import ValidationError

from gyre_trainer.runs.folder import ProgressLine

Tell = Callable[[ProgressLine], Awaitable[None]]

_LOOK_EVERY = 0.2
_TELL_EVERY = 1.0


class Follower:
    """Tells the newest line of a run's `progress.jsonl`: at once when the stage is another."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path = path
        self._tell = tell
        self._place = path.stat().st_size if path.exists() else 0
        self._waiting: ProgressLine | None = None
        self._stage = ""
        self._told = 0.0

    async def follow(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY)

    async def look(self, *, last: bool = False) -> None:
        """Tell what is new, if it is time; as the `last` look, whatever there is."""
        for line in self._new_lines():
            if self._waiting is not None and line.stage != self._waiting.stage:
                await self._out(self._waiting)
            self._waiting = line
        waiting = self._waiting
        if waiting is None:
            return
        due = time.monotonic() - self._told >= _TELL_EVERY
        if last or due or waiting.stage != self._stage:
            await self._out(waiting)

    async def _out(self, line: ProgressLine) -> None:
        self._waiting, self._stage, self._told = None, line.stage, time.monotonic()
        await self._tell(line)

    def _new_lines(self) -> list[ProgressLine]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._place += len(whole) + len(newline)
        found = (_read(line) for line in whole.splitlines())
        return [line for line in found if line is not None]


def _read(line: bytes) -> ProgressLine | None:
    """A line that two processes wrote into one another is passed over."""
    try:
        return ProgressLine.model_validate_json(line)
    except ValidationError:
        return None
