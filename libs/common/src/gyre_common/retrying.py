"""Tries again while it may still work: the one policy of the project, by tenacity."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential,
)

T = TypeVar("T")


async def retry(
    call: Callable[[], Awaitable[T]],
    *failures: type[Exception],
    first: float,
    longest: float,
    seconds: Callable[[BaseException], float] | float = math.inf,
    on_pause: Callable[[BaseException, float], None] | None = None,
) -> T:
    """Call again after each of these failures; returns what the first call that works returns.

    The first pause takes `first` seconds; each that follows is twice as long, up to `longest`.
    `on_pause` hears of each: the failure, and how long the pause is. A failure is raised as it is
    when it is another one, or when the pause would end more than `seconds` after the first call;
    how long that is may depend on the failure.
    """

    def stop(state: RetryCallState) -> bool:
        limit = seconds(_failure(state)) if callable(seconds) else seconds
        return stop_before_delay(limit)(state)

    def report(state: RetryCallState) -> None:
        if on_pause is not None:
            on_pause(_failure(state), state.upcoming_sleep)

    async def call_once() -> T:  # tenacity would not await what a lambda returns
        return await call()

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(failures),
        wait=wait_exponential(multiplier=first, max=longest),
        stop=stop,
        before_sleep=report,
        reraise=True,
    )
    return await retrying(call_once)


def _failure(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None, "asked only after a failure"
    return error
