"""Which failures pass by themselves, how long a run waits for that, and what it says after them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gyre_common.errors import DeadlineExceeded, FailedPrecondition, GyreError, Retryable
from gyre_common.retrying import retry

T = TypeVar("T")

AWAY: tuple[type[GyreError], ...] = (Retryable, DeadlineExceeded)
"""Somebody does not answer now."""

NOT_YET = (*AWAY, FailedPrecondition)
"""Nor is a version known everywhere a moment after it was registered, or one being loaded."""

STORE_SECONDS = 120.0
"""How long a run waits for a store that is full, read-only or out of reach."""


async def retry_while_away(
    ask: Callable[[], Awaitable[T]], *, seconds: float, over: tuple[type[GyreError], ...] = AWAY
) -> T:
    """The first answer within that time; the last failure when there is none."""
    return await retry(ask, *over, first=0.2, longest=3.0, seconds=seconds)


def failure_line(error: GyreError, run_id: str) -> str:
    """One line; after a failure that passes, the command that goes on."""
    line = " ".join(str(error).split())
    if not isinstance(error, AWAY):
        return line
    return f"{line}; once that is mended, `gyre train --resume {run_id}` goes on from where it was"
