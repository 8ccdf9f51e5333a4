"""Queries on threads of their own; what nobody waits for any more is cancelled."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import ChdbEngine, EngineSession
from gyre_local.clickhouse_endpoint.limits import AT_ONCE

_AGAIN_SECONDS = 0.2
T = TypeVar("T")


class QueryThread:
    """Runs the steps of one query off the event loop."""

    def __init__(
        self, engine: ChdbEngine, session: EngineSession, threads: ThreadPoolExecutor
    ) -> None:
        self._engine = engine
        self._session = session
        self._threads = threads

    async def run(self, step: Callable[[], T]) -> T:
        """Run a step to its end. A cancelled caller ends it early where it only reads."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, step)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # Again and again: a query that is still being planned cannot be ended yet.
            while not running.done():
                await asyncio.to_thread(self._engine.cancel, self._session)
                await asyncio.wait([running], timeout=_AGAIN_SECONDS)
            running.exception()  # what became of it concerns nobody
            raise


class Threads:
    """Threads by account, so that analysts never keep the services waiting."""

    def __init__(self, engine: ChdbEngine) -> None:
        self._engine = engine
        self._pools = {
            account: ThreadPoolExecutor(count, thread_name_prefix=account.value)
            for account, count in AT_ONCE.items()
        }

    def of(self, account: Account, session: EngineSession) -> QueryThread:
        """Where the steps of a query of the account run."""
        return QueryThread(self._engine, session, self._pools[account])

    def close(self) -> None:
        """Wait for what runs."""
        for pool in self._pools.values():
            pool.shutdown()
