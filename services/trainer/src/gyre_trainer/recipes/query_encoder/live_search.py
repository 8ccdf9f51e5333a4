"""Asks the live retriever the questions of a data set, with versions named and raw scores kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import Unavailable
from gyre_common.events.releases import Roles
from gyre_common.fusion import BM25, DENSE, Span
from gyre_common.rpc import call, channel

from gyre_trainer.recipes.query_encoder.ranking import LegHit, Legs
from gyre_trainer.runs.failures import NOT_YET, retry_while_away
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings

Retrieve = Callable[..., Awaitable[retriever_pb2.RetrieveResponse]]

_AT_ONCE = 4
_REPORT_EVERY = 10
_TIMEOUT = 10.0
_PATIENCE = 60.0


@dataclass(frozen=True)
class Asker:
    """A question as its asker put it: what it may see depends on tenant and groups."""

    tenant: str
    acl: tuple[str, ...]
    text: str


async def ask_live(
    folder: RunFolder,
    settings: TrainerSettings,
    questions: Mapping[str, Asker],
    *,
    stage: str,
    message: str,
    candidate: bool = False,
) -> dict[str, Legs]:
    """`search` by what was live when the run began, or with the candidate as query encoder."""
    spec = folder.spec()
    versions = {role: artifact.version for role, artifact in spec.live.items()}
    if candidate:
        versions[Roles.QUERY_ENCODER.value] = spec.version

    def on_progress(done: int, of: int) -> None:
        if done % _REPORT_EVERY == 0 or done == of:
            folder.progress(stage, done, of, message=message)

    async with channel(settings.retriever_address, key=settings.key) as opened:
        retrieve = retriever_pb2_grpc.RetrieverServiceStub(opened).Retrieve
        return await search(retrieve, questions, versions, on_progress)


async def search(
    retrieve: Retrieve,
    questions: Mapping[str, Asker],
    versions: Mapping[str, str],
    on_progress: Callable[[int, int], None],
    *,
    patience: float = _PATIENCE,
) -> dict[str, Legs]:
    """By question id, all that either leg found by the same named versions, as deep as live
    searches: so scores are normalised as they are when it serves. The same question of the same
    asker is asked once. Raises Unavailable when it was not served whole within `patience` seconds,
    FailedPrecondition when a version is not there or cannot be loaded.
    """
    distinct = list(dict.fromkeys(questions.values()))
    legs_by_asker: dict[Asker, Legs] = {}
    queue = iter(distinct)

    async def work() -> None:
        for asker in queue:
            context = RequestContext(tenant=asker.tenant, acl=asker.acl, versions=dict(versions))
            with use_context(context):
                legs_by_asker[asker] = await retry_while_away(
                    partial(_retrieved, retrieve, asker.text), seconds=patience, over=NOT_YET
                )
            on_progress(len(legs_by_asker), len(distinct))

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    return {question_id: legs_by_asker[asker] for question_id, asker in questions.items()}


async def _retrieved(retrieve: Retrieve, text: str) -> Legs:
    request = retriever_pb2.RetrieveRequest(query=text, all_hits=True)
    reply = await call(retrieve, request, timeout=_TIMEOUT)
    if reply.fallbacks:
        raise Unavailable(f"the retriever did not search as asked: {'; '.join(reply.fallbacks)}")
    # What was ranked once is as many hits as it was: any of them may be what somebody judged.
    hits = [
        LegHit(chunk_id, chunk.scores.get(BM25), chunk.scores.get(DENSE), chunk.score)
        for chunk in reply.chunks
        if not chunk.explored
        for chunk_id in (chunk.chunk_id, *(each.chunk_id for each in chunk.duplicates))
    ]
    return Legs(
        hits=sorted(hits, key=lambda hit: (-hit.fused, hit.chunk_id)),
        spans={name: Span(leg.hits, leg.least, leg.greatest) for name, leg in reply.legs.items()},
    )
