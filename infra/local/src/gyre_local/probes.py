"""How a process shows that it is ready, or alive: an answer, not just an open port."""

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import grpc

_TIMEOUT = 2.0
_RECONNECT = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))
"""A service that was restarted is asked again within half a second."""


class Probe(Protocol):
    """Asks a process once whether it can do its work now; never raises."""

    async def ready(self) -> bool:
        """Whether it can."""


class WakingProbe:
    """For a process that wakes on a connection: callers wait at its socket until it answers, and a
    probe that came as it ends would be one that wakes it again.
    """

    async def ready(self) -> bool:
        """As soon as it runs."""
        return True


@dataclass(frozen=True)
class HttpProbe:
    """Ready when the path answers 200. `login` gives user and password, anew at each try."""

    port: int
    path: str
    login: Callable[[], tuple[str, str]] | None = None

    async def ready(self) -> bool:
        """Whether it answers."""
        return await asyncio.to_thread(self._answers)

    def _answers(self) -> bool:
        headers = {}
        if self.login is not None:
            login = base64.b64encode(":".join(self.login()).encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)) as connection:
            try:
                connection.request("GET", self.path, headers=headers)
                return connection.getresponse().status == 200
            except (OSError, HTTPException):
                return False


@dataclass(frozen=True)
class KafkaProbe:
    """Ready when the broker knows itself: it is registered, unfenced and answers requests.

    A Metadata request, version 1, for no topics; the answer's first list holds the brokers
    (https://kafka.apache.org/protocol#The_Messages_Metadata).
    """

    port: int

    async def ready(self) -> bool:
        """Whether it answers."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._broker_count() > 0
        except (OSError, asyncio.IncompleteReadError, struct.error):
            return False

    async def _broker_count(self) -> int:
        metadata, version, correlation, no_client_id, no_topics = 3, 1, 1, -1, 0
        request = struct.pack(">hhihi", metadata, version, correlation, no_client_id, no_topics)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with closing(writer):
            writer.write(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", await reader.readexactly(4))
            _, brokers = struct.unpack_from(">ii", await reader.readexactly(length))
            return int(brokers)


class GrpcProbe:
    """Ready when the standard health service says SERVING for the whole server.

    The channel is kept from one question to the next: to open one costs more than to ask.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._channel: grpc.aio.Channel | None = None

    async def ready(self) -> bool:
        """Whether it answers."""
        # Children are forked, and become other programs at once: gRPC's handlers for forks, which
        # may abort them while calls are under way, have nothing to do here.
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        import grpc  # only a system with services pays for it
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", _RECONNECT)
        stub = health_pb2_grpc.HealthStub(self._channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
