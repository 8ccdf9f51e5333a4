"""Asks the live retriever the questions of a data set, with versions named and raw scores kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gyre.retriever.v1 import retriever_pb2
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import Unavailable
from gyre_common.fusion import BM25, DENSE, Span
from gyre_common.rpc import call

from gyre_trainer.recipes.query_encoder.comparison.ranking import LegHit, Legs
from gyre_trainer.runs.failures import NOT_YET, retry_while_away
from gyre_trainer.runs.folder import RunSpec

Retrieve = Callable[..., Awaitable[retriever_pb2.RetrieveResponse]]
OnProgress = Callable[[int, int], None]
"""How many of how many questions are answered."""

_TIMEOUT = 10.0
_PATIENCE = 60.0


@dataclass(frozen=True)
class Asker:
    """A question as its asker put it: what it may see depends on tenant and groups."""

    tenant: str
    acl: tuple[str, ...]
    text: str


class LiveSearch:
    """Retrieves with the same named versions for all questions, a few at a time.

    Each reply holds all that either leg found, searched as deep as live searches: so its scores are
    normalised as they are when it serves, and fusing them by other weights loses nothing.
    A retriever that is away or busy is waited for, up to `patience` seconds a question, and so is
    an encoder that is still being loaded.
    """

    def __init__(
        self,
        retrieve: Retrieve,
        versions: Mapping[str, str],
        *,
        at_once: int = 4,
        patience: float = _PATIENCE,
    ) -> None:
        self._retrieve = retrieve
        self._versions = dict(versions)
        self._at_once = at_once
        self._patience = patience

    async def legs(
        self, questions: Mapping[str, Asker], on_progress: OnProgress
    ) -> dict[str, Legs]:
        """By question id. The same question of the same asker is asked once.

        Raises:
            Unavailable: the retriever did not serve it whole within its patience.
            FailedPrecondition: a version is not there, or cannot be loaded.
        """
        distinct = list(dict.fromkeys(questions.values()))
        legs_by_asker: dict[Asker, Legs] = {}
        queue = iter(distinct)

        async def work() -> None:
            for asker in queue:
                legs_by_asker[asker] = await self._ask(asker)
                on_progress(len(legs_by_asker), len(distinct))

        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(work())
        return {question_id: legs_by_asker[asker] for question_id, asker in questions.items()}

    async def _ask(self, asker: Asker) -> Legs:
        context = RequestContext(tenant=asker.tenant, acl=asker.acl, versions=self._versions)
        request = retriever_pb2.RetrieveRequest(query=asker.text, all_hits=True)

        async def ask() -> Legs:
            with use_context(context):
                reply = await call(self._retrieve, request, timeout=_TIMEOUT)
            _check_whole(reply)
            return _legs(reply)

        return await retry_while_away(ask, seconds=self._patience, over=NOT_YET)


def _check_whole(reply: retriever_pb2.RetrieveResponse) -> None:
    if reply.fallbacks:
        raise Unavailable(f"the retriever did not search as asked: {'; '.join(reply.fallbacks)}")


def _legs(reply: retriever_pb2.RetrieveResponse) -> Legs:
    return Legs(
        hits=[
            LegHit(
                chunk_id=chunk.chunk_id,
                bm25=chunk.scores.get(BM25),
                dense=chunk.scores.get(DENSE),
                fused=chunk.score,
            )
            for chunk in reply.chunks
            if not chunk.explored
        ],
        spans={name: Span(leg.hits, leg.least, leg.greatest) for name, leg in reply.legs.items()},
    )


def live_versions(spec: RunSpec) -> dict[str, str]:
    """By role, what was live when the run began."""
    return {role: artifact.version for role, artifact in spec.live.items()}
