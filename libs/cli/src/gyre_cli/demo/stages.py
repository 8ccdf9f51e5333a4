"""Shows how far each stage of the demonstration is, and keeps what it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gyre_cli.output import Output


class Bar:
    """How much of one stage is done."""

    def __init__(self, progress: Progress, total: int, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=total)

    def step(self) -> None:
        """One more."""
        self._progress.advance(self._task)

    def at(self, done: int) -> None:
        """So many in all."""
        self._progress.update(self._task, completed=done)


class Stages:
    """A bar in place on a terminal; a line for each finished stage everywhere."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Bar]:
        """A stage of `total` equal steps."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with (
            self.clock(name),
            Progress(
                *columns,
                TimeElapsedColumn(),
                console=self._out.notes,
                transient=True,
                disable=not self._out.notes.is_terminal,
            ) as progress,
        ):
            yield Bar(progress, total, name)

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """A stage that shows itself in its own way."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 1)
        self.seconds["total"] = round(time.monotonic() - self._began, 1)
        self._out.note(f"{self.seconds['total']:6.1f} s  {name} ({self.seconds[name]:.1f} s)")
