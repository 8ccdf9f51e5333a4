from collections.abc import AsyncIterator

import grpc.aio
import pytest
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.releases import ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_common.rpc import channel, serve
from gyre_embedder.encoders import Encoders
from gyre_embedder.rpc import EmbedderRpc
from gyre_retriever.grpc_query_encoder import GrpcQueryEncoder

from tests.builders import a_release, an_artifact
from tests.fakes.embedder import HashEncoder, MemoryModels

ENCODER = HashEncoder()


@pytest.fixture
def releases() -> ReleaseView:
    view = ReleaseView()
    view.apply(a_query_encoder("q-1", generation=1))
    return view


def a_query_encoder(version: str, *, generation: int) -> ReleaseChanged:
    artifacts = (an_artifact(version),)
    return a_release(Roles.QUERY_ENCODER, live=version, artifacts=artifacts, generation=generation)


@pytest.fixture
async def embedder(releases: ReleaseView) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the embedder's real RPC edge, over an encoder that needs no weights."""
    async with (
        Encoders(MemoryModels({"q-1": ENCODER}), releases, most_bytes=100) as encoders,
        serve([EmbedderRpc(encoders)]) as server,
    ):
        await encoders.hold()
        ENCODER.encoded_texts.clear()
        await server.set_serving(True)
        async with channel(f"127.0.0.1:{server.port}") as opened:
            yield opened


def query_encoder(opened: grpc.aio.Channel, cache_size: int = 2) -> GrpcQueryEncoder:
    return GrpcQueryEncoder(opened, seconds=2, cache_size=cache_size)


async def test_a_query_becomes_the_vector_that_the_encoder_made(
    embedder: grpc.aio.Channel,
) -> None:
    vector = await query_encoder(embedder).encode("tea", "q-1")
    assert len(vector) == ENCODER.dimensions
    assert sum(value * value for value in vector) == pytest.approx(1)


async def test_what_was_asked_lately_is_not_asked_again(embedder: grpc.aio.Channel) -> None:
    encoder = query_encoder(embedder)
    for text in ("a", "b", "a", "c", "a", "b"):
        await encoder.encode(text, "q-1")
    assert [text for text, _ in ENCODER.encoded_texts] == ["a", "b", "c", "b"]


async def test_a_version_that_is_not_loaded_there_is_a_failed_precondition(
    embedder: grpc.aio.Channel,
) -> None:
    with pytest.raises(FailedPrecondition, match="q-2"):
        await query_encoder(embedder).encode("tea", "q-2")


async def test_a_version_that_was_refused_is_asked_for_again_a_moment_later(
    embedder: grpc.aio.Channel, releases: ReleaseView
) -> None:
    now = [0.0]
    encoder = GrpcQueryEncoder(embedder, seconds=2, cache_size=2, clock=lambda: now[0])
    with pytest.raises(FailedPrecondition, match="q-2"):
        await encoder.encode("tea", "q-2")
    releases.apply(a_query_encoder("q-2", generation=2))
    with pytest.raises(FailedPrecondition, match="q-2"):
        await encoder.encode("tea", "q-2")
    now[0] = 1.0
    assert len(await encoder.encode("tea", "q-2")) == ENCODER.dimensions


async def test_an_embedder_that_is_down_is_unavailable() -> None:
    async with channel("127.0.0.1:9") as nowhere:
        with pytest.raises(Unavailable):
            await query_encoder(nowhere).encode("tea", "q-1")
