"""How far the demonstration is, and how long each part of it took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gyre_cli.output import Output


class Stages:
    """A bar in place on a terminal; a line for each finished stage everywhere."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A stage of `total` equal steps; yields what shows how many are done."""
        with self.clock(name), self._out.bar() as bar:
            task = bar.add_task(name, total=total)
            yield lambda done: bar.update(task, completed=done)

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """A stage that shows itself in its own way."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 1)
        self.seconds["total"] = round(time.monotonic() - self._began, 1)
        self._out.note(f"{self.seconds['total']:6.1f} s  {name} ({self.seconds[name]:.1f} s)")
