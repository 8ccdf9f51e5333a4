"""The gRPC edge of releases: translates messages to the core's words and back."""

import grpc.aio
from gyre.trainer.v1 import trainer_pb2
from gyre_common.context import request_context
from gyre_common.events.releases import Artifact, ReleaseChanged

from gyre_trainer.releases.book import Signature
from gyre_trainer.releases.settings_only import NewSettings
from gyre_trainer.service import ReleaseController, Whose


class ReleaseRpc:
    """ListReleases, Promote, Rollback and Register of gyre.trainer.v1.TrainerService."""

    def __init__(self, controller: ReleaseController) -> None:
        self._controller = controller

    async def ListReleases(
        self,
        request: trainer_pb2.ListReleasesRequest,
        context: grpc.aio.ServicerContext[
            trainer_pb2.ListReleasesRequest, trainer_pb2.ListReleasesResponse
        ],
    ) -> trainer_pb2.ListReleasesResponse:
        """The state of every role, or of one."""
        releases = await self._controller.releases(request.role, whose=_whose(request.tenant))
        return trainer_pb2.ListReleasesResponse(releases=map(_release, releases))

    async def Promote(
        self,
        request: trainer_pb2.PromoteRequest,
        context: grpc.aio.ServicerContext[trainer_pb2.PromoteRequest, trainer_pb2.PromoteResponse],
    ) -> trainer_pb2.PromoteResponse:
        """Makes a registered version live."""
        release = await self._controller.promote(
            request.role,
            request.version,
            expected_generation=request.expected_generation,
            by=Signature(actor=request.actor, reason=request.reason),
            whose=_whose(request.tenant),
            override=request.override,
        )
        return trainer_pb2.PromoteResponse(release=_release(release))

    async def Rollback(
        self,
        request: trainer_pb2.RollbackRequest,
        context: grpc.aio.ServicerContext[
            trainer_pb2.RollbackRequest, trainer_pb2.RollbackResponse
        ],
    ) -> trainer_pb2.RollbackResponse:
        """Makes the version live that was live before."""
        release = await self._controller.rollback(
            request.role,
            expected_generation=request.expected_generation,
            by=Signature(actor=request.actor, reason=request.reason),
            whose=_whose(request.tenant),
        )
        return trainer_pb2.RollbackResponse(release=_release(release))

    async def Register(
        self,
        request: trainer_pb2.RegisterRequest,
        context: grpc.aio.ServicerContext[
            trainer_pb2.RegisterRequest, trainer_pb2.RegisterResponse
        ],
    ) -> trainer_pb2.RegisterResponse:
        """Makes a version known that is defined by its settings alone."""
        release = await self._controller.register_settings(
            NewSettings(
                role=request.role,
                version=request.version,
                settings=dict(request.settings),
                based_on=request.based_on,
            ),
            by=Signature(actor=request.actor, reason=request.reason),
            whose=_whose(request.tenant),
        )
        return trainer_pb2.RegisterResponse(release=_release(release))


def _whose(asked: str) -> Whose:
    return Whose(caller=request_context().tenant, asked=asked)


def _release(release: ReleaseChanged) -> trainer_pb2.Release:
    canary = release.canary
    return trainer_pb2.Release(
        tenant=release.tenant,
        role=release.role,
        generation=release.generation,
        live=release.live,
        shadow=release.shadow or "",
        canary=trainer_pb2.Canary(version=canary.version, share=canary.share) if canary else None,
        artifacts=map(_artifact, release.artifacts),
        history=release.history,
        reason=release.reason,
        actor=release.actor,
        evidence=release.evidence,
        changed_at=release.changed_at,
    )


def _artifact(artifact: Artifact) -> trainer_pb2.Artifact:
    return trainer_pb2.Artifact(
        version=artifact.version,
        digest=artifact.digest,
        uri=artifact.uri or "",
        index=artifact.index or "",
        fits=artifact.fits or "",
        settings=artifact.settings,
        evidence=artifact.evidence,
        registered_at=artifact.registered_at,
    )
