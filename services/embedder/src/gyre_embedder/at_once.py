"""Several workers over the same work."""

import asyncio
from collections.abc import Awaitable, Callable


async def at_once(workers: int, work: Callable[[], Awaitable[None]]) -> None:
    """Let as many workers take from what `work` takes from, until each has returned.

    When one fails, the others are cancelled and its error is raised as it is.
    """

    async def run() -> None:
        await work()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(run())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
