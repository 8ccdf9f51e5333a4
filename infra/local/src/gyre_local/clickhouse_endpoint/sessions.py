"""Sessions that callers keep between requests, fresh ones for everybody else, and their threads."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from gyre_local.clickhouse_endpoint.accounts import AT_ONCE, Account
from gyre_local.clickhouse_endpoint.engine import ChdbEngine, EngineSession
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.request import QueryRequest

_LONGEST_SECONDS = 3600.0
_CANCEL_AGAIN_SECONDS = 0.2
T = TypeVar("T")


@dataclass
class _Persistent:
    session: EngineSession
    end: asyncio.TimerHandle | None = None
    """When it closes; None while somebody has it."""


class EngineSessions:
    """Lends sessions, one caller at a time each, and closes those nobody came back for.

    Accounts have threads of their own, so that analysts never keep the services waiting.
    """

    def __init__(self, engine: ChdbEngine) -> None:
        self._engine = engine
        self._persistent: dict[tuple[Account, str], _Persistent] = {}
        self._threads = {
            account: ThreadPoolExecutor(count, thread_name_prefix=account.value)
            for account, count in AT_ONCE.items()
        }

    @asynccontextmanager
    async def lend(self, account: Account, query: QueryRequest) -> AsyncIterator[EngineSession]:
        """The session that the query names, made if need be, or a fresh one if it names none.

        Raises EngineError where it is locked, or not found and must exist.
        """
        if not query.session_id:
            session = await asyncio.to_thread(self._engine.session, account)
            try:
                yield session
            finally:
                await asyncio.to_thread(session.close)
            return
        key = (account, query.session_id)
        entry = self._acquire(key, query.session_must_exist)
        try:
            yield entry.session
        finally:
            if entry.session.spoiled:
                del self._persistent[key]
                await asyncio.to_thread(entry.session.close)
            else:
                seconds = min(query.session_seconds, _LONGEST_SECONDS)
                entry.end = asyncio.get_running_loop().call_later(seconds, self._end, key)

    async def run(self, session: EngineSession, step: Callable[[], T]) -> T:
        """Run a step of a query to its end; cancelled, a step that only reads ends early."""
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads[session.account], step)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # Again and again: a query that is still being planned cannot be ended yet.
            while not running.done():
                await asyncio.to_thread(self._engine.cancel, session)
                await asyncio.wait([running], timeout=_CANCEL_AGAIN_SECONDS)
            running.exception()  # what became of it concerns nobody
            raise

    def close(self) -> None:
        """Wait for what runs and close every session."""
        for pool in self._threads.values():
            pool.shutdown()
        for key in list(self._persistent):
            self._end(key)

    def _acquire(self, key: tuple[Account, str], must_exist: bool) -> _Persistent:
        account, name = key
        entry = self._persistent.get(key)
        if entry is None and must_exist:
            raise EngineError.refusal(Code.SESSION_NOT_FOUND, f"Session {name} not found")
        if entry is None:
            entry = self._persistent[key] = _Persistent(self._engine.session(account))
            entry.session.persistent = True
        elif entry.end is None:
            raise EngineError.refusal(
                Code.SESSION_IS_LOCKED, f"Session {name} is locked by a concurrent client."
            )
        else:
            entry.end.cancel()
            entry.end = None
        return entry

    def _end(self, key: tuple[Account, str]) -> None:
        entry = self._persistent.pop(key, None)
        if entry is not None:
            entry.session.close()
