"""The controller asks the embedder over a real wire whether an encoder works."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
from gyre.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from gyre_common.errors import DeadlineExceeded, FailedPrecondition, GyreError, Unavailable
from gyre_common.rpc import channel, serve
from gyre_releases.grpc_probes import GrpcEncoderProbe
from gyre_releases.version_trial import try_version


class FakeEmbedder(embedder_pb2_grpc.EmbedderServiceServicer):
    """Refuses as often as it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []
        self.refusals: list[GyreError] = []

    async def Embed(
        self,
        request: embedder_pb2.EmbedRequest,
        context: grpc.aio.ServicerContext[embedder_pb2.EmbedRequest, embedder_pb2.EmbedResponse],
    ) -> embedder_pb2.EmbedResponse:
        self.requests.append((request.version, request.side))
        if self.refusals:
            raise self.refusals.pop(0)
        return embedder_pb2.EmbedResponse(version=request.version)


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
async def probe(embedder: FakeEmbedder) -> AsyncIterator[GrpcEncoderProbe]:
    async with (
        serve([embedder]) as server,
        channel(f"127.0.0.1:{server.port}") as opened,
    ):
        yield GrpcEncoderProbe(opened, seconds=5)


async def test_each_encoder_is_tried_on_its_own_side(
    probe: GrpcEncoderProbe, embedder: FakeEmbedder
) -> None:
    await probe.try_version("query-encoder", "q2")
    await probe.try_version("document-encoder", "d2")
    assert embedder.requests == [
        ("q2", embedder_pb2.SIDE_QUERY),
        ("d2", embedder_pb2.SIDE_DOCUMENT),
    ]


async def test_a_version_that_is_being_loaded_is_waited_for(
    probe: GrpcEncoderProbe, embedder: FakeEmbedder
) -> None:
    embedder.refusals = [FailedPrecondition("q2 is being loaded here: ask again in a moment")] * 2
    await try_version(probe, "query-encoder", "q2", patience=5)
    assert len(embedder.requests) == 3


async def test_a_refusal_comes_back_with_its_reason(
    probe: GrpcEncoderProbe, embedder: FakeEmbedder
) -> None:
    embedder.refusals = [FailedPrecondition("model.safetensors has another digest")] * 100
    with pytest.raises(FailedPrecondition, match=r"live stays: model.safetensors has another dig"):
        await try_version(probe, "query-encoder", "q2", patience=0.3)


async def test_nobody_there_is_unavailable_and_soon(unused_tcp_port: int) -> None:
    async with channel(f"127.0.0.1:{unused_tcp_port}") as nowhere:
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await GrpcEncoderProbe(nowhere, seconds=2).try_version("query-encoder", "q2")
