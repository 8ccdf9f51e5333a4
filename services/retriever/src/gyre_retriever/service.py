"""Finds the passages that fit a query best."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from gyre_common.context import RequestContext
from gyre_common.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases import ReleaseView
from gyre_common.telemetry import METRICS

from gyre_retriever.fusion import DENSE, Ranked, fuse, without_repeats
from gyre_retriever.query import Query, check
from gyre_retriever.query_encoder import QueryEncoder, Vector
from gyre_retriever.recipe import Recipe, recipe_of
from gyre_retriever.search_index import Reach, Search, SearchIndex

log = logging.getLogger(__name__)

SERVICE = "retriever"
ROLES = (Roles.QUERY_ENCODER, Roles.DOCUMENT_ENCODER, Roles.RETRIEVAL)


@dataclass(frozen=True)
class Retrieved:
    """Passages, best first; milliseconds by stage; the version of each role that served this."""

    chunks: Sequence[Ranked]
    latency_ms: Mapping[str, float]
    versions: Mapping[str, str]
    fallbacks: Sequence[str]


@dataclass(frozen=True)
class _Plan:
    """The versions of one request, and what follows from them."""

    versions: Mapping[str, str]
    recipe: Recipe
    index: str


@dataclass
class _Stopwatch:
    started: float = field(default_factory=perf_counter)
    latency_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self._note(name, perf_counter() - began)

    def stop(self) -> Mapping[str, float]:
        self._note("total", perf_counter() - self.started)
        return self.latency_ms

    def _note(self, name: str, seconds: float) -> None:
        self.latency_ms[name] = round(seconds * 1000, 3)
        METRICS.stage_seconds.labels(SERVICE, name).observe(seconds)


class Retriever:
    """Searches words and meaning at once, within what the caller may read, and fuses the two."""

    def __init__(self, index: SearchIndex, encoder: QueryEncoder, releases: ReleaseView) -> None:
        self._index = index
        self._encoder = encoder
        self._releases = releases

    async def retrieve(self, query: Query, context: RequestContext) -> Retrieved:
        """Find passages. Without the query encoder it searches by words only, and says so.

        Raises:
            InvalidInput: the query breaks the contract.
            FailedPrecondition: a version of the request is not here, or not at the embedder's.
            Unavailable: the index is down.
        """
        limit = check(query)
        watch = _Stopwatch()
        plan = self._plan(query, context)
        fallbacks: list[str] = []
        with watch.stage("encode"):
            vector = await self._encode(query, plan, fallbacks)
        with watch.stage("search"):
            found = await self._index.search(
                Search(
                    index=plan.index,
                    text=query.text,
                    vector=vector,
                    reach=Reach(context.tenant, context.acl, query.filters),
                    candidates=max(plan.recipe.candidates, limit),
                    title_boost=plan.recipe.title_boost,
                    heading_boost=plan.recipe.heading_boost,
                )
            )
        fallbacks += [_without(leg, problem) for leg, problem in found.problems.items()]
        with watch.stage("fuse"):
            chunks = without_repeats(fuse(found, plan.recipe), limit)
        return Retrieved(chunks, watch.stop(), plan.versions, fallbacks)

    def _plan(self, query: Query, context: RequestContext) -> _Plan:
        given = self._releases.for_request(context, sticky_key=query.text).versions
        chosen = {role: self._version(role, given, context.tenant) for role in ROLES}
        query_encoder = chosen[Roles.QUERY_ENCODER]
        # The query encoder decides: its vectors only mean something beside those that it fits.
        fits = query_encoder.fits or chosen[Roles.DOCUMENT_ENCODER].version
        document_encoder = self._releases.artifact(Roles.DOCUMENT_ENCODER, fits)
        if document_encoder.index is None:
            raise FailedPrecondition(f"document-encoder {fits} names no index")
        return _Plan(
            versions={
                Roles.QUERY_ENCODER: query_encoder.version,
                Roles.DOCUMENT_ENCODER: document_encoder.version,
                Roles.RETRIEVAL: chosen[Roles.RETRIEVAL].version,
            },
            recipe=recipe_of(chosen[Roles.RETRIEVAL]),
            index=document_encoder.index,
        )

    def _version(self, role: Roles, given: Mapping[str, str], tenant: str) -> Artifact:
        if role in given:
            return self._releases.artifact(role, given[role])
        return self._releases.live(tenant, role)

    async def _encode(self, query: Query, plan: _Plan, fallbacks: list[str]) -> Vector | None:
        try:
            return await self._encoder.encode(query.text, plan.versions[Roles.QUERY_ENCODER])
        except (Unavailable, DeadlineExceeded) as error:
            log.warning("searching by words only", extra={"why": str(error)})
            fallbacks.append(_without(DENSE, str(error)))
            return None


def _without(leg: str, problem: str) -> str:
    METRICS.fallbacks.labels(SERVICE, leg).inc()
    return f"searched without {leg}: {problem}"
