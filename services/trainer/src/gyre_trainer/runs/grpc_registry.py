"""The registry over the releases topic and the release controller's RPC."""

from dataclasses import replace

import grpc.aio
from gyre.releases.v1 import releases_pb2, releases_pb2_grpc
from gyre_common.context import request_context, use_context
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.releases.view import ReleaseView
from gyre_common.rpc import call
from gyre_common.signature import Signature


class GrpcRegistry:
    """Implements the Registry port: reads what the topic says, and asks for what is new."""

    def __init__(self, view: ReleaseView, channel: grpc.aio.Channel) -> None:
        self._view = view
        self._stub = releases_pb2_grpc.ReleaseServiceStub(channel)

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        """See Registry."""
        return self._view.state(tenant, role)

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        """See Registry."""
        request = releases_pb2.RegisterVersionRequest(
            role=role,
            version=artifact.version,
            artifact=releases_pb2.Artifact(
                digest=artifact.digest,
                uri=artifact.uri or "",
                index=artifact.index or "",
                fits=artifact.fits or "",
                settings=artifact.settings,
                evidence=artifact.evidence,
            ),
            actor=by.actor,
            reason=by.reason,
            tenant=tenant,
        )
        caller = request_context()
        if tenant != EVERY_TENANT:
            caller = replace(caller, tenant=tenant)
        with use_context(caller):
            await call(self._stub.RegisterVersion, request)
