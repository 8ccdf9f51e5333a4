"""An experiment's rows say which version answered, through the retriever as it is."""

from collections.abc import Iterator
from random import Random
from uuid import UUID, uuid4

import pytest
from gyre.retriever.v1.retriever_pb2 import Chunk, RetrieveRequest, RetrieveResponse
from gyre_common.chunk_index import IndexedChunk
from gyre_common.context import RequestContext, request_context, use_context
from gyre_common.events.interactions import InteractionCompleted
from gyre_common.events.releases import Canary, Roles
from gyre_common.releases import Arm, ReleaseView
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS, built_in_artifacts
from gyre_generator.ask import Ask
from gyre_generator.service import Answerer
from gyre_retriever.query import Query
from gyre_retriever.service import Retriever

from tests.builders import MORNING, a_release, an_artifact
from tests.fakes.bus import MemoryBus
from tests.fakes.chunk_index import StoredChunk
from tests.fakes.retriever import FixedEncoder, MemorySearch
from tests.unit.generator.conftest import steps_of

QUESTION = "How hot should the water for green tea be?"
TEA = "Water for green tea should be about 80 degrees Celsius."
SIDES = {
    Roles.QUERY_ENCODER: {Arm.LIVE: "q-1", Arm.CANARY: "q-2"},
    Roles.RETRIEVAL: {Arm.LIVE: "hybrid-1", Arm.CANARY: "hybrid-2"},
}


class InMemoryRetriever:
    """The retriever's own core behind the generator's port: a call without the network."""

    def __init__(self, core: Retriever) -> None:
        self._core = core

    async def search(self, request: RetrieveRequest) -> RetrieveResponse:
        query = Query(request.query, request.limit)
        reply = await self._core.retrieve(query, request_context())
        chunks = [ranked.chunk for ranked in reply.chunks]
        return RetrieveResponse(
            chunks=[
                Chunk(chunk_id=str(chunk.chunk_id), document_id=chunk.document_id, text=TEA)
                for chunk in chunks
            ],
            latency_ms=reply.latency_ms,
            versions=reply.versions,
            fallbacks=reply.fallbacks,
        )


@pytest.fixture
def view() -> ReleaseView:
    """Two experiments, each on half of the conversations."""
    releases = ReleaseView()
    for role, artifact in built_in_artifacts(MORNING).items():
        releases.apply(a_release(role, live=artifact.version, artifacts=(artifact,)))
    documents = an_artifact("d-1", index="chunks-1")
    releases.apply(
        a_release(Roles.DOCUMENT_ENCODER, live="d-1", artifacts=(documents,), generation=2)
    )
    for role, sides in SIDES.items():
        settings = dict(RETRIEVAL_SETTINGS) if role is Roles.RETRIEVAL else {}
        fits = "d-1" if role is Roles.QUERY_ENCODER else None
        artifacts = tuple(an_artifact(v, settings=settings, fits=fits) for v in sides.values())
        canary = Canary(version=sides[Arm.CANARY], share=0.5)
        releases.apply(
            a_release(role, live=sides[Arm.LIVE], canary=canary, artifacts=artifacts, generation=2)
        )
    return releases


@pytest.fixture
def encoder() -> FixedEncoder:
    return FixedEncoder()


@pytest.fixture
def answerer(view: ReleaseView, encoder: FixedEncoder, bus: MemoryBus) -> Answerer:
    index = MemorySearch()
    chunk = IndexedChunk(
        tenant="default",
        document_id="tea.md",
        chunk_id=UUID(int=1),
        revision=1,
        ordinal=0,
        text=TEA,
        start=0,
        end=len(TEA),
    )
    index.chunks.by_index["chunks-1"][chunk.chunk_id] = StoredChunk(chunk, (1.0, 0.0))
    retriever = InMemoryRetriever(Retriever(index, encoder, view, Random(1)))
    return Answerer(steps_of(retriever.search, view), bus, view)


async def answers(answerer: Answerer, bus: MemoryBus) -> Iterator[InteractionCompleted]:
    """What is recorded of 40 conversations that begin with different questions."""
    for number in range(40):
        await answerer.answer(Ask(f"{QUESTION} {number}", conversation_id=str(uuid4())))
    return (event for _, event in bus.published if isinstance(event, InteractionCompleted))


def assert_arms_answered(event: InteractionCompleted) -> None:
    for role, arm in event.arms.items():
        assert event.versions[role] == SIDES[Roles(role)][Arm(arm)]


async def test_every_row_of_an_experiment_carries_the_arm_that_answered(
    answerer: Answerer, bus: MemoryBus, view: ReleaseView
) -> None:
    for event in await answers(answerer, bus):
        assert_arms_answered(event)
        assert event.arms == view.resolve("default", event.conversation_id).arms


async def test_a_canary_that_cannot_be_served_is_in_no_row(
    answerer: Answerer, bus: MemoryBus, encoder: FixedEncoder, view: ReleaseView
) -> None:
    encoder.refused = {"q-2"}
    drawn_arms = set()
    for event in await answers(answerer, bus):
        drawn = view.resolve("default", event.conversation_id).arms[Roles.QUERY_ENCODER]
        drawn_arms.add(drawn)
        assert event.versions[Roles.QUERY_ENCODER] == "q-1"
        assert event.arms.get(Roles.QUERY_ENCODER) == (None if drawn == Arm.CANARY else Arm.LIVE)
        assert_arms_answered(event)
    assert drawn_arms == {Arm.LIVE, Arm.CANARY}


async def test_the_versions_that_stand_in_are_live_and_not_drawn_again(
    answerer: Answerer, bus: MemoryBus, encoder: FixedEncoder, view: ReleaseView
) -> None:
    encoder.refused = {"q-2"}
    for event in await answers(answerer, bus):
        drawn = view.resolve("default", event.conversation_id)
        if drawn.arms[Roles.QUERY_ENCODER] == Arm.CANARY:
            assert event.versions[Roles.RETRIEVAL] == "hybrid-1"


async def test_arms_that_came_with_the_request_are_recorded(
    answerer: Answerer, bus: MemoryBus, view: ReleaseView
) -> None:
    drawn = view.resolve("default", "a conversation of the service before")
    with use_context(RequestContext(versions=drawn.versions, arms=drawn.arms)):
        for event in await answers(answerer, bus):
            assert (event.arms, event.versions[Roles.RETRIEVAL]) == (
                drawn.arms,
                drawn.versions[Roles.RETRIEVAL],
            )
