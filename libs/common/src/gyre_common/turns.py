"""Heavy work for several callers on few threads: they take turns, a piece each."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Generator, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import TypeAlias, TypeVar

from gyre_common.context import current_request
from gyre_common.errors import TooManyCalls
from gyre_common.telemetry import METRICS

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that can be left between two steps; each takes some milliseconds."""

MOST_CALLS = 256
"""Calls of one caller that wait or work, at most."""
MOST_CHARACTERS = 8_000_000
"""What these hold together, at most: two of the largest messages, or hundreds of ordinary ones."""

_SLICE = 0.02
_OWN_WORK = None


class Piecewise:
    """The work of one call: each piece waits for a turn of its own."""

    def __init__(self, turns: "Turns", caller: Hashable) -> None:
        self._turns = turns
        self._caller = caller

    async def do(self, work: Callable[[], T]) -> T:
        """One piece, in a thread. Who stops waiting leaves the row; a piece that has begun ends."""
        return await self._turns.piece(self._caller, work)

    async def go_through(self, steps: Steps[T]) -> T:
        """All steps, as many in a piece as fit into 20 ms."""
        done: list[T] = []
        while not done:
            done = await self.do(partial(_some_steps, steps))
        return done[0]


class Turns:
    """Gives `places` threads to callers in turn, and to the calls of one caller in turn: a short
    call waits for a piece of each other at most, however long these are.

    Callers are told apart by tenant and, where the key says who calls, by name. What no call asked
    for (records, warming up) is one more caller, and is never refused.
    """

    def __init__(
        self,
        name: str,
        *,
        places: int = 1,
        most_calls: int = MOST_CALLS,
        most_characters: int = MOST_CHARACTERS,
    ) -> None:
        self._name = name
        self._most_calls = most_calls
        self._most_characters = most_characters
        self._free = places
        self._threads = ThreadPoolExecutor(places, thread_name_prefix=name)
        self._calls: Counter[Hashable] = Counter()
        self._characters: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """Callers in the order of their turns."""

    @asynccontextmanager
    async def call(self, characters: int) -> AsyncIterator[Piecewise]:
        """Take part as long as the block runs. Raises TooManyCalls: the caller has too much work
        here already.
        """
        request = current_request()
        caller: Hashable = _OWN_WORK if request is None else (request.tenant, request.lane)
        if caller is not _OWN_WORK and self._calls[caller]:
            self._refuse_too_many(caller, characters)
        self._calls[caller] += 1
        self._characters[caller] += characters
        METRICS.calls_in_turns.labels(self._name).inc()
        try:
            yield Piecewise(self, caller)
        finally:
            METRICS.calls_in_turns.labels(self._name).dec()
            self._calls[caller] -= 1
            self._characters[caller] -= characters
            if not self._calls[caller]:
                del self._calls[caller], self._characters[caller]

    def _refuse_too_many(self, caller: Hashable, characters: int) -> None:
        calls, waiting = self._calls[caller], self._characters[caller]
        if calls >= self._most_calls or waiting + characters > self._most_characters:
            raise TooManyCalls(
                f"{calls} calls of this caller with {waiting:,} characters are worked on here "
                f"already, of {self._most_calls} and {self._most_characters:,} at most"
            )

    async def piece(self, caller: Hashable, work: Callable[[], T]) -> T:
        """See `Piecewise.do`."""
        await self._wait_for_turn(caller)
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(self._threads, work)
        except BaseException:
            self._leave()
            raise
        # The thread works on when its caller has gone: the place is free only afterwards.
        running.add_done_callback(self._left)
        return await asyncio.shield(running)

    def close(self) -> None:
        """Let the threads end; blocks until they have."""
        self._threads.shutdown()

    async def _wait_for_turn(self, caller: Hashable) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _left(self, ended: "asyncio.Future[T]") -> None:
        if not ended.cancelled():
            ended.exception()  # seen: its caller may have gone
        self._leave()

    def _leave(self) -> None:
        """Pass the place on."""
        while self._waiting:
            caller = next(iter(self._waiting))
            turns = self._waiting.pop(caller)
            turn = turns.popleft()
            if turns:
                self._waiting[caller] = turns  # behind all others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def finished(steps: Steps[T]) -> T:
    """What all steps in one go come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _some_steps(steps: Steps[T]) -> list[T]:
    """The result, if it was the last of them."""
    until = perf_counter() + _SLICE
    while perf_counter() < until:
        try:
            next(steps)
        except StopIteration as end:
            return [end.value]
    return []
