"""What the parts of a client share: calls with retries, and methods that are awaited or block."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator
from functools import wraps
from types import MethodType
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import grpc.aio
from google.protobuf.message import Message

from gyre_client.connection import Connection
from gyre_client.errors import DeadlineExceeded, GyreError, Unavailable
from gyre_client.status import error_from

_TRIES = 5

P = ParamSpec("P")
T = TypeVar("T")
ResultT = TypeVar("ResultT")
BlockingT = TypeVar("BlockingT")
LoopT = TypeVar("LoopT", bound="Loop | None")


class Loop:
    """An event loop in a thread of its own, so that callers may have one too, as notebooks do."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises. An interrupt ends the work too."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """One after the other; stopping early ends the work."""
        try:
            while True:
                try:
                    yield self.run(items.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            self.run(items.aclose())

    def close(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Part(Generic[LoopT]):
    """The methods of one service: awaited where `loop` is None, else blocking until done there.

    A call is tried again where it may be repeated (it reads, or carries an idempotency key), the
    server asks for another try, and its time-out leaves room. Every call raises GyreError.
    """

    stub: ClassVar[type]
    service: ClassVar[str]
    seconds: ClassVar[float] = 30.0
    """What a call may take that is given no time-out."""

    def __init__(self, connection: Connection, loop: LoopT) -> None:
        self._connection = connection
        self._loop = loop

    async def _call(
        self,
        rpc: str,
        request: "Message | AsyncIterable[Message]",
        *,
        timeout: float | None = None,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
        repeatable: bool = True,
        reconnect_seconds: float | None = None,
    ) -> Any:
        seconds = self.seconds if timeout is None else timeout
        turns = _Turns(seconds, repeatable=repeatable, reconnect_seconds=reconnect_seconds)
        while True:
            try:
                return await self._start(rpc, request, turns)
            except grpc.aio.AioRpcError as error:
                await turns.wait_or_raise(error_from(error, self._address, self.service), error)

    async def _replies(
        self,
        rpc: str,
        request: Message,
        timeout: float,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
    ) -> AsyncGenerator[Any, None]:
        """As they come; tried again only before the first. Closing it cancels the call."""
        turns = _Turns(timeout, repeatable=True)
        while True:
            replies = self._start(rpc, request, turns)
            try:
                async for reply in replies:
                    turns.repeatable = False
                    yield reply
                return
            except grpc.aio.AioRpcError as error:
                await turns.wait_or_raise(error_from(error, self._address, self.service), error)
            finally:
                replies.cancel()

    async def _pages(self, rpc: str, request: Any) -> AsyncGenerator[Any, None]:
        """Replies to `request`, until one names no next page."""
        while True:
            page = await self._call(rpc, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _start(self, rpc: str, request: "Message | AsyncIterable[Message]", turns: "_Turns") -> Any:
        stub = self.stub(self._connection.channel(self._address))
        metadata = self._connection.caller.to_metadata()
        return getattr(stub, rpc)(request, timeout=turns.seconds_left(), metadata=metadata)

    @property
    def _address(self) -> str:
        address: str = getattr(self._connection.addresses, self.service)
        return address

    @property
    def _actor(self) -> str:
        return self._connection.caller.actor


class _Turns:
    """How often and how long one call may still be tried.

    `reconnect_seconds` is the pause where no server asks for one; None gives up there.
    """

    def __init__(
        self, timeout: float, *, repeatable: bool, reconnect_seconds: float | None = None
    ) -> None:
        self._deadline = time.monotonic() + timeout
        self._tries = 1
        self._reconnect_seconds = reconnect_seconds
        self.repeatable = repeatable

    def seconds_left(self) -> float:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded("no time was left for the call")
        return seconds

    async def wait_or_raise(self, failure: GyreError, cause: Exception) -> None:
        if not self.repeatable or self._tries == _TRIES or not isinstance(failure, Unavailable):
            raise failure from cause
        pause = failure.retry_after_seconds
        if pause is None:
            pause = self._reconnect_seconds
        if pause is None or time.monotonic() + pause >= self._deadline:
            raise failure from cause
        self._tries += 1
        await asyncio.sleep(pause)


class PartMethod(Generic[P, ResultT, BlockingT]):
    """Written once, as a coroutine or an asynchronous generator, for both clients."""

    def __init__(
        self,
        body: Callable[Concatenate[Any, P], ResultT],
        block: Callable[[Loop, ResultT], BlockingT],
    ) -> None:
        self._body = body
        self._block = block
        self.__doc__ = body.__doc__

    @overload
    def __get__(self, part: None, kind: type[Part[Any]]) -> Self: ...
    @overload
    def __get__(self, part: Part[None], kind: type[Part[Any]]) -> Callable[P, ResultT]: ...
    @overload
    def __get__(self, part: Part[Loop], kind: type[Part[Any]]) -> Callable[P, BlockingT]: ...
    def __get__(self, part: Part[Any] | None, kind: type[Part[Any]]) -> Any:
        if part is None:
            return self
        loop, connection = part._loop, part._connection
        if loop is None:
            return MethodType(self._body, part)

        @wraps(self._body)
        def blocking(*args: P.args, **kwargs: P.kwargs) -> BlockingT:
            return self._block(loop, self._body(kind(connection, None), *args, **kwargs))

        return blocking


def method(
    body: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> PartMethod[P, Coroutine[Any, Any, T], T]:
    """Returns one thing."""
    return PartMethod(body, Loop.run)


def stream(
    body: Callable[Concatenate[Any, P], AsyncGenerator[T, None]],
) -> PartMethod[P, AsyncGenerator[T, None], Generator[T, None, None]]:
    """Yields one thing after the other."""
    return PartMethod(body, Loop.iterate)
