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
    PermissionDenied,
    TooManyCalls,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

if TYPE_CHECKING:
    from gyre_client.client import AsyncClient, Client

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
    "PermissionDenied",
    "TooManyCalls",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
]


def __getattr__(name: str) -> Any:
    """The clients bring gRPC along; addresses, callers and errors alone need not."""
    if name in ("AsyncClient", "Client"):
        from gyre_client import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
