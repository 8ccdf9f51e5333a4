"""Sessions that callers keep between requests, and fresh ones for everybody else."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import ChdbEngine, EngineSession
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.request import SessionRef

_LONGEST_SECONDS = 3600.0
_SWEEP_SECONDS = 5.0


@dataclass
class _PersistentSession:
    session: EngineSession
    expires_at: float = 0.0
    busy: bool = True


class Sessions:
    """Lends sessions, one caller at a time each, and closes those nobody came back for."""

    def __init__(self, engine: ChdbEngine) -> None:
        self._engine = engine
        self._sessions: dict[tuple[Account, str], _PersistentSession] = {}

    @asynccontextmanager
    async def lend(self, account: Account, ref: SessionRef | None) -> AsyncIterator[EngineSession]:
        """Lend the session that `ref` names, made if need be, or a fresh one without `ref`.

        Raises:
            EngineError: SESSION_IS_LOCKED or SESSION_NOT_FOUND.
        """
        if ref is None:
            session = await asyncio.to_thread(self._engine.session, account)
            try:
                yield session
            finally:
                await asyncio.to_thread(session.close)
            return
        entry = await self._acquire(account, ref)
        try:
            yield entry.session
        finally:
            if entry.session.spoiled:
                del self._sessions[account, ref.id]
                await asyncio.to_thread(entry.session.close)
            entry.busy = False
            entry.expires_at = time.monotonic() + min(ref.timeout_seconds, _LONGEST_SECONDS)

    async def sweep(self) -> None:
        """Close sessions past their time, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._close(lambda entry: not entry.busy and entry.expires_at < time.monotonic())

    def close(self) -> None:
        """Close every session."""
        self._close(lambda _: True)

    async def _acquire(self, account: Account, ref: SessionRef) -> _PersistentSession:
        key = (account, ref.id)
        entry = self._sessions.get(key)
        if entry is None:
            if ref.must_exist:
                raise EngineError.refusal(Code.SESSION_NOT_FOUND, f"Session {ref.id} not found")
            entry = self._sessions[key] = _PersistentSession(self._engine.session(account))
            entry.session.persistent = True
            return entry
        if entry.busy:
            raise EngineError.refusal(
                Code.SESSION_IS_LOCKED, f"Session {ref.id} is locked by a concurrent client."
            )
        entry.busy = True
        return entry

    def _close(self, which: Callable[[_PersistentSession], bool]) -> None:
        for key, entry in list(self._sessions.items()):
            if which(entry):
                del self._sessions[key]
                entry.session.close()
