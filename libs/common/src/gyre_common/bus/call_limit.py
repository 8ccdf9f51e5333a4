"""Bounds how long one call of a handler may take, without a timer a call."""

import asyncio
from time import perf_counter
from typing import Self

from gyre_common.errors import Retryable


class HandlerTooSlow(Retryable):
    """One call of a handler took longer than it may; no engine need be away."""


class CallLimit:
    """Times the calls that one worker makes; `check` ends a call that takes too long.

    Around a call: `with limit: ...`. An ended call raises `HandlerTooSlow` there.
    """

    def __init__(self, seconds: float) -> None:
        self.took = 0.0
        self.ended_at = perf_counter()
        self._seconds = seconds
        self._worker = asyncio.current_task()
        self._started: float | None = None
        self._overdue = False

    def __enter__(self) -> Self:
        self._started = perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._started is not None
        self.ended_at = perf_counter()
        self.took = self.ended_at - self._started
        self._started = None
        if not self._overdue:
            return
        self._overdue = False
        if self._worker is not None and self._worker.uncancel() == 0:
            raise HandlerTooSlow(f"the handler took longer than {self._seconds:g} s") from None

    def check(self) -> None:
        """End the running call if it takes too long."""
        started = self._started
        if started is None or self._overdue or self._worker is None:
            return
        if perf_counter() - started > self._seconds:
            self._overdue = True
            self._worker.cancel()
