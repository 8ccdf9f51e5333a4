"""Calls to other services: the request's context goes along, and their errors come back as ours."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from gyre_common.context import request_context
from gyre_common.errors import DeadlineExceeded
from gyre_common.rpc.balancing import Tries, balancing_options, target_of
from gyre_common.rpc.metadata import AUTHORIZATION, write_context
from gyre_common.rpc.server import MAX_MESSAGE_BYTES
from gyre_common.rpc.status import error_from
from gyre_common.settings import is_loopback
from gyre_common.telemetry.metrics import METRICS
from gyre_common.telemetry.tracing import current_traceparent

DEFAULT_TIMEOUT = 30.0

ReplyT = TypeVar("ReplyT")
_Complete = Callable[[grpc.aio.ClientCallDetails], grpc.aio.ClientCallDetails]


def channel(
    address: str,
    *,
    tenant: str | None = None,
    acl: tuple[str, ...] | None = None,
    key: str | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> grpc.aio.Channel:
    """Open a channel to a service; it is closed by `async with`.

    Behind the name may be several replicas, or `address` lists them as IP:PORT,IP:PORT: calls go to
    each in turn. What changes nothing is made again, up to three times, where the answer is
    UNAVAILABLE.

    Every call carries the context of the request being served: tenant, groups, versions, trace and
    the time that is left. `tenant` and `acl` take the place of the context's.
    """
    complete = partial(_with_context, tenant=tenant, acl=acl, key=key)
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # What gRPC gives one attempt to connect: less, and a busy machine looks like a dead one.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        *balancing_options(max_message_bytes),
    ]
    if all(is_loopback(each.strip().rpartition(":")[0]) for each in address.split(",")):
        options.append(("grpc.enable_http_proxy", 0))
    interceptors: list[Any] = [_UnaryCalls(complete), _StreamedCalls(complete)]
    return grpc.aio.insecure_channel(target_of(address), options=options, interceptors=interceptors)


async def call(
    method: Callable[..., Awaitable[ReplyT]],
    request: Message,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
) -> ReplyT:
    """Wait for a stub's one reply. The time-out is never longer than what is left of the request
    being served.

    Raises:
        GyreError: the one that the server raised; Unavailable when it cannot be reached.
    """
    tries = Tries()
    while True:
        _require_time()
        try:
            return await method(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if not tries.may_be_made_again(error):
                raise error_from(error) from error


async def stream(
    method: Callable[..., AsyncIterable[ReplyT]],
    request: Message,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
) -> AsyncGenerator[ReplyT, None]:
    """The replies of a stub's method; raises as `call` does. Closing the iterator cancels it."""
    tries = Tries()
    while True:
        _require_time()
        replies: Any = method(request, timeout=timeout)
        try:
            async for reply in replies:
                tries.end()
                yield reply
            return
        except grpc.aio.AioRpcError as error:
            if not tries.may_be_made_again(error):
                raise error_from(error) from error
        finally:
            replies.cancel()


def _require_time() -> None:
    # gRPC rounds up: a call with no time left might still be made.
    if request_context().remaining() == 0:
        raise DeadlineExceeded("no time was left for the call")


def _with_context(
    details: grpc.aio.ClientCallDetails,
    *,
    tenant: str | None,
    acl: tuple[str, ...] | None,
    key: str | None,
) -> grpc.aio.ClientCallDetails:
    context = request_context()
    speaker = replace(
        context,
        tenant=context.tenant if tenant is None else tenant,
        acl=context.acl if acl is None else acl,
    )
    metadata = write_context(speaker)
    if key:
        metadata.append((AUTHORIZATION, f"Bearer {key}"))
    if traceparent := current_traceparent():
        metadata.append(("traceparent", traceparent))
    limit = DEFAULT_TIMEOUT if details.timeout is None else details.timeout
    remaining = context.remaining()
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=limit if remaining is None else min(limit, remaining),
        metadata=grpc.aio.Metadata(*(details.metadata or ()), *metadata),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


class _UnaryCalls(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, complete: _Complete) -> None:
        self._complete = complete

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        """Called by gRPC for each call."""
        started = time.monotonic()
        call = await continuation(self._complete(client_call_details), request)
        try:
            code = await call.code()
        except asyncio.CancelledError:
            call.cancel()
            raise
        name: str | bytes = client_call_details.method
        method = name.decode() if isinstance(name, bytes) else name
        METRICS.rpc_calls.labels(method, code.name).inc()
        METRICS.rpc_call_seconds.labels(method).observe(time.monotonic() - started)
        return call


class _StreamedCalls(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, complete: _Complete) -> None:
        self._complete = complete

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        """Called by gRPC for each call."""
        return await continuation(self._complete(client_call_details), request)
