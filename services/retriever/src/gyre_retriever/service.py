"""Finds the passages that fit a query best."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from time import perf_counter

from gyre_common.context import RequestContext
from gyre_common.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from gyre_common.events.releases import Roles
from gyre_common.fusion import DENSE, Span
from gyre_common.releases import ReleaseView
from gyre_common.telemetry import METRICS

from gyre_retriever.plan import Plan, fallback_plans, plan_of
from gyre_retriever.ports import QueryEncoder, SearchIndex, SearchRequest, Vector
from gyre_retriever.query import Query, check
from gyre_retriever.ranking import RankedPassage, explore, fuse, spans, without_repeats

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
        stopwatch = _Stopwatch()
        fallbacks: list[str] = []
        with stopwatch.stage("encode"):
            plan, vector = await self._encode_query(query, context, fallbacks)
        with stopwatch.stage("search"):
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
        with stopwatch.stage("fuse"):
            ranked = without_repeats(fuse(result, plan.recipe))
            share = plan.recipe.exploration if query.explore else 0
            slots = len(ranked) if query.all_hits else limit
            chunks = explore(ranked, slots, share, self._rng)
        return Retrieved(chunks, stopwatch.stop(), plan.versions, fallbacks, spans(result))

    async def _encode_query(
        self, query: Query, context: RequestContext, fallbacks: list[str]
    ) -> tuple[Plan, Vector | None]:
        """The query's vector, and the versions that go with it."""
        first = plan_of(self._releases, context, sticky_key=query.text)
        is_pinned = Roles.QUERY_ENCODER in context.versions
        others = () if is_pinned else fallback_plans(self._releases, context, first)
        for plan in chain([first], others):
            try:
                return plan, await self._encoder.encode(query.text, plan.query_encoder)
            except FailedPrecondition as error:
                if is_pinned:
                    raise
                fallbacks.append(_encoder_fallback(plan.query_encoder, str(error)))
            except (Unavailable, DeadlineExceeded) as error:
                fallbacks.append(_leg_fallback(DENSE, str(error)))
                return plan, None
        fallbacks.append(_leg_fallback(DENSE, "no version of the query encoder can be served"))
        return first, None


def _encoder_fallback(version: str, problem: str) -> str:
    METRICS.fallbacks.labels(SERVICE, "version").inc()
    log.warning("query encoder not used", extra={"version": version, "why": problem})
    return f"query-encoder {version} not used: {problem}"


def _leg_fallback(leg: str, problem: str) -> str:
    METRICS.fallbacks.labels(SERVICE, leg).inc()
    log.warning("leg not searched", extra={"leg": leg, "why": problem})
    return f"searched without {leg}: {problem}"
