"""Asks the retriever for passages."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from google.protobuf.json_format import MessageToDict
from gyre.retriever.v1 import retriever_pb2 as pb
from gyre_common.context import use_versions
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_common.telemetry import METRICS

from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import AnswerProgress, StepResult

_RETRIEVER_STAGES = ("encode", "search")
Search = Callable[[pb.RetrieveRequest], Awaitable[pb.RetrieveResponse]]
"""The retriever's RPC: tenant, groups, versions and deadline of the context go along. Raises
FailedPrecondition when it lacks a version, Unavailable when it is down.
"""


async def retrieve(
    progress: AnswerProgress, *, search: Search, limit: int
) -> AsyncGenerator[StepResult, None]:
    """With the resolved versions; with the retriever's own where it lacks one of them."""
    ask, resolved = progress.ask, progress.resolved
    request = pb.RetrieveRequest(query=ask.query(), limit=limit, filters=ask.filters)
    # Who asks for versions wants to see what they find, and nothing to vote on beside it.
    request.explore = not progress.caller.versions
    try:
        with use_versions(resolved.versions, resolved.arms):
            reply = await search(request)
    except FailedPrecondition as error:
        METRICS.fallbacks.labels("generator", "version").inc()
        yield StepResult(fallbacks=(f"retriever: its live versions instead: {error}",))
        # The other roles stay named: a request that names versions is not drawn again.
        others = resolved.without(FITTED_ROLES)
        with use_versions(others.versions, others.arms):
            reply = await search(request)
    yield StepResult(
        retrieved=tuple(_passage(chunk, rank) for rank, chunk in enumerate(reply.chunks, start=1)),
        versions=dict(reply.versions),
        fallbacks=tuple(reply.fallbacks),
        latency_ms={n: ms for n, ms in reply.latency_ms.items() if n in _RETRIEVER_STAGES},
    )


def _passage(chunk: pb.Chunk, rank: int) -> RetrievedPassage:
    fields = MessageToDict(chunk, preserving_proto_field_name=True)
    if "acl" in fields:
        fields["acl"] = fields["acl"].get("groups", ())
    try:
        return RetrievedPassage.model_validate({"text": "", **fields, "rank": rank})
    except ValueError as error:
        raise Unavailable(f"the retriever sent a malformed chunk {chunk.chunk_id!r}") from error
