"""Query encoders change under the retriever and the embedder as they really talk: no call fails."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from random import Random
from uuid import UUID

import pytest
from gyre_common.chunk_index import IndexedChunk
from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS
from gyre_common.rpc import channel, serve
from gyre_embedder.encoders import Encoders
from gyre_embedder.rpc import EmbedderRpc
from gyre_retriever.grpc_query_encoder import GrpcQueryEncoder
from gyre_retriever.query import Query
from gyre_retriever.service import Retrieved, Retriever

from tests.builders import a_release, an_artifact
from tests.fakes.chunk_index import StoredChunk
from tests.fakes.embedder import HashEncoder, MemoryModels
from tests.fakes.retriever import MemorySearch

VERSIONS = ("q-1", "q-2", "q-3")
QUERY = Roles.QUERY_ENCODER
_SECONDS = 4.0
"""For one vector: half of it is waited out where a load takes long, and a busy machine needs it."""


class Room:
    """A retriever and an embedder that follow the same releases, with one passage to find."""

    def __init__(self, retriever: Retriever, models: MemoryModels, releases: ReleaseView) -> None:
        self.retriever = retriever
        self.models = models
        self._releases = releases
        self._generation = count(1)

    def promote(self, live: str, *before: str) -> None:
        """The encoder, and the weights that were fitted to it: one change after the other."""
        settings = dict(RETRIEVAL_SETTINGS)
        encoders = tuple(an_artifact(each, fits="d") for each in VERSIONS)
        recipes = tuple(
            an_artifact(f"for-{each}", settings=settings, fits=each) for each in VERSIONS
        )
        generation = next(self._generation)
        for role, prefix, artifacts in (
            (QUERY, "", encoders),
            (Roles.RETRIEVAL, "for-", recipes),
        ):
            self._releases.apply(
                a_release(
                    role,
                    live=prefix + live,
                    history=tuple(prefix + each for each in before),
                    artifacts=artifacts,
                    generation=generation,
                )
            )

    async def ask(self, text: str, version: str = "") -> Retrieved:
        context = RequestContext(versions={QUERY: version} if version else {})
        return await self.retriever.retrieve(Query(text), context)


@asynccontextmanager
async def following(encoders: Encoders) -> AsyncIterator[None]:
    task = asyncio.create_task(encoders.follow_releases())
    yield
    task.cancel()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    releases, models, index = ReleaseView(), MemoryModels(), MemorySearch()
    chunk = IndexedChunk(
        tenant="default",
        document_id="tea",
        chunk_id=UUID(int=1),
        revision=1,
        ordinal=0,
        text="tea",
        start=0,
        end=3,
    )
    index.chunks.by_index["chunks-1"][chunk.chunk_id] = StoredChunk(chunk, (0.5,) * 8)
    documents = (an_artifact("d", index="chunks-1"),)
    releases.apply(a_release(Roles.DOCUMENT_ENCODER, live="d", artifacts=documents))
    async with (
        Encoders(models, releases, most_bytes=100) as encoders,
        serve([EmbedderRpc(encoders)]) as server,
        channel(f"127.0.0.1:{server.port}") as to_embedder,
    ):
        await server.set_serving(True)
        encoder = GrpcQueryEncoder(to_embedder, seconds=_SECONDS, cache_size=0)
        room = Room(Retriever(index, encoder, releases, Random(1)), models, releases)
        room.promote("q-1")
        await encoders.hold()
        async with following(encoders):
            yield room


async def test_no_call_fails_and_weights_go_with_their_encoder_while_versions_change(
    room: Room,
) -> None:
    replies: list[Retrieved] = []

    async def ask(times: Iterable[int]) -> None:
        for _ in times:
            replies.append(await room.ask(f"tea {len(replies)}"))

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(count())) for _ in range(4)]
        for live, before in (("q-2", "q-1"), ("q-3", "q-2"), ("q-2", "q-3"), ("q-1", "q-2")) * 3:
            room.promote(live, before)
            await ask(range(10))
        for task in asking:
            task.cancel()

    assert {reply.versions[QUERY] for reply in replies} == set(VERSIONS)
    assert not [reply.fallbacks for reply in replies if reply.fallbacks]
    for reply in replies:
        assert reply.versions[Roles.RETRIEVAL] == f"for-{reply.versions[QUERY]}"


async def test_a_version_that_takes_long_to_load_is_not_waited_for(room: Room) -> None:
    room.models.available.clear()
    room.promote("q-2", "q-1")
    reply = await room.ask("tea")
    assert reply.versions[QUERY] == "q-1"
    assert reply.chunks[0].scores.keys() == {"bm25", "dense", "fused"}
    assert "is being loaded" in reply.fallbacks[0]
    room.models.available.set()


async def test_a_version_that_cannot_be_loaded_gives_way_unless_it_was_asked_for(
    room: Room,
) -> None:
    room.models.broken["q-2"] = FailedPrecondition("no weights")
    room.models.encoders["q-3"] = HashEncoder()
    room.promote("q-2", "q-1")
    assert (await room.ask("tea")).versions[QUERY] == "q-1"
    with pytest.raises(FailedPrecondition, match="no weights"):
        await room.ask("tea", version="q-2")
    assert (await room.ask("tea", version="q-3")).versions[QUERY] == "q-3"
