"""The gRPC edge: translates messages to the core's words and back."""

from gyre.releases.v1 import releases_pb2, releases_pb2_grpc
from gyre_common.context import request_context
from gyre_common.errors import InvalidInput
from gyre_common.events.event import now
from gyre_common.events.releases import Artifact, Evidence, ReleaseChanged
from gyre_common.rpc import ServicerContext
from gyre_common.signature import Signature
from pydantic import ValidationError

from gyre_releases.scope import ReleaseScope
from gyre_releases.service import ReleaseController
from gyre_releases.settings_only import NewSettings

_ORIGIN = frozenset({Evidence.RUN, Evidence.DATA_SET, Evidence.PROFILE, Evidence.BASE})
"""What a caller may say of a version: where it comes from, but not that a gate let it pass."""


class ReleaseRpc(releases_pb2_grpc.ReleaseServiceServicer):
    """Serves gyre.releases.v1.ReleaseService."""

    def __init__(self, controller: ReleaseController) -> None:
        self._controller = controller

    async def ListReleases(
        self, request: releases_pb2.ListReleasesRequest, context: ServicerContext
    ) -> releases_pb2.ListReleasesResponse:
        """The state of every role, or of one."""
        releases = await self._controller.releases(request.role, scope=_scope_of(request.tenant))
        return releases_pb2.ListReleasesResponse(releases=map(_release, releases))

    async def Promote(
        self, request: releases_pb2.PromoteRequest, context: ServicerContext
    ) -> releases_pb2.PromoteResponse:
        """Makes a registered version live."""
        release = await self._controller.promote(
            request.role,
            request.version,
            expected_generation=request.expected_generation,
            by=Signature(actor=request.actor, reason=request.reason),
            scope=_scope_of(request.tenant),
            override=request.override,
        )
        return releases_pb2.PromoteResponse(release=_release(release))

    async def Rollback(
        self, request: releases_pb2.RollbackRequest, context: ServicerContext
    ) -> releases_pb2.RollbackResponse:
        """Makes the version live that was live before."""
        release = await self._controller.rollback(
            request.role,
            expected_generation=request.expected_generation,
            by=Signature(actor=request.actor, reason=request.reason),
            scope=_scope_of(request.tenant),
        )
        return releases_pb2.RollbackResponse(release=_release(release))

    async def GetVersion(
        self, request: releases_pb2.GetVersionRequest, context: ServicerContext
    ) -> releases_pb2.GetVersionResponse:
        """One registered version."""
        artifact, live = await self._controller.version(
            request.role, request.version, scope=_scope_of(request.tenant)
        )
        message = releases_pb2.Artifact(**artifact.model_dump(exclude_none=True))
        return releases_pb2.GetVersionResponse(artifact=message, live=live)

    async def SetShadow(
        self, request: releases_pb2.SetShadowRequest, context: ServicerContext
    ) -> releases_pb2.SetShadowResponse:
        """Makes a version the shadow, or none."""
        release = await self._controller.set_shadow(
            request.role,
            request.version,
            expected_generation=request.expected_generation,
            by=Signature(actor=request.actor, reason=request.reason),
            scope=_scope_of(request.tenant),
        )
        return releases_pb2.SetShadowResponse(release=_release(release))

    async def RemoveVersion(
        self, request: releases_pb2.RemoveVersionRequest, context: ServicerContext
    ) -> releases_pb2.RemoveVersionResponse:
        """Forgets a registered version."""
        release = await self._controller.remove(
            request.role,
            request.version,
            by=Signature(actor=request.actor, reason=request.reason),
            scope=_scope_of(request.tenant),
        )
        return releases_pb2.RemoveVersionResponse(release=_release(release))

    async def RegisterVersion(
        self, request: releases_pb2.RegisterVersionRequest, context: ServicerContext
    ) -> releases_pb2.RegisterVersionResponse:
        """Makes a version known, by its settings or with its files."""
        by = Signature(actor=request.actor, reason=request.reason)
        scope = _scope_of(request.tenant)
        if request.HasField("artifact"):
            release = await self._controller.register(
                request.role, _artifact_from(request), by, scope=scope
            )
        else:
            release = await self._controller.register_settings(
                NewSettings(
                    role=request.role,
                    version=request.version,
                    settings=dict(request.settings),
                    based_on=request.based_on,
                ),
                by=by,
                scope=scope,
            )
        return releases_pb2.RegisterVersionResponse(release=_release(release))


def _artifact_from(request: releases_pb2.RegisterVersionRequest) -> Artifact:
    message = request.artifact
    if claims := sorted(message.evidence.keys() - _ORIGIN):
        raise InvalidInput(
            "artifact.evidence",
            f"has {', '.join(claims)}",
            f"say where it comes from ({', '.join(sorted(_ORIGIN))}); the verdict says the rest",
        )
    if request.settings or request.based_on:
        raise InvalidInput("settings", "come beside an artifact", "put them into the artifact")
    try:
        return Artifact(
            version=request.version,
            digest=message.digest,
            uri=message.uri or None,
            index=message.index or None,
            fits=message.fits or None,
            settings=dict(message.settings),
            evidence=dict(message.evidence),
            registered_at=now(),
        )
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        raise InvalidInput(
            f"artifact.{problem['loc'][0]}", "cannot work", str(problem["msg"])
        ) from error


def _scope_of(requested: str) -> ReleaseScope:
    caller = request_context()
    return ReleaseScope(caller.tenant, requested, may_change_default=caller.is_for_every_tenant)


def _release(release: ReleaseChanged) -> releases_pb2.Release:
    return releases_pb2.Release(**release.model_dump(exclude_none=True))
