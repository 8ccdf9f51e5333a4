"""The judge listens, scores, and answers over gRPC."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from gyre.judge.v1 import judge_pb2, judge_pb2_grpc
from gyre_common.bus import Bus
from gyre_common.errors import InvalidInput
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionJudged,
)
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.releases import ReleaseView
from gyre_common.rpc import call, channel, serve
from gyre_common.store import Store
from gyre_judge.handlers import build_handlers
from gyre_judge.onnx_reward import OnnxRewards
from gyre_judge.rewards import Rewards
from gyre_judge.rpc import JudgeRpc
from gyre_judge.service import Judge

from tests.builders import a_release, an_interaction

pytestmark = pytest.mark.integration


@pytest.fixture
def bus(kafka_servers: str) -> Bus:
    return Bus(kafka_servers, service="judge")


@pytest.fixture
async def judge(bus: Bus, tmp_path: Path) -> AsyncIterator[Judge]:
    """The baseline is live."""
    view = ReleaseView()
    view.apply(a_release(Roles.JUDGE, live="baseline-1"))
    models = OnnxRewards(ModelFolders(Store(f"file://{tmp_path}"), tmp_path / "models"), threads=1)
    async with Rewards(models, view, most_bytes=1_000_000) as rewards:
        yield Judge(view, bus, rewards)


async def test_a_completed_interaction_gets_its_verdict(
    kafka_servers: str, bus: Bus, judge: Judge
) -> None:
    interaction = an_interaction(interaction_id=uuid4(), tenant="acme")
    build_handlers(bus, judge)
    async with (
        bus,
        AIOKafkaConsumer(
            INTERACTION_JUDGED.name, bootstrap_servers=kafka_servers, auto_offset_reset="earliest"
        ) as verdicts,
    ):
        await bus.publish(INTERACTION_COMPLETED, interaction)
        async for record in verdicts:
            verdict = InteractionJudged.model_validate_json(record.value)
            if verdict.interaction_id == interaction.interaction_id:
                break

    assert verdict.tenant == "acme"
    assert {s.metric: s.value for s in verdict.scores}["groundedness"] == 1.0


async def test_judge_and_compare_answer_over_grpc(judge: Judge) -> None:
    passages = ["Green tea is steeped for two minutes in water of 80 degrees."]
    async with (
        serve([JudgeRpc(judge)]) as server,
        channel(f"127.0.0.1:{server.port}") as open_channel,
    ):
        stub = judge_pb2_grpc.JudgeServiceStub(open_channel)
        judged = await call(
            stub.Judge,
            judge_pb2.JudgeRequest(question="How long?", answer="Nine hours.", passages=passages),
        )
        compared = await call(
            stub.Compare,
            judge_pb2.CompareRequest(
                question="How long is green tea steeped?",
                first="Green tea is steeped for nine hours.",
                second="Green tea is steeped for two minutes.",
                passages=passages,
            ),
        )
        with pytest.raises(InvalidInput):
            await call(stub.Judge, judge_pb2.JudgeRequest(answer="Two minutes."))

    assert judged.version == "baseline-1"
    assert judged.scores[0].value == 0.0
    assert compared.preference == judge_pb2.PREFERENCE_SECOND


async def test_a_metric_that_does_not_apply_is_unset(judge: Judge) -> None:
    async with (
        serve([JudgeRpc(judge)]) as server,
        channel(f"127.0.0.1:{server.port}") as open_channel,
    ):
        stub = judge_pb2_grpc.JudgeServiceStub(open_channel)
        judged = await call(stub.Judge, judge_pb2.JudgeRequest(question="Tea?", answer="Hot."))

    assert not any(
        score.HasField("value") for score in judged.scores if score.metric != "answer_relevance"
    )
