"""Several answers are drawn of a model server, and the judge's choice is in Kafka."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pytest
from gyre.generator.v1 import generator_pb2 as pb
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.judge.v1.judge_pb2_grpc import JudgeServiceStub
from gyre_common.bus import Bus
from gyre_common.events.interactions import INTERACTION_COMPLETED
from gyre_common.events.releases import Roles
from gyre_common.rpc import call, channel, serve, stream
from gyre_generator.backends.best_of import BestOfBackend
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.progress import Steps
from gyre_generator.prompts import Prompts
from gyre_generator.service import Answerer
from gyre_generator.steps.route import OPENAI, route
from gyre_judge.rewards import Rewards
from gyre_judge.rpc import JudgeRpc
from gyre_judge.service import Judge

from tests.builders import a_release, an_artifact
from tests.eventually import eventually
from tests.fakes.bus import MemoryBus
from tests.fakes.model_server import DONE, EVENTS, FakeServer, Write, delta_event, model_server
from tests.integration.generator.test_generator_on_kafka import (
    TeaRetriever,
    kafka_confirms,
    recorded,
    search_of,
)
from tests.unit.generator.conftest import built_in_releases, rpc_of, steps_of
from tests.unit.generator.test_generator_openai import chat_client
from tests.unit.judge.test_judge_service import Source, Words

pytestmark = pytest.mark.integration

BEST = "Water for green tea should be about 80 degrees Celsius."
DRAWS = (
    "About 80 degrees.",
    BEST,
    "Steep it for two minutes. Nine kings of old Norway painted an elephant blue in 1450.",
)
BEST_OF_3 = an_artifact(
    "best-3",
    settings={
        "backend": OPENAI,
        "model": "tiny",
        "unsupported": "drop",
        "best_of": "3",
        "reward": "more-words",
    },
)
REQUEST = pb.AnswerRequest(question="How hot should water for green tea be?", seed=3)


async def one_after_the_other(write: Write, nth: int) -> None:
    text = DRAWS[(nth - 1) % len(DRAWS)]
    await write(EVENTS + delta_event(text, finish="stop") + DONE)


@dataclass
class Chain:
    """The generator over gRPC; closing `judge` stops what it asks."""

    stub: GeneratorServiceStub
    server: FakeServer
    judge: AsyncExitStack


@pytest.fixture
async def chain(kafka_servers: str) -> AsyncIterator[Chain]:
    releases = built_in_releases()
    judges = (an_artifact("words-1"), an_artifact("more-words", settings={"method": "reward"}))
    for role, artifacts in {Roles.JUDGE: judges, Roles.GENERATOR: (BEST_OF_3,)}.items():
        live = artifacts[0].version
        releases.apply(a_release(role, live=live, artifacts=artifacts, generation=2))
    bus = Bus(kafka_servers, service="generator")
    bus.publishes(INTERACTION_COMPLETED)
    async with (
        bus,
        AsyncExitStack() as judge,
        model_server(one_after_the_other) as server,
        chat_client(server.url) as client,
        Rewards(Source(Words()), releases, most_bytes=10) as rewards,
        serve([TeaRetriever()]) as retriever_server,
        channel(f"127.0.0.1:{retriever_server.port}") as to_retriever,
    ):
        rpc = JudgeRpc(Judge(releases, MemoryBus(service="judge"), rewards))
        judge_server = await judge.enter_async_context(serve([rpc]))
        async with channel(f"127.0.0.1:{judge_server.port}") as to_judge:
            ask_judge = partial(call, JudgeServiceStub(to_judge).Judge, timeout=10)
            backends = {OPENAI: BestOfBackend(PromptedModel(client, Prompts()), ask_judge)}
            steps: Steps = {
                **steps_of(search_of(to_retriever), releases),
                "route": partial(route, backends=backends, releases=releases),
            }
            async with (
                Answerer(steps, bus, releases) as answerer,
                serve([rpc_of(answerer, steps, releases)]) as generator_server,
                channel(f"127.0.0.1:{generator_server.port}", tenant="acme") as to_generator,
            ):
                await eventually(partial(kafka_confirms, bus), 60)
                yield Chain(GeneratorServiceStub(to_generator), server, judge)


async def test_the_best_of_three_is_streamed_and_recorded_and_the_first_without_a_judge(
    chain: Chain, kafka_servers: str
) -> None:
    replies = [reply async for reply in stream(chain.stub.StreamAnswer, REQUEST, timeout=20)]

    finished = replies[-1].finished
    assert "".join(reply.delta.text for reply in replies) == finished.answer == BEST
    assert [request["seed"] for request in chain.server.requests] == [3, 4, 5]
    event = await recorded(kafka_servers, UUID(finished.interaction_id))
    details = {verdict.name: verdict.detail for verdict in event.guardrails}
    assert details["best_of"].startswith("3 of 3 drawn, rewards 0.953, 1.000, 0.993 by more-words")
    assert (event.answer, event.versions["judge"], event.fallbacks) == (BEST, "more-words", ())

    passages = [pb.Passage(chunk_id=str(UUID(int=1)), document_id="tea.md", text=BEST, rank=1)]
    given = pb.AnswerFromRequest(question=REQUEST.question, passages=passages)
    assert (await call(chain.stub.AnswerFrom, given, timeout=20)).answer == BEST

    await chain.judge.aclose()
    reply = await call(chain.stub.Answer, REQUEST, timeout=20)
    assert reply.answer == "About 80 degrees."
    event = await recorded(kafka_servers, UUID(reply.interaction_id))
    assert event.fallbacks[0].startswith("generator: not the best of 3: ")
    assert len(chain.server.requests) == 7
