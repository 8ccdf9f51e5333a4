"""Starts a set of processes in order of need, keeps them running, stops them in reverse."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from gyre_local.errors import StartError
from gyre_local.home import Home
from gyre_local.keeper import Keeper
from gyre_local.port_reservation import reserved_ports
from gyre_local.process import ProcessSpec, identity, sweep
from gyre_local.state import ProcessIdentity, SystemState, read_state, write_state

_TRIES_BEFORE_GIVING_UP = 3


class Supervisor:
    """Runs `specs` while its block is open; one home holds one.

    Entering raises HomeError, AlreadyRunningError or PortTakenError, before any process starts.
    """

    def __init__(self, specs: Sequence[ProcessSpec], home: Path, *, port_offset: int = 0) -> None:
        self.home = Home(home)
        self._specs = specs
        self._port_offset = port_offset
        self._identity = identity(os.getpid()) or ProcessIdentity(pid=os.getpid(), created=0)
        self._keepers: dict[str, Keeper] = {}
        self._stopping = asyncio.Event()
        self._tick = asyncio.Event()
        self._problem = ""
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.home.claimed())
            await asyncio.to_thread(sweep, read_state(self.home.state))
            stack.enter_context(reserved_ports(self._specs))
            self._keepers = {
                spec.name: Keeper(spec, self.home, self._announce) for spec in self._specs
            }
            self._announce()
            self._running = asyncio.create_task(self._run(), name="supervisor")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._stack:
            self._stopping.set()
            await self._running

    @property
    def state(self) -> SystemState:
        """As of now."""
        return SystemState(
            supervisor=self._identity,
            port_offset=self._port_offset,
            processes=tuple(keeper.state for keeper in self._keepers.values()),
            problem=self._problem,
        )

    async def watch(self) -> AsyncIterator[SystemState]:
        """The state now and after each change, until everything has stopped."""
        while True:
            tick = self._tick
            yield self.state
            if self._running.done():
                return
            await tick.wait()

    def stop(self) -> None:
        """Begins an orderly stop; asked a second time, kills at once."""
        if self._stopping.is_set():
            for keeper in self._keepers.values():
                keeper.kill()
        self._stopping.set()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for keeper in self._keepers.values():
                    group.create_task(self._start(keeper))
                await self._stopping.wait()
                await asyncio.gather(*map(self._stop, self._keepers.values()))
        finally:
            for keeper in self._keepers.values():
                keeper.kill()
            asyncio.get_running_loop().call_soon(self._announce)

    async def _start(self, keeper: Keeper) -> None:
        """As soon as all that it needs is ready."""
        needed = (self._keepers[name].ready.wait() for name in keeper.spec.depends_on)
        waits: list[asyncio.Future[Any]] = [
            asyncio.gather(*needed),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await keeper.keep()

    async def _stop(self, keeper: Keeper) -> None:
        """As soon as nothing needs it any more."""
        for other in self._keepers.values():
            if keeper.spec.name in other.spec.depends_on:
                await other.ended.wait()
        await keeper.stop()

    def _announce(self) -> None:
        try:
            write_state(self.home.state, self.state)
            self._problem = ""
        except OSError as error:
            self._problem = f"cannot write {self.home.state}: {error.strerror}"
        self._tick.set()
        self._tick = asyncio.Event()


def raise_if_hopeless(state: SystemState) -> None:
    """Raises StartError when a process keeps dying on a system that is not ready yet."""
    for process in state.processes:
        if process.restarts >= _TRIES_BEFORE_GIVING_UP:
            raise StartError(f"{process.name} keeps dying: {process.error} (see {process.log})")


@contextmanager
def stopped_by_signals(supervisor: Supervisor) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal stop it in order; a second one kills at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, supervisor.stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
