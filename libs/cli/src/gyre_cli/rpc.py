"""Stubs for the command's calls: the caller's tenant, groups and key go along."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc.aio
from gyre_common.errors import Unavailable
from gyre_common.rpc import channel
from gyre_common.rpc.status import DETAILS

from gyre_cli.settings import CliSettings

Stub = TypeVar("Stub")


@asynccontextmanager
async def connected(
    make: Callable[[grpc.aio.Channel], Stub],
    address: str,
    settings: CliSettings,
    *,
    acl: tuple[str, ...] = (),
) -> AsyncIterator[Stub]:
    """A stub on an open channel.

    Raises:
        Unavailable: with the fix, when nothing answers there.
    """
    async with channel(address, tenant=settings.tenant, acl=acl, key=settings.key) as opened:
        try:
            yield make(opened)
        except Unavailable as error:
            if not _nobody_answered(error):
                raise
            raise Unavailable(
                f"nothing answers at {address}: start the system with `gyre up`, or say where it "
                "is by GYRE_HOME, GYRE_PORT_OFFSET or the GYRE_…_ADDRESS variables"
            ) from error


def _nobody_answered(error: Unavailable) -> bool:
    """Gyre's servers send details with every error; a broken connection has none.

    What was told already, of another connection within this one, is left as it is.
    """
    cause = error.__cause__
    if not isinstance(cause, grpc.aio.AioRpcError):
        return False
    metadata: Any = cause.trailing_metadata() or ()
    return all(name != DETAILS for name, _ in metadata)
