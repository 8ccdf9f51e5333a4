"""An answer over gRPC is in Kafka before it counts."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import grpc.aio
import pytest
from aiokafka import AIOKafkaConsumer
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.bus import Bus
from gyre_common.context import RequestContext, request_context
from gyre_common.errors import InvalidInput, Unavailable
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    InteractionCompleted,
    Outcome,
)
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.rpc import call, channel, serve, stream
from gyre_generator.service import Answerer
from gyre_generator.steps.retrieve import Search

from tests.builders import MORNING, a_release, an_interaction
from tests.eventually import eventually
from tests.unit.generator.conftest import rpc_of, steps_of

pytestmark = pytest.mark.integration

TEA = "Water for green tea should be about 80 degrees Celsius. Steep it for two minutes."


def search_of(channel: grpc.aio.Channel) -> Search:
    return partial(call, retriever_pb2_grpc.RetrieverServiceStub(channel).Retrieve, timeout=5)


class TeaRetriever(retriever_pb2_grpc.RetrieverServiceServicer):
    """A retriever with one passage, and one that it only shows to explore."""

    def __init__(self) -> None:
        self.callers: list[RequestContext] = []

    async def Retrieve(
        self,
        request: retriever_pb2.RetrieveRequest,
        context: grpc.aio.ServicerContext[
            retriever_pb2.RetrieveRequest, retriever_pb2.RetrieveResponse
        ],
    ) -> retriever_pb2.RetrieveResponse:
        self.callers.append(request_context())
        chunk = retriever_pb2.Chunk(
            chunk_id=str(uuid5(NAMESPACE_URL, TEA)),
            document_id="tea.md",
            text=TEA,
            title="Tea",
            source_uri="https://example.org/tea",
            score=1.0,
            acl=retriever_pb2.AccessGroups(groups=["staff"]),
        )
        explored = retriever_pb2.Chunk(
            chunk_id=str(uuid5(NAMESPACE_URL, "coffee")),
            document_id="coffee.md",
            text="Water for coffee should be about 93 degrees Celsius.",
            heading_path=["Coffee", "Water"],
            explored=request.explore,
            propensity=0.02,
        )
        return retriever_pb2.RetrieveResponse(
            chunks=[chunk, explored], versions={"retrieval": "hybrid-1"}, latency_ms={"search": 2.0}
        )


@pytest.fixture
async def retriever() -> TeaRetriever:
    return TeaRetriever()


@pytest.fixture
async def generator(
    kafka_servers: str, retriever: TeaRetriever
) -> AsyncIterator[generator_pb2_grpc.GeneratorServiceStub]:
    releases = ReleaseView()
    for role, artifact in built_in_artifacts(MORNING).items():
        releases.apply(a_release(role, live=artifact.version, artifacts=(artifact,)))
    bus = Bus(kafka_servers, service="generator")
    bus.publishes(INTERACTION_COMPLETED)

    async with (
        bus,
        serve([retriever]) as retriever_server,
        channel(f"127.0.0.1:{retriever_server.port}") as to_retriever,
        Answerer(steps_of(search_of(to_retriever), releases), bus, releases) as answerer,
        serve([rpc_of(answerer, {}, releases)]) as generator_server,
        channel(
            f"127.0.0.1:{generator_server.port}", tenant="acme", acl=("staff",)
        ) as to_generator,
    ):
        await eventually(partial(kafka_confirms, bus), 60)
        yield generator_pb2_grpc.GeneratorServiceStub(to_generator)


async def kafka_confirms(bus: Bus) -> bool:
    """A broker that has just begun may name its partitions' leaders later than an answer waits."""
    try:
        await bus.publish(INTERACTION_COMPLETED, an_interaction())
    except Unavailable:
        return False
    return True


