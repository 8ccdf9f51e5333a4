"""What one caller sends costs the others little: judging, encoding, and calls in flight."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre.judge.v1 import judge_pb2, judge_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.errors import DeadlineExceeded, TooManyCalls
from gyre_common.events.releases import Roles
from gyre_common.held import Loadable
from gyre_common.model_folders import shipped_model
from gyre_common.releases import ReleaseView
from gyre_common.rpc import call, channel, serve
from gyre_common.telemetry import METRICS
from gyre_embedder.encoder_folder import read_encoder_folder
from gyre_embedder.encoders import Encoder, Encoders
from gyre_embedder.onnx_encoder import OnnxEncoder
from gyre_embedder.rpc import EmbedderRpc
from gyre_judge import metrics
from gyre_judge.rewards import Rewards
from gyre_judge.rpc import JudgeRpc
from gyre_judge.service import Judge

from tests.builders import a_release, an_artifact
from tests.eventually import eventually
from tests.fakes.bus import MemoryBus
from tests.models import SHIPPED

RETRIEVE = "/gyre.retriever.v1.RetrieverService/Retrieve"
LARGE, SMALL = "large", "small"
SENTENCE = "Green tea number {} is steeped for {} minutes in water of {} degrees. "


def gauge(name: str, **labels: str) -> float:
    return METRICS.registry.get_sample_value(name, labels) or 0


class NoModels:
    """Implements ModelSource: there are none."""

    async def open(self, artifact: Any) -> Loadable[Any]:
        raise AssertionError("not asked for")

    async def keep_only(self, digests: Any) -> None:
        pass


class Flood:
    """Calls of one tenant that come again and again, until one of another tenant is answered."""

    def __init__(self, send: Callable[[], Any]) -> None:
        self._send = send
        self.outcomes: list[str] = []

    async def go_on(self) -> None:
        while True:
            try:
                await self._send()
                self.outcomes.append("answered")
            except (DeadlineExceeded, TooManyCalls) as error:
                self.outcomes.append(type(error).__name__)


@asynccontextmanager
async def a_flood(send: Callable[[], Any], calls: int) -> AsyncIterator[Flood]:
    flood = Flood(send)
    tasks = [asyncio.create_task(flood.go_on()) for _ in range(calls)]
    try:
        yield flood
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def a_stub(stack: AsyncExitStack, port: int, tenant: str, kind: Any) -> Any:
    return kind(await stack.enter_async_context(channel(f"127.0.0.1:{port}", tenant=tenant)))


async def test_a_small_judge_call_is_answered_among_large_ones(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = ReleaseView()
    view.apply(a_release(Roles.JUDGE, live="one", artifacts=(an_artifact("one"),)))
    rewards = await stack.enter_async_context(Rewards(NoModels(), view, most_bytes=1))
    judge = Judge(view, MemoryBus(service="judge"), rewards)
    server = await stack.enter_async_context(serve([JudgeRpc(judge)]))
    sentences = "".join(SENTENCE.format(each, each + 1, each + 2) for each in range(800))
    large = judge_pb2.JudgeRequest(
        question="How long is green tea steeped?",
        answer=sentences[:60_000],
        passages=[f"{number} {sentences}"[:36_000] for number in range(100)],
    )
    small = judge_pb2.JudgeRequest(
        question="How long?", answer="Two minutes.", passages=["It is two minutes."]
    )
    stubs = [
        await a_stub(stack, server.port, tenant, judge_pb2_grpc.JudgeServiceStub)
        for tenant in (LARGE, SMALL)
    ]
    pieces: list[str] = []
    read = metrics.statements

    def statements(text: str) -> list[metrics.Statement]:
        pieces.append(text)
        return read(text)

    monkeypatch.setattr(metrics, "statements", statements)

    async with a_flood(lambda: call(stubs[0].Judge, large, timeout=1), 6) as flood:
        await eventually(lambda: len(flood.outcomes) >= 6, timeout=60)
        for _ in range(3):
            before = len(pieces)
            await call(stubs[1].Judge, small, timeout=60)
            # Alone it takes three pieces of work; one of the others goes before each.
            assert len(pieces) - before < 100
    assert "answered" not in flood.outcomes
    await eventually(lambda: not gauge("gyre_calls_in_turns", work="judge"), timeout=60)


async def test_a_query_is_encoded_among_large_calls(stack: AsyncExitStack) -> None:
    encoder = OnnxEncoder(read_encoder_folder(shipped_model(SHIPPED)), threads=1)
    view = ReleaseView()
    view.apply(a_release(Roles.QUERY_ENCODER, live="one", artifacts=(an_artifact("one"),)))
    view.apply(a_release(Roles.DOCUMENT_ENCODER, live="one", artifacts=(an_artifact("one"),)))

    class OneModel(NoModels):
        async def open(self, artifact: Any) -> Loadable[Encoder]:
            async def load() -> Encoder:
                return encoder

            return Loadable(1, load)

    encoders = await stack.enter_async_context(Encoders(OneModel(), view, most_bytes=10))
    await encoders.hold()
    server = await stack.enter_async_context(serve([EmbedderRpc(encoders)]))
    large = embedder_pb2.EmbedRequest(texts=["green tea is steeped " * 700] * 240)
    small = embedder_pb2.EmbedRequest(texts=["How long is green tea steeped?"])
    stubs = [
        await a_stub(stack, server.port, tenant, embedder_pb2_grpc.EmbedderServiceStub)
        for tenant in (LARGE, SMALL)
    ]
    async with a_flood(lambda: call(stubs[0].Embed, large, timeout=600), 2) as flood:
        await eventually(lambda: gauge("gyre_calls_in_turns", work="encode-query"), timeout=60)
        for _ in range(3):
            await call(stubs[1].Embed, small, timeout=60)
        assert not flood.outcomes  # the first of them are still under way
    await eventually(lambda: not gauge("gyre_calls_in_turns", work="encode-query"), timeout=60)


class Waiting(retriever_pb2_grpc.RetrieverServiceServicer):
    """Answers when it is let go; one tenant's at once."""

    def __init__(self) -> None:
        self.entered = 0
        self.go = asyncio.Event()

    async def Retrieve(self, request: Any, context: Any) -> retriever_pb2.RetrieveResponse:
        self.entered += 1
        if request.query == LARGE:
            await self.go.wait()
        return retriever_pb2.RetrieveResponse()


