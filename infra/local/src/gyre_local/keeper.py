"""Keeps one process running: starts it, watches it, starts it again when it dies or hangs."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from gyre_local import log_files, process
from gyre_local.errors import LocalError
from gyre_local.home import Home
from gyre_local.process import ProcessSpec
from gyre_local.state import ProcessState, Status

_PAUSE_WHILE_STARTING = 0.1
_PAUSES = {Status.READY: 5.0, Status.UNREADY: 1.0}
"""Seconds from one probe to the next."""
_LIVENESS_SECONDS = 30.0
"""Seconds without a sign of life after which a process that gave one before is ended."""
_LIVENESS_GRACE = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0
"""Who ran this long has earned a short pause again."""


class Keeper:
    """`changed` is called after each change of `state`."""

    def __init__(self, spec: ProcessSpec, home: Home, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.ready = asyncio.Event()
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.ended = asyncio.Event()
        self._pause = _FIRST_PAUSE
        self._listening: socket.socket | None = None
        self.state = ProcessState(
            name=spec.name,
            status=Status.WAITING,
            since=datetime.now(UTC),
            ports=dict(spec.ports),
            log=home.log(spec.name),
        )

    async def keep(self) -> None:
        """Returns only after `stop`, with the process gone."""
        if not self._stopping.is_set():
            log_files.rotate(self.state.log)
        while not self._stopping.is_set():
            error = await self._run_once()
            ended_by_itself = self._process is not None and self._process.returncode == 0
            if self.spec.wakes_on is not None and ended_by_itself:
                continue
            if not self._stopping.is_set():
                restarts = self.state.restarts + 1
                self._become(Status.RESTARTING, restarts=restarts, error=error, identity=None)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if self._listening is not None:
            self._listening.close()
        self._become(Status.STOPPED, identity=None)
        self.ended.set()

    async def stop(self) -> None:
        """Ends the process and starts it no more; returns when `keep` is done."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            self._become(Status.STOPPING)
            await process.stop(self._process, grace=self.spec.stop_grace)
        await self.ended.wait()

    def kill(self) -> None:
        """The same without patience."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            process.kill_session(self._process.pid)

    async def _run_once(self) -> str:
        """One life of the process; returns why it ended."""
        self._process = None
        try:
            await asyncio.to_thread(self.spec.prepare)
            listening = await self._rest()
            if self._stopping.is_set():
                return ""
            self._become(Status.STARTING)
            born_at = log_files.size(self.state.log)
            self._process = await process.spawn(self.spec, self.state.log, listening=listening)
        except LocalError as error:
            return str(error)
        except OSError as error:
            return f"cannot start: {error}"
        self._become(Status.STARTING, identity=process.identity(self._process.pid))
        if self._stopping.is_set():  # asked while it was being started
            await process.stop(self._process, grace=self.spec.stop_grace)
        try:
            hung = await self._attend(self._process)
        finally:
            self.ready.clear()
            process.kill_session(self._process.pid)
        if hung:
            return f"ended after {_LIVENESS_SECONDS:g} s without a sign of life"
        return self._cause_of_death(self._process.returncode, born_at)

    async def _rest(self) -> socket.socket | None:
        """The socket that the process gets, once somebody has connected to it; None for a process
        that starts by itself. Raises OSError: the port is taken.
        """
        if self.spec.wakes_on is None:
            self._become(Status.STARTING)
            return None
        if self._listening is None:
            self._listening = socket.create_server(("127.0.0.1", self.spec.wakes_on))
            self._listening.setblocking(False)
        self._become(Status.AT_REST, identity=None)
        self.ready.set()
        loop, connected = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._listening, connected.set)
        waits = [asyncio.ensure_future(each.wait()) for each in (connected, self._stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            loop.remove_reader(self._listening)
            self.ready.clear()
        return self._listening

    def _cause_of_death(self, exit_code: int | None, born_at: int) -> str:
        if exit_code is not None and exit_code < 0:
            return f"killed by {signal.Signals(-exit_code).name}"
        line = log_files.cause_line(self.state.log, since=born_at)
        return line or f"ended with exit code {exit_code}"

    async def _attend(self, running: asyncio.subprocess.Process) -> bool:
        """Asks until it ends whether it is ready and alive; ends one that hangs: returns True."""
        clock = asyncio.get_running_loop().time
        born, last_alive = clock(), None
        end = asyncio.create_task(running.wait())
        while not end.done():
            ready = await self.spec.probe.ready()
            self._show(ready)
            if ready or (self.spec.liveness is not None and await self.spec.liveness.ready()):
                last_alive = clock()
            # A process that never gave a sign of life is still starting.
            silent = clock() - last_alive if last_alive is not None else 0.0
            if self.spec.liveness and silent > _LIVENESS_SECONDS and not self._stopping.is_set():
                await process.stop(running, grace=_LIVENESS_GRACE)
                return True
            if clock() - born > _STEADY_SECONDS:
                self._pause = _FIRST_PAUSE
            await asyncio.wait({end}, timeout=_PAUSES.get(self.state.status, _PAUSE_WHILE_STARTING))
            log_files.bound(self.state.log)
        return False

    def _show(self, ready: bool) -> None:
        if ready is self.ready.is_set() or self._stopping.is_set():
            return
        if ready:
            self.ready.set()
            self._become(Status.READY)
        else:
            self.ready.clear()
            self._become(Status.UNREADY)

    def _become(self, status: Status, **changes: object) -> None:
        if status is not self.state.status:
            changes["since"] = datetime.now(UTC)
        self.state = self.state.model_copy(update={"status": status, **changes})
        self._changed()
