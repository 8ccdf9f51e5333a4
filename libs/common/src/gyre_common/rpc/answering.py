"""What surrounds every call that is answered: key, tenant, deadline, trace, errors, metrics."""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from gyre_common.context import RequestContext, use_context
from gyre_common.errors import DeadlineExceeded, GyreError, Unauthenticated, Unavailable
from gyre_common.rpc.metadata import AUTHORIZATION, read_context, text_of
from gyre_common.rpc.status import DETAILS, code_of, details_of
from gyre_common.telemetry.metrics import METRICS
from gyre_common.telemetry.tracing import current_trace_id, trace_from, tracer

log = logging.getLogger(__name__)

# gRPC hands handlers of four shapes around untyped; these names say what they are.
Request = Any
Behaviour = Any
Context = Any
Trailing = tuple[tuple[str, bytes], ...]

_HEALTH = "/grpc.health."
_INFRASTRUCTURE = "/grpc."
_STARTING = "/starting"


class AnsweringInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every handler, unary or streaming, in what all of them need."""

    def __init__(
        self, *, keys: tuple[str, ...], default_deadline: float, max_in_flight: int
    ) -> None:
        self._keys = tuple(key.encode() for key in keys)
        self._default_deadline = default_deadline
        self._max_in_flight = max_in_flight
        self._in_flight = 0
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
        if method.startswith(_INFRASTRUCTURE):
            return self._wrap(handler, self._guarded(handler))
        if handler.response_streaming:
            return self._wrap(handler, self._streaming(method, handler))
        return self._wrap(handler, self._unary(method, handler))

    async def _still_starting(self, request: Request, context: Context) -> None:
        because = f" ({self.waiting_for})" if self.waiting_for else ""
        raise Unavailable(f"the service is still starting{because}: try again in a moment")

    @staticmethod
    def _wrap(handler: Any, behaviour: Behaviour) -> Any:
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return make(behaviour, handler.request_deserializer, handler.response_serializer)

    def _guarded(self, handler: Any) -> Behaviour:
        async def behaviour(request: Request, context: Context) -> None:
            try:
                self._check_key(context)
            except Unauthenticated as error:
                code = grpc.StatusCode.UNAUTHENTICATED
                message, details = details_of(error, code)
                await context.abort(code, message, ((DETAILS, details),))
            await _pump(_behaviour_of(handler), request, context)

        return behaviour

    def _unary(self, method: str, handler: Any) -> Behaviour:
        inner = _behaviour_of(handler)

        async def behaviour(request: Request, context: Context) -> Any:
            async with self._answering(method, context):
                return await inner(request, context)

        return behaviour

    def _streaming(self, method: str, handler: Any) -> Behaviour:
        # Written with `context.write`, not as a generator: then a cancelled call unwinds here, in
        # the task and context that it ran in, and not whenever the generator is collected.
        inner = _behaviour_of(handler)

        async def behaviour(request: Request, context: Context) -> None:
            async with self._answering(method, context):
                await _pump(inner, request, context)

        return behaviour

    @asynccontextmanager
    async def _answering(self, method: str, context: Context) -> AsyncIterator[None]:
        answer = _Answer(method)
        headers = dict(context.invocation_metadata() or ())
        self._in_flight += 1
        with tracer.start_as_current_span(
            method.removeprefix("/"),
            context=trace_from(headers),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ):
            try:
                async with self._serving(answer, context):
                    yield
            except grpc.aio.AbortError:
                answer.code = context.code()
                raise
            except asyncio.CancelledError:
                answer.code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:  # noqa: BLE001 (the edge: what no one knows is a bug)
                answer.code, message, details = answer.failure(error)
                await context.abort(answer.code, message, details)
            finally:
                self._in_flight -= 1
                answer.record()

    @asynccontextmanager
    async def _serving(self, answer: "_Answer", context: Context) -> AsyncIterator[None]:
        self._check_key(context)
        if self._in_flight > self._max_in_flight:
            raise Unavailable(f"{self._max_in_flight} calls are in flight here already")
        remaining = context.time_remaining()
        seconds = self._default_deadline if remaining is None else remaining
        answer.request = read_context(
            context.invocation_metadata() or (), deadline=answer.started + seconds
        )
        try:
            with use_context(answer.request):
                async with asyncio.timeout(seconds) as limit:
                    yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"not done within {seconds:.1f} s") from error

    def _check_key(self, context: Context) -> None:
        if not self._keys:
            return
        header = text_of(context.invocation_metadata() or (), AUTHORIZATION).encode()
        scheme, _, key = header.partition(b" ")
        matches = [hmac.compare_digest(key.strip(), accepted) for accepted in self._keys]
        if scheme.lower() != b"bearer" or not any(matches):
            raise Unauthenticated(
                "send metadata `authorization: Bearer <one of the server's keys>`"
            )


class _Answer:
    """How one call goes, for its metrics and its line in the log."""

    def __init__(self, method: str) -> None:
        self.started = time.monotonic()
        self.request = RequestContext()
        self.code = grpc.StatusCode.OK
        self._method = method
        METRICS.rpc_in_flight.labels(method).inc()

    def failure(self, error: Exception) -> tuple[grpc.StatusCode, str, Trailing]:
        """The status that the caller sees: code, message and trailing metadata."""
        if isinstance(error, GyreError) and (code := code_of(error)) is not None:
            message, details = details_of(error, code)
            return code, message, ((DETAILS, details),)
        if isinstance(error, NotImplementedError):
            # What a generated base class raises for a method that nobody wrote.
            return grpc.StatusCode.UNIMPLEMENTED, f"{self._method} is not implemented here", ()
        log.error(
            "call crashed",
            extra={"method": self._method, "tenant": self.request.tenant},
            exc_info=error,
        )
        message = f"internal error; the server's log tells more under trace {current_trace_id()}"
        return grpc.StatusCode.INTERNAL, message, ()

    def record(self) -> None:
        """The call is over."""
        seconds = time.monotonic() - self.started
        METRICS.rpc_in_flight.labels(self._method).dec()
        METRICS.rpc_handled.labels(self._method, self.code.name).inc()
        METRICS.rpc_handle_seconds.labels(self._method).observe(seconds)
        log.info(
            "call answered",
            extra={
                "method": self._method,
                "code": self.code.name,
                "ms": round(seconds * 1000, 2),
                "tenant": self.request.tenant,
            },
        )


def _behaviour_of(handler: Any) -> Behaviour:
    return (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )


async def _pump(behaviour: Behaviour, request: Request, context: Context) -> None:
    replies = behaviour(request, context)
    if not hasattr(replies, "__aiter__"):
        await replies
        return
    async with aclosing(replies):
        async for reply in replies:
            await context.write(reply)
