"""What runs read of the releases."""

import grpc.aio
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.releases.view import ReleaseView
from gyre_trainer.runs.registry import GrpcRegistry

from tests.unit.trainer.run_fakes import NOON, a_state

GENERATOR = built_in_artifacts(NOON)["generator"]


def of_tenant(tenant: str, live: Artifact, *history: str) -> ReleaseChanged:
    return a_state(live, "generator", tenant).model_copy(update={"history": history})


async def test_who_chose_a_version_keeps_it_when_all_get_another() -> None:
    view = ReleaseView()
    other = GENERATOR.model_copy(update={"version": "own-1"})
    for state in (
        a_state(GENERATOR, "generator"),
        of_tenant("chose", other, GENERATOR.version),
        of_tenant("chose-the-same", GENERATOR, other.version),
        of_tenant("registered-only", GENERATOR),
        a_state(GENERATOR, "judge", "chose-a-judge").model_copy(update={"history": ("j",)}),
    ):
        view.apply(state)
    async with grpc.aio.insecure_channel("127.0.0.1:9") as channel:
        registry = GrpcRegistry(view, channel)
        assert set(registry.with_their_own("generator")) == {"chose", "chose-the-same"}
