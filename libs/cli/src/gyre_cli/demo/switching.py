"""Taking a release back and making it live again, each timed until it serves."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gyre_client import AsyncClient
from gyre_common.events.releases import Roles

Until = Callable[[], Awaitable[None]]
"""Returns once what is released serves."""


@dataclass(frozen=True)
class Switch:
    """A change of what is live: what serves now, and seconds until it did."""

    version: str
    seconds: float


async def roll_back(gyre: AsyncClient, role: Roles, until: Until) -> Switch:
    """The command's RPC, timed from the request to the first answer by the version before."""
    before = (await gyre.releases.list(role))[role].history[0]
    began = time.monotonic()
    await gyre.releases.rollback(
        role, reason="the demonstration shows the way back", tenant=gyre.caller.tenant
    )
    await until()
    return Switch(before, time.monotonic() - began)


async def promote_again(gyre: AsyncClient, role: Roles, version: str, until: Until) -> Switch:
    """A version that was live before needs no gate a second time."""
    began = time.monotonic()
    await gyre.releases.promote(
        role,
        version,
        reason="the demonstration leaves the trained version live",
        tenant=gyre.caller.tenant,
    )
    await until()
    return Switch(version, time.monotonic() - began)
