"""Consumer processes that are killed, stopped and replaced, each behind a lock of its own."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gyre_local.process import end_with_parent

from tests.eventually import eventually
from tests.faults.harness.sink import in_flight, is_open

_ROOT = Path(__file__).parents[3]
_WAIT_FOR_WORK = 45.0
_LOOK_AGAIN = 0.003
_DRAIN_LIMIT = 30.0
_START_LIMIT = 60.0


class ConsumerProcess:
    """One name, and one process after the other."""

    def __init__(self, folder: Path, name: str, arguments: Sequence[str]) -> None:
        self.name = name
        self.lock = asyncio.Lock()
        self._folder = folder
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it has begun; it joins its groups a little later."""
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.faults.harness.consumer",
                *self._arguments[:3],
                self.name,
                *self._arguments[3:],
                stdout=log,
                stderr=log,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                preexec_fn=end_with_parent(os.getpid()),
            )
        await eventually(lambda: self._ended or self._is_open, _START_LIMIT)

    @property
    def pid(self) -> int:
        """Of the one that was started last."""
        assert self._process is not None
        return self._process.pid

    @property
    def _ended(self) -> bool:
        return self._process is None or self._process.returncode is not None

    @property
    def _is_open(self) -> bool:
        return is_open(self._folder, self.name, self.pid)

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[int]:
        """Stopped in the midst of its work: gives how many records are in calls of handlers.

        It goes on at the end of the block unless it was killed there. None may be in flight where
        it had no work for a long time.
        """
        deadline = time.monotonic() + _WAIT_FOR_WORK
        while True:
            self._signal(signal.SIGSTOP)
            records = in_flight(self._folder, self.name, self.pid)
            if records > 0 or self._ended or time.monotonic() > deadline:
                break
            self._signal(signal.SIGCONT)
            await asyncio.sleep(_LOOK_AGAIN)
        try:
            yield records
        finally:
            self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def terminate(self) -> float:
        """SIGTERM, and how many seconds it took to leave; killed where it does not."""
        started = time.monotonic()
        self._signal(signal.SIGTERM)
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), _DRAIN_LIMIT)
            except TimeoutError:
                await self.kill()
        return time.monotonic() - started

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and not self._ended:
            self._process.send_signal(number)
