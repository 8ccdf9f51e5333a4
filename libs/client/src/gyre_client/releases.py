"""Which version of every role is live, and the changes of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre.releases.v1 import releases_pb2
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub

from gyre_client.parts import LoopT, Part, method

EVERY_TENANT = "*"
ByRole = Mapping[str, releases_pb2.Release]
"""As the caller's tenant has them, or all tenants without their own."""


@dataclass(frozen=True)
class Change:
    """What a change did. `seconds` is how long the release controller took to make it safe."""

    role: str
    before: ByRole
    after: ByRole
    seconds: float

    @property
    def went_along(self) -> Sequence[str]:
        """The other roles whose live version changed."""
        return [
            role
            for role, after in self.after.items()
            if role != self.role and role in self.before and self.before[role].live != after.live
        ]


class Releases(Part[LoopT]):
    """A `tenant` of `*` means the default of all tenants; without one, what the caller has. What
    changes a release has to say whose: `release.tenant` of what `list` gave, to change that.
    """

    stub, service = ReleaseServiceStub, "releases"
    seconds = 100.0  # a new encoder is loaded and tried before it is live, and other calls wait

    @method
    async def list(self, role: str = "", *, tenant: str = "") -> ByRole:
        """Every role, or one."""
        request = releases_pb2.ListReleasesRequest(role=role, tenant=tenant)
        reply: releases_pb2.ListReleasesResponse = await self._call("ListReleases", request)
        return {release.role: release for release in reply.releases}

    @method
    async def version(
        self, role: str, version: str, *, tenant: str = ""
    ) -> releases_pb2.GetVersionResponse:
        """One registered version, with what speaks for it. Raises NotFound."""
        request = releases_pb2.GetVersionRequest(role=role, version=version, tenant=tenant)
        reply: releases_pb2.GetVersionResponse = await self._call("GetVersion", request)
        return reply

    @method
    async def promote(
        self: "Releases[None]",
        role: str,
        version: str,
        *,
        reason: str = "",
        override: bool = False,
        generation: int = 0,
        tenant: str,
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
            actor=self._actor,
            override=override,
            tenant=tenant,
            expected_generation=generation,
        )
        return await self._change("Promote", request)

    @method
    async def rollback(
        self: "Releases[None]",
        role: str,
        *,
        reason: str = "",
        generation: int = 0,
        tenant: str,
    ) -> Change:
        """Makes the version live that was live before. Raises as `promote`."""
        request = releases_pb2.RollbackRequest(
            role=role,
            reason=reason,
            actor=self._actor,
            tenant=tenant,
            expected_generation=generation,
        )
        return await self._change("Rollback", request)

    @method
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
            actor=self._actor,
            tenant=tenant,
        )
        return await self._register(request)

    @method
    async def register_files(
        self,
        role: str,
        version: str,
        *,
        digest: str,
        uri: str,
        settings: Mapping[str, str],
        index: str = "",
        fits: str = "",
        reason: str = "",
        tenant: str = "",
    ) -> releases_pb2.Release:
        """Makes a version known whose files are in the store, under the manifest at `uri`; for a
        document encoder with an `index` of its own.
        """
        artifact = releases_pb2.Artifact(
            digest=digest, uri=uri, settings=settings, index=index, fits=fits
        )
        request = releases_pb2.RegisterVersionRequest(
            role=role,
            version=version,
            artifact=artifact,
            reason=reason,
            actor=self._actor,
            tenant=tenant,
        )
        return await self._register(request)

    async def _register(self, request: releases_pb2.RegisterVersionRequest) -> releases_pb2.Release:
        reply: releases_pb2.RegisterVersionResponse = await self._call(
            "RegisterVersion", request, repeatable=False
        )
        return reply.release

    @method
    async def set_shadow(
        self, role: str, version: str, *, reason: str = "", tenant: str
    ) -> releases_pb2.Release:
        """Makes a version the shadow of its role, or none where it is empty."""
        request = releases_pb2.SetShadowRequest(
            role=role, version=version, reason=reason, actor=self._actor, tenant=tenant
        )
        reply: releases_pb2.SetShadowResponse = await self._call(
            "SetShadow", request, repeatable=False
        )
        return reply.release

    @method
    async def remove(
        self, role: str, version: str, *, reason: str = "", tenant: str
    ) -> releases_pb2.Release:
        """Forgets a version. Raises FailedPrecondition: it serves, did, may, or others need it."""
        request = releases_pb2.RemoveVersionRequest(
            role=role, version=version, reason=reason, actor=self._actor, tenant=tenant
        )
        reply: releases_pb2.RemoveVersionResponse = await self._call(
            "RemoveVersion", request, repeatable=False
        )
        return reply.release

    async def _change(
        self: "Releases[None]",
        rpc: str,
        request: releases_pb2.PromoteRequest | releases_pb2.RollbackRequest,
    ) -> Change:
        """It holds only if nobody else changes the role at the same time."""
        role, tenant = request.role, request.tenant
        before = await self.list(tenant=tenant)
        if role in before and not request.expected_generation:
            request.expected_generation = before[role].generation
        started = time.monotonic()
        await self._call(rpc, request, repeatable=False)
        seconds = time.monotonic() - started
        return Change(role, before, await self.list(tenant=tenant), seconds)
