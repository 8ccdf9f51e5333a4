"""Sessions that callers keep between requests, and fresh ones for everybody else."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import Engine, EngineSession
from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.clickhouse_endpoint.request import SessionRef

_LONGEST_SECONDS = 3600.0
_SWEEP_SECONDS = 5.0


@dataclass
class _Kept:
    session: EngineSession
    expires_at: float = 0.0
    busy: bool = True


class Sessions:
    """Lends sessions, one caller at a time each, and closes those nobody came back for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[tuple[Account, str], _Kept] = {}

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
        kept = await self._take(account, ref)
        try:
            yield kept.session
        finally:
            if kept.session.spoiled:
                del self._kept[account, ref.id]
                await asyncio.to_thread(kept.session.close)
            kept.busy = False
            kept.expires_at = time.monotonic() + min(ref.timeout_seconds, _LONGEST_SECONDS)

    async def sweep(self) -> None:
        """Close sessions past their time, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._close(lambda kept: not kept.busy and kept.expires_at < time.monotonic())

    def close(self) -> None:
        """Close every session."""
        self._close(lambda _: True)

    async def _take(self, account: Account, ref: SessionRef) -> _Kept:
        key = (account, ref.id)
        kept = self._kept.get(key)
        if kept is None:
            if ref.must_exist:
                raise EngineError.refused(Code.SESSION_NOT_FOUND, f"Session {ref.id} not found")
            kept = self._kept[key] = _Kept(self._engine.session(account))
            kept.session.kept = True
            return kept
        if kept.busy:
            raise EngineError.refused(
                Code.SESSION_IS_LOCKED, f"Session {ref.id} is locked by a concurrent client."
            )
        kept.busy = True
        return kept

    def _close(self, which: Callable[[_Kept], bool]) -> None:
        for key, kept in list(self._kept.items()):
            if which(kept):
                del self._kept[key]
                kept.session.close()