async def recorded(kafka_servers: str, interaction_id: UUID) -> InteractionCompleted:
    """The event, which must already be there: reads the topic as it is, to its end."""
    async with AIOKafkaConsumer(
        INTERACTION_COMPLETED.name, bootstrap_servers=kafka_servers, auto_offset_reset="earliest"
    ) as consumer:
        async for record in consumer:
            event = InteractionCompleted.model_validate_json(record.value)
            if event.interaction_id == interaction_id:
                return event
    raise AssertionError("the consumer ended")


async def test_an_answer_is_in_kafka_with_its_caller_and_its_citations(
    generator: generator_pb2_grpc.GeneratorServiceStub,
    kafka_servers: str,
    retriever: TeaRetriever,
) -> None:
    request = generator_pb2.AnswerRequest(
        question="How hot should water for green tea be?", actor="ann"
    )

    reply = await call(generator.Answer, request, timeout=20)

    assert reply.outcome == generator_pb2.OUTCOME_ANSWERED
    [caller] = retriever.callers
    assert (caller.tenant, caller.acl) == ("acme", ("staff",))
    assert caller.versions["retrieval"] == "hybrid-1"
    for cited in reply.citations:
        assert TEA[cited.chunk_start : cited.chunk_end] == cited.quote
        assert reply.answer[cited.start : cited.end] == cited.quote
        assert cited.source_uri == "https://example.org/tea"
    passages = [(p.rank, p.document_id, p.explored) for p in reply.passages]
    assert passages == [(1, "tea.md", False), (2, "coffee.md", True)]
    assert list(reply.passages[1].heading_path) == ["Coffee", "Water"]
    assert reply.latency_ms["record"] > 0
    event = await recorded(kafka_servers, UUID(reply.interaction_id))
    assert (event.tenant, event.acl, event.answer) == ("acme", ("staff",), reply.answer)
    assert [str(c.chunk_id) for c in event.retrieved] == [p.chunk_id for p in reply.passages]
    assert [c.propensity for c in event.retrieved] == [1, 0.02]
    assert event.actor == "ann"
    assert [c.acl for c in event.retrieved] == [("staff",), None]


async def test_a_stream_ends_with_the_recorded_interaction(
    generator: generator_pb2_grpc.GeneratorServiceStub, kafka_servers: str
) -> None:
    request = generator_pb2.AnswerRequest(question="How long to steep green tea?")

    replies = [reply async for reply in stream(generator.StreamAnswer, request, timeout=20)]

    kinds = [reply.WhichOneof("event") for reply in replies]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    assert set(kinds[1:-1]) == {"delta"}
    finished = replies[-1].finished
    assert "".join(reply.delta.text for reply in replies) == finished.answer
    assert finished.interaction_id == replies[0].started.interaction_id
    await recorded(kafka_servers, UUID(finished.interaction_id))


async def test_a_caller_that_hangs_up_leaves_a_record(
    generator: generator_pb2_grpc.GeneratorServiceStub, kafka_servers: str
) -> None:
    request = generator_pb2.AnswerRequest(
        question="How hot should water for green tea be?", idempotency_key=str(uuid4())
    )
    async with aclosing(stream(generator.StreamAnswer, request, timeout=20)) as replies:
        async for reply in replies:
            started = reply.started
            break

    event = await recorded(kafka_servers, UUID(started.interaction_id))

    # It may have been done before the news came.
    assert event.outcome in (Outcome.CANCELLED, Outcome.ANSWERED)


@pytest.mark.parametrize("question", ["", "  ", "why? " * 200_000])
async def test_a_question_out_of_bounds_is_an_invalid_argument(
    generator: generator_pb2_grpc.GeneratorServiceStub, question: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await call(generator.Answer, generator_pb2.AnswerRequest(question=question), timeout=20)

    assert refused.value.field == "question"
    assert "4,096" in refused.value.fix


async def test_a_retriever_that_is_not_there_is_unavailable() -> None:
    async with channel("127.0.0.1:1") as nowhere:
        with pytest.raises(Unavailable):
            await search_of(nowhere)(retriever_pb2.RetrieveRequest(query="tea", limit=1))
