"""Which version of every role is live, and the changes of it."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gyre.releases.v1 import releases_pb2
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub

from gyre_client.connection import Connection

EVERY_TENANT = "*"
PROMOTE_SECONDS = 100.0
"""A new encoder is loaded and tried first."""

ByRole = Mapping[str, releases_pb2.Release]
"""As the caller's tenant has them, or all tenants without their own."""


@dataclass(frozen=True)
class Change:
    """What a change did. `seconds` is how long the release controller took to make it safe."""

    role: str
    before: ByRole
    after: ByRole
    seconds: float


class Releases:
    """A `tenant` of `*` means the default of all tenants; without one, what the caller has."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list(self, role: str = "", *, tenant: str = "") -> ByRole:
        """Every role, or one."""
        request = releases_pb2.ListReleasesRequest(role=role, tenant=tenant)
        reply: releases_pb2.ListReleasesResponse = await self._call("ListReleases", request)
        return {release.role: release for release in reply.releases}

    async def version(
        self, role: str, version: str, *, tenant: str = ""
    ) -> releases_pb2.GetVersionResponse:
        """One registered version, with what speaks for it. Raises NotFound."""
        request = releases_pb2.GetVersionRequest(role=role, version=version, tenant=tenant)
        reply: releases_pb2.GetVersionResponse = await self._call("GetVersion", request)
        return reply

    async def promote(
        self,
        role: str,
        version: str,
        *,
        reason: str = "",
        override: bool = False,
        generation: int = 0,
        tenant: str = "",
    ) -> Change:
        """Makes a version live, with what has to go along.

        Raises:
            Conflict: somebody else changed the role since, or it is not at `generation`.
            FailedPrecondition: no gate let the version pass, and there is no `override`.
        """
        request = releases_pb2.PromoteRequest(
            role=role,
            version=version,
            reason=reason,
            actor=self._connection.caller.actor,
            override=override,
            tenant=tenant,
        )
        return await self._change(role, tenant, generation, self._changing("Promote", request))

    async def rollback(
        self, role: str, *, reason: str = "", generation: int = 0, tenant: str = ""
    ) -> Change:
        """Makes the version live that was live before. Raises as `promote`."""
        request = releases_pb2.RollbackRequest(
            role=role, reason=reason, actor=self._connection.caller.actor, tenant=tenant
        )
        return await self._change(role, tenant, generation, self._changing("Rollback", request))

    async def register(
        self,
        role: str,
        version: str,
        settings: Mapping[str, str],
        *,
        based_on: str = "",
        reason: str = "",
        tenant: str = "",
    ) -> releases_pb2.Release:
        """Makes a version known that differs from another by its settings alone."""
        request = releases_pb2.RegisterVersionRequest(
            role=role,
            version=version,
            based_on=based_on,
            settings=settings,
            reason=reason,
            actor=self._connection.caller.actor,
            tenant=tenant,
        )
        reply: releases_pb2.RegisterVersionResponse = await self._call("RegisterVersion", request)
        return reply.release

    def _changing(self, method: str, request: Any) -> Callable[[int], Awaitable[object]]:
        async def change(generation: int) -> None:
            request.expected_generation = generation
            await self._call(method, request)

        return change

    async def _change(
        self,
        role: str,
        tenant: str,
        generation: int,
        change: Callable[[int], Awaitable[object]],
    ) -> Change:
        """It holds only if nobody else changes the role at the same time."""
        before = await self.list(tenant=tenant)
        seen_generation = before[role].generation if role in before else 0
        started = time.monotonic()
        await change(generation or seen_generation)
        seconds = time.monotonic() - started
        return Change(role, before, await self.list(tenant=tenant), seconds)

    async def _call(self, method: str, request: Any) -> Any:
        reads = method in ("ListReleases", "GetVersion")
        return await self._connection.call(
            ReleaseServiceStub,
            "releases",
            method,
            request,
            timeout=PROMOTE_SECONDS,
            repeatable=reads,
        )
