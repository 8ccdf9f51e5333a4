"""What the demonstration does to releases: exploration on, a run, a way back, and forth again."""

import asyncio
import time
from dataclasses import dataclass

from gyre_client import AsyncClient, GyreError
from gyre_common.events.releases import Roles

ACTOR = "gyre-demo"
_EXPLORATION = "0.1"
_SWITCHED_WITHIN = 60.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Switch:
    """A change of the live query encoder: what serves now, and seconds until it did."""

    version: str
    seconds: float


async def explore(gyre: AsyncClient) -> None:
    """A small share of what is shown is not what the ranking would show.

    No gate judges settings alone, so this is an override, and is recorded as one.
    """
    role, tenant = Roles.RETRIEVAL, gyre.caller.tenant
    live = (await gyre.releases.list(role))[role].live
    version = f"{live}-exploring"
    reason = "the demonstration's tenant explores, so that the gate is less biased towards live"
    settings = {"exploration": _EXPLORATION}
    await gyre.releases.register(
        role, version, settings, based_on=live, reason=reason, tenant=tenant
    )
    await gyre.releases.promote(role, version, reason=reason, override=True, tenant=tenant)
    await until_live(gyre, version, role)


async def roll_back(gyre: AsyncClient) -> Switch:
    """The command's RPC, timed from the request to the first answer by the version before."""
    role = Roles.QUERY_ENCODER
    before = (await gyre.releases.list(role))[role].history[0]
    began = time.monotonic()
    await gyre.releases.rollback(
        role, reason="the demonstration shows the way back", tenant=gyre.caller.tenant
    )
    await until_live(gyre, before)
    return Switch(before, time.monotonic() - began)


async def promote_again(gyre: AsyncClient, version: str) -> Switch:
    """A version that was live before needs no gate a second time."""
    began = time.monotonic()
    await gyre.releases.promote(
        Roles.QUERY_ENCODER,
        version,
        reason="the demonstration leaves the trained version live",
        tenant=gyre.caller.tenant,
    )
    await until_live(gyre, version)
    return Switch(version, time.monotonic() - began)


async def until_live(gyre: AsyncClient, version: str, role: Roles = Roles.QUERY_ENCODER) -> None:
    """Returns once searches are answered by this version."""
    deadline = time.monotonic() + _SWITCHED_WITHIN
    while True:
        reply = await gyre.search.retrieve("which version answers?", limit=1, timeout=10.0)
        live = reply.versions.get(role, "")
        if live == version:
            return
        if time.monotonic() > deadline:
            tenant = gyre.caller.tenant
            raise GyreError(
                f"{role} {live} still serves tenant {tenant} after {_SWITCHED_WITHIN:.0f} s: see "
                f"`gyre releases {role} --tenant {tenant}` and `gyre logs retriever`"
            )
        await asyncio.sleep(_POLL_SECONDS)
