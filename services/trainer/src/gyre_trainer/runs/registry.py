"""What runs need of the release controller: what is live, and a version made known."""

from dataclasses import replace
from typing import Protocol

import grpc.aio
from gyre.releases.v1 import releases_pb2, releases_pb2_grpc
from gyre_common.context import request_context, use_context
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.releases.view import ReleaseView
from gyre_common.rpc import call
from gyre_common.signature import Signature

from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away


class Registry(Protocol):
    """All may be repeated."""

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        """One role as a tenant has it. Raises FailedPrecondition where nothing is live."""

    def with_their_own(self, role: str) -> tuple[str, ...]:
        """The tenants that chose a version, so that what goes live for all does not reach them."""

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        """Raises FailedPrecondition when the name is taken, Retryable when nobody answers."""


class GrpcRegistry:
    """Implements the Registry port: reads what the topic says, and asks for what is new."""

    def __init__(self, view: ReleaseView, channel: grpc.aio.Channel) -> None:
        self._view = view
        self._stub = releases_pb2_grpc.ReleaseServiceStub(channel)

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        """See Registry."""
        return self._view.state(tenant, role)

    def with_their_own(self, role: str) -> tuple[str, ...]:
        """See Registry."""
        default = self._view.state(EVERY_TENANT, role)
        states = (state for state in self._view.states if state.role == role)
        return tuple(
            state.tenant
            for state in states
            if state.tenant != EVERY_TENANT and not state.follows(default)
        )

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        """See Registry."""
        content = artifact.model_dump(exclude={"version", "registered_at"}, exclude_none=True)
        request = releases_pb2.RegisterVersionRequest(
            role=role,
            version=artifact.version,
            artifact=releases_pb2.Artifact(**content),
            actor=by.actor,
            reason=by.reason,
            tenant=tenant,
        )
        caller = request_context()
        if tenant != EVERY_TENANT:
            caller = replace(caller, tenant=tenant)
        with use_context(caller):
            await retry_while_away(
                lambda: call(self._stub.RegisterVersion, request), seconds=STORE_SECONDS
            )
