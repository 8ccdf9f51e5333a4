"""What surrounds every call that is answered: key, tenant, deadline, trace, errors, metrics."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from opentelemetry.trace import SpanKind

from gyre_common.context import RequestContext, use_context
from gyre_common.errors import (
    DeadlineExceeded,
    GyreError,
    InvalidInput,
    TooManyCalls,
    Unauthenticated,
    Unavailable,
)
from gyre_common.identities import Identity, identity_of, is_key
from gyre_common.rpc.balancing import BEGUN, may_be_done_twice
from gyre_common.rpc.metadata import AUTHORIZATION, read_context, text_of
from gyre_common.rpc.permissions import check_permission
from gyre_common.rpc.request_times import check_times
from gyre_common.rpc.status import DETAILS, code_of, details_of
from gyre_common.telemetry.metrics import METRICS
from gyre_common.telemetry.tracing import current_trace_id, trace_from, tracer

log = logging.getLogger(__name__)

# gRPC hands handlers of four shapes around untyped; these names say what they are.
Request = Any
Behaviour = Any
Context = Any
Failure = tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]
"""What the caller sees: code, message and trailing metadata."""

_HEALTH = "/grpc.health."
_INFRASTRUCTURE = "/grpc."
_STARTING = "/starting"
_STOPPED = Unavailable("the server stopped before the call was done: try again")
_FLOW = {False: "unary", True: "stream"}


class AnsweringInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every handler, unary or streaming, in what all of them need."""

    def __init__(
        self,
        *,
        keys: tuple[str, ...],
        identities: tuple[Identity, ...],
        default_deadline: float,
        max_in_flight: int,
    ) -> None:
        self._keys = keys
        self._identities = identities
        self._default_deadline = default_deadline
        self._max_in_flight = max_in_flight
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._in_flight_by_caller: Counter[tuple[str, str]] = Counter()
        self._ended: set[asyncio.Task[Any]] = set()
        self.open = False
        self.waiting_for = ""
        """What keeps the service from answering yet, in words."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Called by gRPC for each call; returns the handler to use."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if method.startswith(_HEALTH):
            return handler
        if handler is None:
            if self.open:
                return None  # UNIMPLEMENTED
            method, handler = _STARTING, grpc.unary_unary_rpc_method_handler(self._still_starting)
        return self._wrapped(method, handler)

    def end_calls(self) -> None:
        """Cancel those in flight; their callers hear that they are UNAVAILABLE."""
        self._ended.update(self._in_flight)
        for call in self._in_flight:
            call.cancel()

    async def _still_starting(self, request: Request, context: Context) -> None:
        because = f" ({self.waiting_for})" if self.waiting_for else ""
        raise Unavailable(f"the service is still starting{because}: try again in a moment")

    def _wrapped(self, method: str, handler: Any) -> Any:
        shape = f"{_FLOW[handler.request_streaming]}_{_FLOW[handler.response_streaming]}"
        inner: Behaviour = getattr(handler, shape)
        is_ours = not method.startswith((_INFRASTRUCTURE, _STARTING))
        says_begun = is_ours and not may_be_done_twice(method)
        surrounding = self._guarding if method.startswith(_INFRASTRUCTURE) else self._answering

        # Streams with `context.write`, not as a generator: then a cancelled call unwinds here, in
        # the task and context that it ran in, and not whenever the generator is collected.
        async def behaviour(request: Request, context: Context) -> Any:
            async with surrounding(method, context) as caller:
                if says_begun:
                    await context.send_initial_metadata(((BEGUN, "1"),))
                readable = _each_sound(request) if handler.request_streaming else _sound(request)
                replies = inner(_in_the_name_of(caller, readable), context)
                if not hasattr(replies, "__aiter__"):
                    return await replies
                async with aclosing(replies):
                    async for reply in replies:
                        await context.write(reply)
                return None

        wrap = getattr(grpc, f"{shape}_rpc_method_handler")
        return wrap(behaviour, _lenient(handler.request_deserializer), handler.response_serializer)

    @asynccontextmanager
    async def _guarding(self, method: str, context: Context) -> AsyncIterator[RequestContext]:
        try:
            self._identity(context)
        except Unauthenticated as error:
            await context.abort(*_failure(error, method, RequestContext()))
        yield RequestContext()

    @asynccontextmanager
    async def _answering(self, method: str, context: Context) -> AsyncIterator[RequestContext]:
        started, code = time.monotonic(), grpc.StatusCode.OK
        caller = RequestContext()
        METRICS.rpc_in_flight.labels(method).inc()
        call = asyncio.current_task()
        assert call is not None
        self._in_flight.add(call)
        with tracer.start_as_current_span(
            method.removeprefix("/"),
            context=trace_from(dict(context.invocation_metadata() or ())),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ):
            try:
                seconds = self._seconds(context)
                caller = self._admit(method, context, deadline=started + seconds)
                async with _within(seconds):
                    with use_context(caller), self._sharing(caller):
                        yield caller
            except grpc.aio.AbortError:
                code = context.code()
                raise
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                if call not in self._ended or call.uncancel():
                    raise
                failure = _failure(_STOPPED, method, caller)
                code = failure[0]
                await context.abort(*failure)
            except Exception as error:  # noqa: BLE001 (the edge: what no one knows is a bug)
                failure = _failure(error, method, caller)
                code = failure[0]
                await context.abort(*failure)
            finally:
                self._in_flight.discard(call)
                self._ended.discard(call)
                _record(method, code, caller, time.monotonic() - started)

    @contextmanager
    def _sharing(self, caller: RequestContext) -> Iterator[None]:
        """One caller has half of the room at most. Raises TooManyCalls."""
        name, most = (caller.tenant, caller.lane), max(1, self._max_in_flight // 2)
        if self._in_flight_by_caller[name] >= most:
            raise TooManyCalls(f"{most} calls of this caller are in flight here already")
        self._in_flight_by_caller[name] += 1
        try:
            yield
        finally:
            self._in_flight_by_caller[name] -= 1
            if not self._in_flight_by_caller[name]:
                del self._in_flight_by_caller[name]

    def _seconds(self, context: Context) -> float:
        remaining: float | None = context.time_remaining()
        return self._default_deadline if remaining is None else remaining

    def _admit(self, method: str, context: Context, *, deadline: float) -> RequestContext:
        identity = self._identity(context)
        if len(self._in_flight) > self._max_in_flight:
            raise Unavailable(f"{self._max_in_flight} calls are in flight here already")
        caller = read_context(context.invocation_metadata() or (), deadline=deadline)
        if identity is None:
            return caller
        if method != _STARTING:
            check_permission(identity, method)
        return identity.bind(caller)

    def _identity(self, context: Context) -> Identity | None:
        """Whose key it is; None where it is a service's, or no key is asked for."""
        if not self._keys and not self._identities:
            return None
        header = text_of(context.invocation_metadata() or (), AUTHORIZATION)
        scheme, _, key = header.partition(" ")
        matches = [is_key(key.strip(), accepted) for accepted in self._keys]
        identity = identity_of(key.strip(), self._identities)
        if scheme.lower() != "bearer" or not (any(matches) or identity):
            raise Unauthenticated(
                "send metadata `authorization: Bearer <one of the server's keys>`"
            )
        return identity


