"""Finds the passages that fit a query best."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from random import Random
from time import perf_counter

from gyre_common.context import RequestContext
from gyre_common.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from gyre_common.events.releases import Roles
from gyre_common.fusion import DENSE, Span
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import FITTED_ROLES, fits, vectors_of
from gyre_common.retrieval_settings import RetrievalSettings, retrieval_settings
from gyre_common.telemetry import METRICS

from gyre_retriever.ports import (
    DocumentsRequest,
    QueryEncoder,
    SearchIndex,
    SearchRequest,
    Vector,
)
from gyre_retriever.query import Filters, Query, check, check_documents
from gyre_retriever.ranking import RankedPassage, explore, fuse, spans
from gyre_retriever.repeats import without_repeats

log = logging.getLogger(__name__)

SERVICE = "retriever"


@dataclass(frozen=True)
class Retrieved:
    """Passages, best first; milliseconds by stage; the version of each role that served this; and
    how far the scores of each leg reached.
    """

    chunks: Sequence[RankedPassage]
    latency_ms: Mapping[str, float]
    versions: Mapping[str, str]
    fallbacks: Sequence[str]
    legs: Mapping[str, Span]


@dataclass(frozen=True)
class _Plan:
    """The versions of one request, and what follows from them."""

    versions: Mapping[str, str]
    recipe: RetrievalSettings
    index: str


class Retriever:
    """Searches words and meaning at once, within what the caller may read, and fuses the two."""

    def __init__(
        self, index: SearchIndex, encoder: QueryEncoder, releases: ReleaseView, rng: Random
    ) -> None:
        self._index = index
        self._encoder = encoder
        self._releases = releases
        self._rng = rng

    async def retrieve(self, query: Query, context: RequestContext) -> Retrieved:
        """Find passages, with the versions of the request.

        A query encoder that the request does not name itself, and that the embedder cannot serve
        (yet), gives way to the one that was live before. Without any, words alone are searched.
        `fallbacks` says so.

        Raises:
            InvalidInput: the query breaks the contract.
            FailedPrecondition: a version that the request names is not here, or not at the
                embedder's.
            Unavailable: the index is down.
        """
        limit = check(query)
        began = perf_counter()
        latency_ms: dict[str, float] = {}
        fallbacks: list[str] = []
        with _stage(latency_ms, "encode"):
            plan, vector = await self._encode_query(query, context, fallbacks)
        with _stage(latency_ms, "search"):
            result = await self._index.search(
                SearchRequest(
                    index=plan.index,
                    text=query.text,
                    vector=vector,
                    candidates=max(plan.recipe.candidates, limit),
                    tenant=context.tenant,
                    groups=context.acl,
                    filters=query.filters,
                    title_boost=plan.recipe.title_boost,
                    heading_boost=plan.recipe.heading_boost,
                )
            )
        fallbacks += [_leg_fallback(leg, problem) for leg, problem in result.problems.items()]
        with _stage(latency_ms, "fuse"):
            ranked = without_repeats(fuse(result, plan.recipe), plan.recipe.near_duplicates)
            share = plan.recipe.exploration if query.explore else 0
            slots = len(ranked) if query.all_hits else limit
            chunks = explore(ranked, slots, share, self._rng)
        _note(latency_ms, "total", began)
        return Retrieved(chunks, latency_ms, plan.versions, fallbacks, spans(result))

    async def readable_documents(
        self, document_ids: Sequence[str], filters: Filters, context: RequestContext
    ) -> Mapping[str, tuple[str, ...]]:
        """The groups of each of these documents that the caller may read now, within the filters;
        of the others nothing is said.

        Raises:
            InvalidInput: the request breaks the contract.
            FailedPrecondition: a version that the request names is not here.
            Unavailable: the index is down.
        """
        check_documents(document_ids, filters)
        plan = _plan_of(self._releases, context, sticky_key="")
        return await self._index.readable(
            DocumentsRequest(
                index=plan.index,
                document_ids=document_ids,
                tenant=context.tenant,
                groups=context.acl,
                filters=filters,
            )
        )

    async def _encode_query(
        self, query: Query, context: RequestContext, fallbacks: list[str]
    ) -> tuple[_Plan, Vector | None]:
        """The query's vector, and the versions that go with it."""
        first = _plan_of(self._releases, context, sticky_key=query.text)
        is_pinned = Roles.QUERY_ENCODER in context.versions
        others = () if is_pinned else _fallback_plans(self._releases, context, first)
        for plan in chain([first], others):
            version = plan.versions[Roles.QUERY_ENCODER]
            try:
                return plan, await self._encoder.encode(query.text, version)
            except FailedPrecondition as error:
                if is_pinned:
                    raise
                fallbacks.append(_encoder_fallback(version, str(error)))
            except (Unavailable, DeadlineExceeded) as error:
                fallbacks.append(_leg_fallback(DENSE, str(error)))
                return plan, None
        fallbacks.append(_leg_fallback(DENSE, "no version of the query encoder can be served"))
        return first, None


def _plan_of(releases: ReleaseView, context: RequestContext, sticky_key: str) -> _Plan:
    versions = releases.for_request(context, sticky_key).versions
    documents, queries, retrieval = (
        releases.artifact(role, versions[role])
        if role in versions
        else releases.live(context.tenant, role)
        for role in FITTED_ROLES
    )
    if not fits(queries, vectors_of(documents)):
        raise FailedPrecondition(
            f"query-encoder {queries.version} fits document-encoder {queries.fits}, not "
            f"{documents.version}"
        )
    if documents.index is None:
        raise FailedPrecondition(f"document-encoder {documents.version} names no index")
    return _Plan(
        versions={role: versions[role] for role in FITTED_ROLES},
        recipe=retrieval_settings(retrieval),
        index=documents.index,
    )


def _fallback_plans(releases: ReleaseView, context: RequestContext, plan: _Plan) -> Iterator[_Plan]:
    """Live in place of a canary, then what was live before: as far as they search the same index.

    Another index may hold documents that are gone by now, or hidden.
    """
    state = releases.state(context.tenant, Roles.QUERY_ENCODER)
    for version in (state.live, *state.history[:1]):
        if version == plan.versions[Roles.QUERY_ENCODER] or state.artifact(version) is None:
            continue
        versions = {**context.versions, Roles.QUERY_ENCODER: version}
        other = _plan_of(releases, replace(context, versions=versions), "")
        if other.index == plan.index:
            yield other


@contextmanager
def _stage(latency_ms: dict[str, float], stage: str) -> Iterator[None]:
    began = perf_counter()
    try:
        yield
    finally:
        _note(latency_ms, stage, began)


def _note(latency_ms: dict[str, float], stage: str, began: float) -> None:
    seconds = perf_counter() - began
    latency_ms[stage] = round(seconds * 1000, 3)
    METRICS.stage_seconds.labels(SERVICE, stage).observe(seconds)


def _encoder_fallback(version: str, problem: str) -> str:
    METRICS.fallbacks.labels(SERVICE, "version").inc()
    log.warning("query encoder not used", extra={"version": version, "why": problem})
    return f"query-encoder {version} not used: {problem}"


def _leg_fallback(leg: str, problem: str) -> str:
    METRICS.fallbacks.labels(SERVICE, leg).inc()
    log.warning("leg not searched", extra={"leg": leg, "why": problem})
    return f"searched without {leg}: {problem}"
