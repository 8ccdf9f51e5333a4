"""Does the same to many things, a few at once; the first failure ends it, as itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_turns(things: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Returns when all are done; raises what `work` raised first."""
    remaining = iter(things)

    async def take_turns() -> None:
        for thing in remaining:
            await work(thing)

    workers = [asyncio.create_task(take_turns()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
