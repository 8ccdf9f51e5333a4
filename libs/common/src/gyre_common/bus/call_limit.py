"""Bounds how long one call of a handler may take, without a timer a call."""

import asyncio
import logging
from collections.abc import Mapping
from math import inf
from time import perf_counter
from typing import Self

from gyre_common.bus.record import RawRecord
from gyre_common.bus.stacks import stack_of_task
from gyre_common.errors import Retryable

log = logging.getLogger(__name__)


class HandlerTooSlow(Retryable):
    """One call of a handler took longer than it may; no engine need be away."""


class CallLimit:
    """Times the calls that one worker makes; `check` ends a call that takes too long, and before
    that, past `stuck_after` seconds, says once where it stands.

    Around a call: `limit.at = record` and `with limit: ...`, the record being the first one that
    the call is for. An ended call raises `HandlerTooSlow` there.
    """

    def __init__(
        self, seconds: float, *, stuck_after: float = inf, about: Mapping[str, object] | None = None
    ) -> None:
        self.took = 0.0
        self.ended_at = perf_counter()
        self.at: RawRecord | None = None
        self.trouble = ""
        self._seconds = seconds
        self._stuck_after = stuck_after
        self._about = about or {}
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
        if self.trouble:
            self.trouble = ""
            log.warning("a stuck handler has ended", extra=self._fields(seconds=self.took))
        if not self._overdue:
            return
        self._overdue = False
        if self._worker is not None and self._worker.uncancel() == 0:
            raise HandlerTooSlow(f"the handler took longer than {self._seconds:g} s") from None

    def check(self) -> None:
        """Say where the running call stands, or end it, if it takes too long."""
        started = self._started
        if started is None or self._overdue or self._worker is None:
            return
        seconds = perf_counter() - started
        if seconds > self._stuck_after and not self.trouble:
            place = f"{self.at.topic} partition {self.at.partition} " if self.at else ""
            offset = f"at offset {self.at.offset} " if self.at else ""
            self.trouble = (
                f"{place}does not get on {offset}for now: a handler has run for more than "
                f"{self._stuck_after:g} s, its stack is in the log"
            )
            log.error(
                "a handler is stuck",
                extra=self._fields(seconds=seconds, stack=stack_of_task(self._worker)),
            )
        if seconds > self._seconds:
            self._overdue = True
            self._worker.cancel()

    def _fields(self, *, seconds: float, **more: object) -> dict[str, object]:
        place = {"partition": self.at.partition, "offset": self.at.offset} if self.at else {}
        return {**self._about, **place, "seconds": round(seconds, 1), **more}