async def test_one_caller_takes_half_of_the_calls_in_flight_at_most(stack: AsyncExitStack) -> None:
    waiting = Waiting()
    server = await stack.enter_async_context(serve([waiting], max_in_flight=8))
    large, small = [
        await a_stub(stack, server.port, tenant, retriever_pb2_grpc.RetrieverServiceStub)
        for tenant in (LARGE, SMALL)
    ]
    request = retriever_pb2.RetrieveRequest(query=LARGE)
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(call(large.Retrieve, request))
        await eventually(lambda: waiting.entered == 4)
        with pytest.raises(TooManyCalls, match="4 calls of this caller"):
            await call(large.Retrieve, request)
        await call(small.Retrieve, retriever_pb2.RetrieveRequest(query=SMALL))
        waiting.go.set()


async def test_who_answers_no_ping_has_gone_and_so_have_their_calls(stack: AsyncExitStack) -> None:
    waiting = Waiting()
    server = await stack.enter_async_context(serve([waiting], keepalive_seconds=0.3))
    silent = asyncio.Event()
    ends: list[asyncio.StreamWriter] = []

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if silent.is_set():
                continue  # the cable is cut: both ends stay open, and nothing passes
            sink.write(data)
            await sink.drain()

    async def connect(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        back, behind = await asyncio.open_connection("127.0.0.1", server.port)
        ends.extend((sink, behind))
        await asyncio.gather(pass_on(source, behind), pass_on(back, sink))

    proxy = await asyncio.start_server(connect, "127.0.0.1", 0)
    stack.callback(proxy.close)
    port = proxy.sockets[0].getsockname()[1]
    stub = await a_stub(stack, port, LARGE, retriever_pb2_grpc.RetrieverServiceStub)
    request = retriever_pb2.RetrieveRequest(query=LARGE)
    pending = asyncio.create_task(call(stub.Retrieve, request, timeout=600))
    await eventually(lambda: waiting.entered == 1)
    silent.set()
    await eventually(lambda: not gauge("gyre_rpc_in_flight", method=RETRIEVE), timeout=30)
    for end in ends:
        end.close()
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
