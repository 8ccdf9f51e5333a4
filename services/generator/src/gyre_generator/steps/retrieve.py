"""Finds passages with the versions of the request, through the retriever's RPC."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from google.protobuf.json_format import MessageToDict
from gyre.retriever.v1 import retriever_pb2 as pb
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.context import use_versions
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_common.rpc import call
from gyre_common.telemetry import METRICS

from gyre_generator.passages import RetrievedPassage, RetrievedPassages
from gyre_generator.progress import AnswerProgress, StepResult

_PARTS = ("encode", "search")

Search = Callable[[pb.RetrieveRequest], Awaitable[RetrievedPassages]]
"""Finds passages, with the versions of the request's context.

Raises FailedPrecondition when it lacks a version, Unavailable when it is down.
"""


async def retrieve(
    progress: AnswerProgress, *, search: Search, limit: int
) -> AsyncGenerator[StepResult, None]:
    """With the resolved versions; with the retriever's own where it lacks one of them."""
    ask, resolved = progress.ask, progress.resolved
    # Who asks for versions wants to see what they find, and nothing to vote on beside it.
    explore = not progress.caller.versions
    request = pb.RetrieveRequest(
        query=ask.query(), limit=limit, filters=ask.filters, explore=explore
    )
    try:
        with use_versions(resolved.versions, resolved.arms):
            retrieved = await search(request)
    except FailedPrecondition as error:
        METRICS.fallbacks.labels("generator", "version").inc()
        yield StepResult(fallbacks=(f"retriever: its live versions instead: {error}",))
        # The other roles stay named: a request that names versions is not drawn again.
        others = resolved.without(FITTED_ROLES)
        with use_versions(others.versions, others.arms):
            retrieved = await search(request)
    yield StepResult(
        retrieved=retrieved,
        versions=retrieved.versions,
        fallbacks=tuple(retrieved.fallbacks),
        latency_ms={n: retrieved.latency_ms[n] for n in _PARTS if n in retrieved.latency_ms},
    )


async def search_by_rpc(
    request: pb.RetrieveRequest, *, stub: RetrieverServiceStub, seconds: float
) -> RetrievedPassages:
    """Tenant, groups, versions and deadline go along. Raises what the retriever raised."""
    reply = await call(stub.Retrieve, request, timeout=seconds)
    return RetrievedPassages(
        passages=tuple(_passage(chunk, rank) for rank, chunk in enumerate(reply.chunks, start=1)),
        latency_ms=dict(reply.latency_ms),
        versions=dict(reply.versions),
        fallbacks=tuple(reply.fallbacks),
    )


def _passage(chunk: pb.Chunk, rank: int) -> RetrievedPassage:
    fields = MessageToDict(chunk, preserving_proto_field_name=True)
    if "acl" in fields:
        fields["acl"] = fields["acl"].get("groups", ())
    try:
        return RetrievedPassage.model_validate({"text": "", **fields, "rank": rank})
    except ValueError as error:
        raise Unavailable(f"the retriever sent a malformed chunk {chunk.chunk_id!r}") from error
