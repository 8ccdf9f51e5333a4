"""What the demonstration does to releases: exploration on, a run, a way back, and forth again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from gyre.releases.v1 import releases_pb2
from gyre.retriever.v1 import retriever_pb2
from gyre_common.errors import GyreError
from gyre_common.events.releases import Roles
from gyre_common.rpc import call

from gyre_cli.demo.system import System
from gyre_cli.release_calls import PROMOTE_SECONDS, listed

ACTOR = "gyre-demo"
_EXPLORATION = "0.1"
_SWITCHED_WITHIN = 60.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Switch:
    """A change of the live query encoder: what serves now, and seconds until it did."""

    version: str
    seconds: float


async def explore(system: System) -> str:
    """A small share of what is shown is not what the ranking would show; returns the version.

    No gate judges settings alone, so this is an override, and is recorded as one.
    """
    live = (await listed(system.releases, "", Roles.RETRIEVAL))[Roles.RETRIEVAL].live
    version = f"{live}-exploring"
    reason = "the demonstration's tenant explores, so that the gate is less biased towards live"
    await call(
        system.releases.RegisterVersion,
        releases_pb2.RegisterVersionRequest(
            role=Roles.RETRIEVAL,
            version=version,
            based_on=live,
            settings={"exploration": _EXPLORATION},
            reason=reason,
            actor=ACTOR,
            tenant=system.tenant,
        ),
    )
    await call(
        system.releases.Promote,
        releases_pb2.PromoteRequest(
            role=Roles.RETRIEVAL,
            version=version,
            reason=reason,
            actor=ACTOR,
            override=True,
            tenant=system.tenant,
        ),
        timeout=PROMOTE_SECONDS,
    )
    await _serving(system, Roles.RETRIEVAL, lambda found: found == version)
    return version


async def roll_back(system: System) -> Switch:
    """The command's RPC, timed from the request to the first answer by the version before."""
    state = await listed(system.releases, "", Roles.QUERY_ENCODER)
    before = state[Roles.QUERY_ENCODER].history[0]
    began = time.monotonic()
    await call(
        system.releases.Rollback,
        releases_pb2.RollbackRequest(
            role=Roles.QUERY_ENCODER,
            reason="the demonstration shows the way back",
            actor=ACTOR,
            tenant=system.tenant,
        ),
    )
    version = await _serving(system, Roles.QUERY_ENCODER, lambda found: found == before)
    return Switch(version, time.monotonic() - began)


async def promote_again(system: System, version: str) -> Switch:
    """A version that was live before needs no gate a second time."""
    began = time.monotonic()
    await call(
        system.releases.Promote,
        releases_pb2.PromoteRequest(
            role=Roles.QUERY_ENCODER,
            version=version,
            reason="the demonstration leaves the trained version live",
            actor=ACTOR,
            tenant=system.tenant,
        ),
        timeout=PROMOTE_SECONDS,
    )
    return Switch(await live_is(system, version), time.monotonic() - began)


async def live_is(system: System, version: str) -> str:
    """Returns once searches are answered by this query encoder."""
    return await _serving(system, Roles.QUERY_ENCODER, lambda found: found == version)


async def _serving(system: System, role: str, wanted: Callable[[str], bool]) -> str:
    request = retriever_pb2.RetrieveRequest(query="which version answers?", limit=1)
    deadline = time.monotonic() + _SWITCHED_WITHIN
    while True:
        reply = await call(system.retriever.Retrieve, request, timeout=10.0)
        found: str = reply.versions.get(role, "")
        if wanted(found):
            return found
        if time.monotonic() > deadline:
            raise GyreError(
                f"{role} {found} still serves tenant {system.tenant} after "
                f"{_SWITCHED_WITHIN:.0f} s: see `gyre releases {role} --tenant {system.tenant}` "
                "and `gyre logs retriever`"
            )
        await asyncio.sleep(_POLL_SECONDS)
