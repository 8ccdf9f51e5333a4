"""A gRPC server with everything that each of Gyre's servers needs."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from gyre_common.errors import GyreError
from gyre_common.identities import Identity
from gyre_common.rpc.answering import AnsweringInterceptor
from gyre_common.settings import is_loopback

ServicerContext = grpc.aio.ServicerContext[Any, Any]
"""What gRPC hands every method beside its request."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

_SHARE_TO_END = 0.9

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

# Public, though the published type stubs do not know them.
_HealthServicer: Any = health.aio.HealthServicer  # type: ignore[attr-defined]
_ReflectionServicer: Any = reflection.aio.ReflectionServicer  # type: ignore[attr-defined]


class _ServiceTable(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Takes a server's place in generated code: services can be added to one that runs already."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        """Called by generated code."""
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Called by generated code; the generic handlers hold the same methods."""
        if service not in self.names:
            self.names.append(service)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Called by gRPC to find the handler of a call."""
        handlers = (handler.service(handler_call_details) for handler in self._handlers)
        return next((handler for handler in handlers if handler is not None), None)

    def add(self, servicer: object) -> None:
        """Add each service whose generated `…Servicer` class this object derives from."""
        for kind in type(servicer).__mro__:
            generated = vars(sys.modules[kind.__module__])
            if add := generated.get(f"add_{kind.__name__}_to_server"):
                add(servicer, self)


@dataclass(frozen=True)
class RpcServer:
    """A server that runs. It is NOT_SERVING until `set_serving(True)`."""

    port: int
    _server: grpc.aio.Server
    _table: _ServiceTable
    _health: Any
    _interceptor: AnsweringInterceptor

    async def add(self, servicers: Sequence[object]) -> None:
        """Answer for these services from now on; health and reflection know them."""
        for servicer in servicers:
            self._table.add(servicer)
        names = [*self._table.names]
        reflection_servicer = _ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection_servicer, self._table)
        self._interceptor.open = True
        for name in names:
            await self._health.set(name, _NOT_SERVING)

    def set_waiting_for(self, reason: str) -> None:
        """What callers hear while there are no services here yet."""
        self._interceptor.waiting_for = reason

    async def set_serving(self, serving: bool) -> None:
        """Say so to load balancers and probes."""
        status = _SERVING if serving else _NOT_SERVING
        for name in ("", *self._table.names):
            await self._health.set(name, status)

    async def drain(self, seconds: float) -> None:
        """Take no more calls; those in flight have `seconds` to end, then they are UNAVAILABLE.

        What gRPC itself cuts off, CANCELLED, are calls that had not begun.
        """
        await self._health.enter_graceful_shutdown()
        ending = asyncio.get_running_loop().call_later(
            seconds * _SHARE_TO_END, self._interceptor.end_calls
        )
        await self._server.stop(seconds)
        ending.cancel()


@asynccontextmanager
async def serve(
    servicers: Sequence[object] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keys: tuple[str, ...] = (),
    identities: tuple[Identity, ...] = (),
    default_deadline: float = 60.0,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    max_in_flight: int = 1000,
    drain_seconds: float = 5.0,
    keepalive_seconds: float = 60.0,
) -> AsyncIterator[RpcServer]:
    """Listen on `host:port` (a free port when 0) until the block ends, then drain.

    Who shows one of `keys` is believed what it says of its caller; a key of `identities` says who
    calls, see `Identity`. `default_deadline` is for calls that bring none. Larger messages are
    refused with RESOURCE_EXHAUSTED, calls past `max_in_flight` with UNAVAILABLE, and those of one
    caller past half of it with RESOURCE_EXHAUSTED. Who does not answer a ping within
    `keepalive_seconds` / 3 has gone, and so are their calls; they are sent one after
    `keepalive_seconds` of silence.

    Raises GyreError: `host` is beyond loopback and there are no keys, or the port is taken.
    """
    if not keys and not is_loopback(host):
        raise GyreError(f"will not listen on {host} without keys: set GYRE_KEYS")
    interceptor = AnsweringInterceptor(
        keys=keys,
        identities=identities,
        default_deadline=default_deadline,
        max_in_flight=max_in_flight,
    )
    server = grpc.aio.server(
        interceptors=[interceptor],
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_time_ms", round(keepalive_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", round(keepalive_seconds * 1000 / 3)),
            ("grpc.http2.ping_timeout_ms", round(keepalive_seconds * 1000 / 3)),
        ],
    )
    table, checks = _ServiceTable(), _HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, table)
    server.add_generic_rpc_handlers((table,))
    running = RpcServer(_bind(server, host, port), server, table, checks, interceptor)
    await running.set_serving(False)
    await server.start()
    try:
        if servicers:
            await running.add(servicers)
        yield running
    finally:
        await running.drain(drain_seconds)


def _bind(server: grpc.aio.Server, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        # gRPC does not tell why it cannot bind, and writes to standard error: try by hand first.
        family, kind, proto, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(where)
        return server.add_insecure_port(address)
    except OSError as error:
        why = error.strerror or str(error)
        raise GyreError(
            f"cannot listen on {address}: {why}; set GYRE_PORT_OFFSET or GYRE_HOST"
        ) from error
    except RuntimeError as error:
        raise GyreError(f"cannot listen on {address}: taken a moment ago") from error
