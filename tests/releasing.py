"""Registers encoders in a running system, as a run does: by the release controller's RPC."""

from pathlib import Path

from gyre.releases.v1 import releases_pb2
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Roles
from gyre_common.model_folders import keep_model
from gyre_common.releases.builtin import ENCODER_VERSION
from gyre_common.rpc import call, channel
from gyre_common.store import Store

from tests.system import System


async def register_encoder(system: System, version: str, model: Path) -> None:
    """Keep the model in the system's store and register it for every tenant."""
    stored = await keep_model(Store(f"file://{system.home}/store"), model)
    request = releases_pb2.RegisterVersionRequest(
        role=Roles.QUERY_ENCODER,
        version=version,
        artifact=releases_pb2.Artifact(digest=stored.digest, uri=stored.uri, fits=ENCODER_VERSION),
        actor="test",
        reason="a version to swap with",
        tenant=EVERY_TENANT,
    )
    async with channel(f"127.0.0.1:{system.ports.grpc('releases')}") as to_releases:
        await call(ReleaseServiceStub(to_releases).RegisterVersion, request)
