"""Questions are asked as their askers would, with versions named, and only whole answers count."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from gyre.retriever.v1 import retriever_pb2
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.fusion import Span
from gyre_trainer.recipes.query_encoder.live_search import Asker, search
from gyre_trainer.recipes.query_encoder.ranking import Legs
from gyre_trainer.recipes.query_encoder.report import Weights

TEA = Asker("acme", ("staff",), "Where is tea?")
VERSIONS = {"query-encoder": "q2", "document-encoder": "d1", "retrieval": "r1"}


def a_reply(**overrides: Any) -> retriever_pb2.RetrieveResponse:
    chunk = retriever_pb2.Chunk(chunk_id="a", score=0.5, scores={"bm25": 7.0, "fused": 0.5})
    leg = retriever_pb2.Leg(hits=50, least=1.0, greatest=9.0)
    return retriever_pb2.RetrieveResponse(**{"chunks": [chunk], "legs": {"bm25": leg}, **overrides})


class FakeRetrieve:
    """Gives its answers one after the other, the last one for ever."""

    def __init__(self, *answers: retriever_pb2.RetrieveResponse | Exception) -> None:
        self.answers: Sequence[retriever_pb2.RetrieveResponse | Exception] = answers
        self.requests: list[tuple[str, str, tuple[str, ...], dict[str, str], int]] = []

    async def __call__(
        self, request: retriever_pb2.RetrieveRequest, *, timeout: float
    ) -> retriever_pb2.RetrieveResponse:
        context = request_context()
        self.requests.append(
            (request.query, context.tenant, context.acl, dict(context.versions), request.all_hits)
        )
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def ignore_progress(done: int, of: int) -> None:
    """Nobody looks."""


async def searched(retrieve: FakeRetrieve, patience: float = 5.0) -> Mapping[str, Legs]:
    return await search(retrieve, {"q1": TEA}, VERSIONS, ignore_progress, patience=patience)


async def test_a_question_is_asked_with_its_askers_tenant_groups_and_the_named_versions() -> None:
    retrieve = FakeRetrieve(a_reply())
    legs = await searched(retrieve)
    assert retrieve.requests == [("Where is tea?", "acme", ("staff",), VERSIONS, True)]
    (hit,) = legs["q1"].hits
    assert (hit.chunk_id, hit.bm25, hit.dense, hit.fused) == ("a", 7.0, None, 0.5)
    assert legs["q1"].spans == {"bm25": Span(50, 1.0, 9.0)}


async def test_what_was_ranked_once_is_as_many_hits_as_it_was() -> None:
    """So that a vote on any of them counts, whichever is shown now."""
    twins = [retriever_pb2.Duplicate(chunk_id=each) for each in ("a", "c")]
    chunks = [
        retriever_pb2.Chunk(chunk_id="d", score=0.5, scores={"bm25": 7.0}, duplicates=twins),
        retriever_pb2.Chunk(chunk_id="b", score=0.1, scores={"bm25": 5.0}),
    ]
    spans = {"bm25": retriever_pb2.Leg(hits=50, least=1.0, greatest=9.0)}
    legs = (await searched(FakeRetrieve(a_reply(chunks=chunks, legs=spans))))["q1"]
    assert legs.order == ["a", "c", "d", "b"] == legs.ranked(Weights(bm25=1, dense=0))


async def test_the_same_question_of_the_same_asker_is_asked_once() -> None:
    retrieve = FakeRetrieve(a_reply())
    questions = {"q1": TEA, "q2": TEA, "q3": Asker("acme", (), "Where is tea?")}
    progress: list[tuple[int, int]] = []
    legs = await search(retrieve, questions, VERSIONS, lambda done, of: progress.append((done, of)))
    assert len(retrieve.requests) == 2
    assert set(legs) == {"q1", "q2", "q3"}
    assert progress == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    "first",
    [
        a_reply(fallbacks=["searched without dense: the embedder is slow"]),
        Unavailable("the retriever is away"),
        FailedPrecondition("q2 is being loaded here: ask again in a moment"),
    ],
    ids=["not whole", "away", "loading"],
)
async def test_what_is_not_a_whole_answer_is_asked_for_again(
    first: retriever_pb2.RetrieveResponse | Exception,
) -> None:
    retrieve = FakeRetrieve(first, a_reply())
    assert (await searched(retrieve))["q1"].order == ["a"]
    assert len(retrieve.requests) == 2


async def test_patience_ends() -> None:
    retrieve = FakeRetrieve(a_reply(fallbacks=["searched without dense"]))
    with pytest.raises(ExceptionGroup) as raised:
        await searched(retrieve, patience=0.0)
    assert isinstance(raised.value.exceptions[0], Unavailable)


async def test_what_was_shown_only_to_explore_is_no_part_of_the_ranking() -> None:
    chunks = [
        retriever_pb2.Chunk(chunk_id="x", explored=True),
        retriever_pb2.Chunk(chunk_id="a", scores={"bm25": 7.0}),
    ]
    legs = await searched(FakeRetrieve(a_reply(chunks=chunks)))
    assert legs["q1"].order == ["a"]
