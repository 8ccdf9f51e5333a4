"""Changes of releases as commands make them: what stood before, the change, what stands after."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gyre.releases.v1 import releases_pb2
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre_common.events.event import EVERY_TENANT
from gyre_common.rpc import call

from gyre_cli.command import Cli
from gyre_cli.rpc import connected

Releases = dict[str, releases_pb2.Release]
"""By role, as the caller's tenant has them, or all tenants without their own."""

PROMOTE_SECONDS = 100.0
"""A new encoder is loaded and tried first."""


@dataclass(frozen=True)
class Change:
    """What a change did. `seconds` is how long the release controller took to make it safe."""

    role: str
    before: Releases
    after: Releases
    seconds: float


def tenant_meant(*, every_tenant: bool) -> str:
    """What requests say: the default of all, or whatever the caller has."""
    return EVERY_TENANT if every_tenant else ""


@asynccontextmanager
async def release_service(cli: Cli) -> AsyncIterator[ReleaseServiceStub]:
    """The release controller's stub."""
    settings = cli.settings
    async with connected(ReleaseServiceStub, settings.releases_address, settings) as stub:
        yield stub


async def listed(stub: ReleaseServiceStub, tenant: str, role: str = "") -> Releases:
    """Every role's state, or that of one."""
    request = releases_pb2.ListReleasesRequest(role=role, tenant=tenant)
    reply = await call(stub.ListReleases, request)
    return {release.role: release for release in reply.releases}


async def changed(
    stub: ReleaseServiceStub,
    role: str,
    tenant: str,
    change: Callable[[int], Awaitable[object]],
) -> Change:
    """Make a change that is to hold only if nobody else changes the role at the same time.

    `change` gets the generation that was seen.
    """
    before = await listed(stub, tenant)
    seen = before[role].generation if role in before else 0
    started = time.monotonic()
    await change(seen)
    seconds = time.monotonic() - started
    return Change(role, before, await listed(stub, tenant), seconds)
