"""The best that zero-shot can do: weights of the two legs, tuned on the train questions."""

import asyncio
from collections.abc import Mapping, Sequence

from gyre.retriever.v1 import retriever_pb2
from gyre_cli.demo.corpus import DemoQuestion
from gyre_cli.demo.measures import Rankings, ndcg, rankings, retrieve
from gyre_client import AsyncClient
from gyre_client.submission import in_turns
from gyre_common.events.releases import Roles
from gyre_common.rpc.metadata import VERSIONS, format_versions

GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
LEGS = ("bm25", "dense")


async def with_versions(
    system: AsyncClient,
    questions: Sequence[DemoQuestion],
    versions: Mapping[str, str],
    among: Sequence[str] = (),
) -> Rankings:
    """What those versions find, of all documents or of those named."""
    pinned = system.with_caller(metadata=((VERSIONS, format_versions(versions)),))
    return await rankings(pinned, questions, lambda _: None, among=among)


async def tune_weights(system: AsyncClient, train: Sequence[DemoQuestion]) -> tuple[float, str]:
    """The best share of the dense leg on train, and a retrieval version that has it."""
    replies: dict[str, retriever_pb2.RetrieveResponse] = {}

    async def one(question: DemoQuestion) -> None:
        replies[question.question_id] = await retrieve(system, question.text, limit=100)

    await in_turns(train, one, 4)
    best_weight = await asyncio.to_thread(_best, train, replies)
    version = f"tuned-{round(100 * best_weight)}"
    await system.releases.register(
        Roles.RETRIEVAL,
        version,
        {"bm25_weight": f"{1 - best_weight:.2f}", "dense_weight": f"{best_weight:.2f}"},
        based_on="hybrid-1",
        reason="bench.loop: zero-shot at its best",
        tenant=system.caller.tenant,
    )
    return best_weight, version


def _best(
    train: Sequence[DemoQuestion], replies: Mapping[str, retriever_pb2.RetrieveResponse]
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
