"""Talk to Gyre: `AsyncClient` for programs that use asyncio, `Client` for all others."""

from typing import TYPE_CHECKING, Any

from gyre_client.caller import Addresses, Caller
from gyre_client.errors import (
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

if TYPE_CHECKING:
    from gyre_client.client import AsyncClient
    from gyre_client.sync import Client

__all__ = [
    "Addresses",
    "AsyncClient",
    "Caller",
    "Client",
    "Conflict",
    "DeadlineExceeded",
    "FailedPrecondition",
    "GyreError",
    "InvalidInput",
    "NotFound",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
]


def __getattr__(name: str) -> Any:
    """The clients bring gRPC and the stubs along; settings and errors alone need not."""
    if name == "AsyncClient":
        from gyre_client.client import AsyncClient

        return AsyncClient
    if name == "Client":
        from gyre_client.sync import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
