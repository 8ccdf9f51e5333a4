"""Finds passages with the versions of the request."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Protocol

from gyre_common.context import use_versions
from gyre_common.errors import FailedPrecondition
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_common.telemetry import METRICS

from gyre_generator.ask import DocumentFilters
from gyre_generator.passages import RetrievedPassages
from gyre_generator.progress import AnswerProgress, StepResult

_PARTS = ("encode", "search")


class PassageRetriever(Protocol):
    """Finds passages. It searches with the versions of the request's context.

    With `explore`, one of them may be there only so that people can vote on it.
    """

    async def retrieve(
        self, query: str, *, limit: int, filters: DocumentFilters, explore: bool
    ) -> RetrievedPassages:
        """Raises FailedPrecondition when it lacks a version, Unavailable when it is down."""


async def retrieve(
    progress: AnswerProgress, *, retriever: PassageRetriever, limit: int
) -> AsyncGenerator[StepResult, None]:
    """With the resolved versions; with the retriever's own where it lacks one of them."""
    ask, resolved = progress.ask, progress.resolved
    search = partial(
        retriever.retrieve,
        ask.query(),
        limit=limit,
        filters=ask.filters,
        # Who asks for versions wants to see what they find, and nothing else.
        explore=not progress.caller.versions,
    )
    try:
        with use_versions(resolved.versions, resolved.arms):
            retrieved = await search()
    except FailedPrecondition as error:
        METRICS.fallbacks.labels("generator", "version").inc()
        yield StepResult(fallbacks=(f"retriever: its live versions instead: {error}",))
        # The other roles stay named: a request that names versions is not drawn again.
        others = resolved.without(FITTED_ROLES)
        with use_versions(others.versions, others.arms):
            retrieved = await search()
    yield StepResult(
        retrieved=retrieved,
        versions=retrieved.versions,
        fallbacks=tuple(retrieved.fallbacks),
        latency_ms={n: retrieved.latency_ms[n] for n in _PARTS if n in retrieved.latency_ms},
    )
