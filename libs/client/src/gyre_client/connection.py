"""Channels to the services of one system, and the caller that goes along with every call."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import grpc.aio

from gyre_client.caller import Addresses, Caller
from gyre_client.health import Health, health_at, metrics_address

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A name may stand for several replicas.
    ("grpc.lb_policy_name", "round_robin"),
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


@dataclass(frozen=True)
class Connection:
    """One channel an address, opened when it is first used."""

    addresses: Addresses = field(default_factory=Addresses)
    caller: Caller = field(default_factory=Caller)
    credentials: grpc.ChannelCredentials | None = None
    _channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def with_caller(self, **changes: Any) -> Self:
        """The same channels for another caller."""
        return replace(self, caller=replace(self.caller, **changes))

    def channel(self, address: str) -> grpc.aio.Channel:
        """Belongs to the event loop that asks first."""
        if address not in self._channels:
            options = list(_OPTIONS)
            if address.startswith(_LOOPBACK):
                options.append(("grpc.enable_http_proxy", 0))
            self._channels[address] = (
                grpc.aio.secure_channel(address, self.credentials, options=options)
                if self.credentials
                else grpc.aio.insecure_channel(address, options=options)
            )
        return self._channels[address]

    async def close(self) -> None:
        """Ends what is in flight."""
        while self._channels:
            await self._channels.popitem()[1].close(None)

    async def serving(self, timeout: float) -> Mapping[str, bool]:  # noqa: ASYNC109
        """Whether each service says that it serves, by name."""
        addresses = vars(self.addresses)
        answers = await asyncio.gather(*(self._serves(one, timeout) for one in addresses.values()))
        return dict(zip(addresses, answers, strict=True))

    async def health(self, timeout: float) -> Mapping[str, Health]:  # noqa: ASYNC109
        """What each service says of itself on its metrics port, by name."""
        addresses = vars(self.addresses)
        places = map(metrics_address, addresses.values())
        answers = await asyncio.gather(
            *(asyncio.to_thread(health_at, place, timeout=timeout) for place in places)
        )
        return dict(zip(addresses, answers, strict=True))

    async def _serves(self, address: str, timeout: float) -> bool:  # noqa: ASYNC109
        check = self.channel(address).unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            reply = await check(b"", timeout=timeout, metadata=self.caller.to_metadata())
        except grpc.aio.AioRpcError:
            return False
        return bool(reply == _SERVING)