def _lenient(deserialize: Callable[[bytes], Request] | None) -> Callable[[bytes], Request] | None:
    """Bytes that are no message are seen to later: gRPC would answer INTERNAL."""
    if deserialize is None:
        return None

    def read(data: bytes) -> Request:
        try:
            return deserialize(data)
        except DecodeError as error:
            return error

    return read


def _sound(request: Request) -> Request:
    """Raises InvalidInput for what is no message of the method, or holds a moment that is none."""
    if isinstance(request, DecodeError):
        fix = "send what the method's .proto describes"
        raise InvalidInput("request", "is no message of this method", fix) from request
    if isinstance(request, Message):
        check_times(request)
    return request


async def _each_sound(requests: Request) -> AsyncIterator[Request]:
    async for request in requests:
        yield _sound(request)


def _in_the_name_of(caller: RequestContext, request: Request) -> Request:
    """The request with the caller's name in its `actor`, where their key tells it. In all of
    `proto/` that field says who asks, unless it is one subject among several.
    """
    if caller.actor and isinstance(request, Message):
        field = request.DESCRIPTOR.fields_by_name.get("actor")
        if field is not None and not field.has_presence:
            setattr(request, field.name, caller.actor)
    return request


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineExceeded(f"not done within {seconds:.1f} s") from error


def _failure(error: Exception, method: str, caller: RequestContext) -> Failure:
    if isinstance(error, GyreError) and (code := code_of(error)) is not None:
        message, details = details_of(error, code)
        return code, message, ((DETAILS, details),)
    if isinstance(error, NotImplementedError):
        # What a generated base class raises for a method that nobody wrote.
        return grpc.StatusCode.UNIMPLEMENTED, f"{method} is not implemented here", ()
    log.error("call crashed", extra={"method": method, "tenant": caller.tenant}, exc_info=error)
    message = f"internal error; the server's log tells more under trace {current_trace_id()}"
    return grpc.StatusCode.INTERNAL, message, ()


def _record(method: str, code: grpc.StatusCode, caller: RequestContext, seconds: float) -> None:
    METRICS.rpc_in_flight.labels(method).dec()
    METRICS.rpc_handled.labels(method, code.name).inc()
    METRICS.rpc_handle_seconds.labels(method).observe(seconds)
    log.info(
        "call answered",
        extra={
            "method": method,
            "code": code.name,
            "ms": round(seconds * 1000, 2),
            "tenant": caller.tenant,
        },
    )
