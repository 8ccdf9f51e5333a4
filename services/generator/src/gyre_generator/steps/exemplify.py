"""Chooses the examples that the prompt shows, of those that its version has."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from gyre.retriever.v1 import retriever_pb2 as pb
from gyre_common.context import use_versions
from gyre_common.errors import GyreError
from gyre_common.events.releases import Artifact, Roles
from gyre_common.prompt_examples import PromptExample, example_settings
from gyre_common.telemetry import METRICS

from gyre_generator.backends import WindowedBackend
from gyre_generator.examples import ExampleSets, ShownExample, within_budget
from gyre_generator.progress import AnswerProgress, StepResult

_CANDIDATES = 100
_MOST_DOCUMENTS = 1_000

Readable = Callable[[pb.ReadableDocumentsRequest], Awaitable[pb.ReadableDocumentsResponse]]
"""The retriever's RPC: tenant, groups, versions and deadline of the context go along."""


async def exemplify(
    progress: AnswerProgress, *, sets: ExampleSets, readable: Readable
) -> AsyncGenerator[StepResult, None]:
    """The nearest to the question that this caller may see now, or none and why; nothing where the
    version has none, or what writes reads no prompt.

    Whether the caller may read what an example rests on is asked of the index, with tenant, groups
    and the request's filters in the query. Where that cannot be told, no example is shown; a call
    that names this version, to compare it with others, gets the error.
    """
    artifacts = progress.latest(lambda report: report.artifacts) or {}
    prompt, backend = (
        artifacts.get(Roles.ANSWER_PROMPT),
        progress.latest(lambda report: report.backend),
    )
    if prompt is None or prompt.uri is None or not isinstance(backend, WindowedBackend):
        return
    try:
        yield StepResult(examples=await _examples(progress, prompt, sets, readable))
    except GyreError as error:
        if Roles.ANSWER_PROMPT in progress.caller.versions:
            raise
        METRICS.fallbacks.labels("generator", "examples").inc()
        yield StepResult(fallbacks=(f"{Roles.ANSWER_PROMPT}: no examples: {error}",))


async def _examples(
    progress: AnswerProgress, prompt: Artifact, sets: ExampleSets, readable: Readable
) -> tuple[ShownExample, ...]:
    settings = example_settings(prompt)
    if settings is None:
        return ()
    async with sets.use(prompt) as examples:
        nearest = [
            example
            for example in examples.nearest(progress.ask.query(), most=_CANDIDATES)
            if example.tenant == progress.caller.tenant
        ]
    document_ids = _documents_of(nearest)
    if not document_ids:
        return ()
    request = pb.ReadableDocumentsRequest(document_ids=document_ids, filters=progress.ask.filters)
    resolved = progress.resolved
    with use_versions(resolved.versions, resolved.arms):
        reply = await readable(request)
    groups = {each.document_id: tuple(each.acl.groups) for each in reply.documents}
    return within_budget(nearest, groups, tokens=settings.example_tokens)


def _documents_of(examples: Sequence[PromptExample]) -> list[str]:
    """As many as may be asked about at once: those behind them count as not readable."""
    ids = dict.fromkeys(document for each in examples for document in each.documents)
    return list(ids)[:_MOST_DOCUMENTS]
