"""Calls to the services: who calls goes along, errors come back typed, retries when invited."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message

from gyre_client.caller import Addresses, Caller
from gyre_client.errors import DeadlineExceeded, GyreError, Unavailable
from gyre_client.status import error_from

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
DEFAULT_TIMEOUT = 30.0

_TRIES = 5
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # What gRPC gives one attempt to connect: less, and a busy machine looks like a dead one.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_LOOPBACK = ("127.", "localhost:", "[::1]:")
# A HealthCheckResponse with status SERVING (grpc/health/v1/health.proto): field 1, value 1.
_SERVING = b"\x08\x01"

StubT = TypeVar("StubT")


class Channels:
    """One open channel an address; shared by all callers, closed by whoever made it."""

    def __init__(
        self, addresses: Addresses, credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        self.addresses = addresses
        self._credentials = credentials
        self._open: dict[str, grpc.aio.Channel] = {}

    def to(self, address: str) -> grpc.aio.Channel:
        """Opened when it is first used."""
        if address not in self._open:
            self._open[address] = self._open_channel(address)
        return self._open[address]

    async def close(self) -> None:
        """Ends what is in flight."""
        while self._open:
            await self._open.popitem()[1].close(None)

    def _open_channel(self, address: str) -> grpc.aio.Channel:
        options = list(_OPTIONS)
        if address.startswith(_LOOPBACK):
            options.append(("grpc.enable_http_proxy", 0))
        if self._credentials is None:
            return grpc.aio.insecure_channel(address, options=options)
        return grpc.aio.secure_channel(address, self._credentials, options=options)


class Connection:
    """What the parts of a client share: channels, and the caller that goes along.

    A call is tried again where it may be repeated (it reads, or carries an idempotency key), the
    server asks for another try, and its time-out leaves room.
    """

    def __init__(self, channels: Channels, caller: Caller) -> None:
        self._channels = channels
        self.caller = caller

    def with_caller(self, **changes: Any) -> "Connection":
        """The same channels for another caller."""
        return Connection(self._channels, replace(self.caller, **changes))

    async def call(
        self,
        stub: type[StubT],
        service: str,
        method: str,
        request: Message,
        *,
        timeout: float = DEFAULT_TIMEOUT,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
        repeatable: bool = True,
    ) -> Any:
        """One reply. Raises GyreError."""
        turns = _Turns(timeout, repeatable=repeatable)
        address = self._address(service)
        rpc = getattr(stub(self._channels.to(address)), method)  # type: ignore[call-arg]
        while True:
            try:
                return await rpc(
                    request, timeout=turns.seconds_left(), metadata=self.caller.to_metadata()
                )
            except grpc.aio.AioRpcError as error:
                await turns.wait_or_raise(error_from(error, address), error)

    async def stream(
        self,
        stub: type[StubT],
        service: str,
        method: str,
        request: Message,
        *,
        timeout: float,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
    ) -> AsyncGenerator[Any, None]:
        """Replies as they come; tried again only before the first. Closing it cancels the call."""
        turns = _Turns(timeout, repeatable=True)
        address = self._address(service)
        rpc = getattr(stub(self._channels.to(address)), method)  # type: ignore[call-arg]
        while True:
            replies = rpc(request, timeout=turns.seconds_left(), metadata=self.caller.to_metadata())
            try:
                async for reply in replies:
                    turns.repeatable = False
                    yield reply
                return
            except grpc.aio.AioRpcError as error:
                await turns.wait_or_raise(error_from(error, address), error)
            finally:
                replies.cancel()

    async def serving(self, timeout: float) -> Mapping[str, bool]:  # noqa: ASYNC109
        """Whether each service says that it serves, by name."""
        addresses = vars(self._channels.addresses)
        answers = await asyncio.gather(*(self._serves(one, timeout) for one in addresses.values()))
        return dict(zip(addresses, answers, strict=True))

    async def _serves(self, address: str, timeout: float) -> bool:  # noqa: ASYNC109
        check = self._channels.to(address).unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            reply = await check(b"", timeout=timeout, metadata=self.caller.to_metadata())
        except grpc.aio.AioRpcError:
            return False
        return bool(reply == _SERVING)

    def _address(self, service: str) -> str:
        address: str = getattr(self._channels.addresses, service)
        return address


class _Turns:
    """How often and how long one call may still be tried."""

    def __init__(self, timeout: float, *, repeatable: bool) -> None:
        self._deadline = time.monotonic() + timeout
        self._tries = 1
        self.repeatable = repeatable

    def seconds_left(self) -> float:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded("no time was left for the call")
        return seconds

    async def wait_or_raise(self, failure: GyreError, cause: Exception) -> None:
        pause = failure.retry_after_seconds if isinstance(failure, Unavailable) else None
        out_of_turns = not self.repeatable or self._tries == _TRIES
        if pause is None or out_of_turns or time.monotonic() + pause >= self._deadline:
            raise failure from cause
        self._tries += 1
        await asyncio.sleep(pause)
