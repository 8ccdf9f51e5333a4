"""The best that zero-shot can do: weights of the two legs, tuned on the train questions."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gyre.releases.v1 import releases_pb2
from gyre.retriever.v1 import retriever_pb2
from gyre_cli.demo.corpus import Question
from gyre_cli.demo.measures import Rankings, ndcg, rankings, retrieve
from gyre_cli.demo.releasing import ACTOR
from gyre_cli.demo.system import System
from gyre_cli.demo.turns import in_turns
from gyre_common.context import request_context, use_context
from gyre_common.events.releases import Roles
from gyre_common.rpc import call

GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
LEGS = ("bm25", "dense")


async def with_versions(
    system: System,
    questions: Sequence[Question],
    versions: Mapping[str, str],
    among: Sequence[str] = (),
) -> Rankings:
    """What those versions find, of all documents or of those named."""
    with use_context(replace(request_context(), versions=versions)):
        return await rankings(system.retriever, questions, lambda: None, among=among)


async def tuned(system: System, train: Sequence[Question]) -> tuple[float, str]:
    """The best share of the dense leg on train, and a retrieval version that has it."""
    replies: dict[str, retriever_pb2.RetrieveResponse] = {}

    async def one(question: Question) -> None:
        replies[question.question_id] = await retrieve(system.retriever, question.text, limit=100)

    await in_turns(train, one, 4)
    found = await asyncio.to_thread(_best, train, replies)
    version = f"tuned-{round(100 * found)}"
    await call(
        system.releases.RegisterVersion,
        releases_pb2.RegisterVersionRequest(
            role=Roles.RETRIEVAL,
            version=version,
            based_on="hybrid-1",
            settings={"bm25_weight": f"{1 - found:.2f}", "dense_weight": f"{found:.2f}"},
            reason="bench.loop: zero-shot at its best",
            actor=ACTOR,
            tenant=system.tenant,
        ),
    )
    return found, version


def _best(
    train: Sequence[Question], replies: Mapping[str, retriever_pb2.RetrieveResponse]
) -> float:
    def quality(share: float) -> float:
        return sum(ndcg(_fused(replies[q.question_id], share), q.relevant) for q in train)

    return max(GRID, key=quality)


def _fused(reply: retriever_pb2.RetrieveResponse, share: float) -> tuple[str, ...]:
    """Documents by the weighted sum of their passages' normalised scores."""
    weights = dict(zip(LEGS, (1 - share, share), strict=True))
    points: dict[str, float] = {}
    for chunk in reply.chunks:
        score = 0.0
        for leg, weight in weights.items():
            if leg in chunk.scores:
                span = reply.legs[leg]
                width = span.greatest - span.least
                score += weight * ((chunk.scores[leg] - span.least) / width if width else 1.0)
        points[chunk.document_id] = max(score, points.get(chunk.document_id, 0.0))
    return tuple(sorted(points, key=lambda key: (-points[key], key)))
