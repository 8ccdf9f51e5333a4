"""Waits until something is true, or says what it was instead."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

_PAUSE = 0.02


@overload
async def eventually(
    check: Callable[[], Coroutine[Any, Any, T | None]], timeout: float = ..., *, every: float = ...
) -> T: ...
@overload
async def eventually(
    check: Callable[[], T | None], timeout: float = ..., *, every: float = ...
) -> T: ...
async def eventually(
    check: Callable[[], Any],
    timeout: float = 10.0,
    *,
    every: float = _PAUSE,
) -> Any:
    """Call `check`, plain or async, until its result is true, and return that result.

    An `AssertionError` counts as "not yet".

    Raises:
        AssertionError: it was not true within `timeout` seconds; says what it was last.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            result = check()
            if inspect.isawaitable(result):
                result = await result
            if result:
                return result
            last = repr(result)
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"still not true after {timeout:g} s; last: {last}")
        await asyncio.sleep(every)
