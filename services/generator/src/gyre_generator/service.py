"""Answers a question from the indexed documents, and records it before it counts as answered."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

from gyre_common.context import request_context, use_versions
from gyre_common.errors import FailedPrecondition, GyreError, Unavailable
from gyre_common.events.event import derived_id
from gyre_common.events.interactions import INTERACTION_COMPLETED, InteractionCompleted, Outcome
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_common.telemetry import METRICS

from gyre_generator.asking import Ask, Filters
from gyre_generator.backends import Delta, Draft, Prompted, Task
from gyre_generator.citations import cite
from gyre_generator.guardrails import NO_PASSAGES, QUESTION, grounding
from gyre_generator.packing import pack
from gyre_generator.passages import Passage, Retrieved
from gyre_generator.routing import Route, Router
from gyre_generator.story import Story

log = logging.getLogger(__name__)

SERVICE = "generator"
NO_ANSWER = "The indexed documents do not seem to answer this."
_DRAIN_SECONDS = 10.0


class Retriever(Protocol):
    """Finds passages. It searches with the versions of the request's context.

    With `explore`, one of them may be there only so that people can vote on it.
    """

    async def retrieve(
        self, query: str, *, limit: int, filters: Filters, explore: bool
    ) -> Retrieved:
        """Raises FailedPrecondition when it lacks a version, Unavailable when it is down."""


class Record(Publisher, Protocol):
    """Where interactions are recorded."""

    def healthy(self) -> bool:
        """Whether an event that is published now has a chance."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read: passages asked for, and tokens of them that are packed."""

    passages: int = 10
    context_tokens: int = 3_000


@dataclass(frozen=True, slots=True)
class Started:
    """The question was let in."""

    interaction_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The interaction is safe; `record_ms` is what that took."""

    interaction: InteractionCompleted
    record_ms: float


class Answerer:
    """Question in, recorded answer out. Leaving `async with` waits for records under way."""

    def __init__(
        self,
        retriever: Retriever,
        releases: ReleaseView,
        router: Router,
        record: Record,
        bounds: Bounds,
    ) -> None:
        self._retriever = retriever
        self._releases = releases
        self._router = router
        self._record = record
        self._bounds = bounds
        self._recording: set[asyncio.Task[Finished]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._recording:
            await asyncio.wait(self._recording, timeout=_DRAIN_SECONDS)

    async def answer(self, ask: Ask) -> Finished:
        """The whole answer at once. Raises as `stream` does."""
        async with aclosing(self.stream(ask)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    return piece
        raise AssertionError("a stream ends with Finished or an error")

    async def stream(self, ask: Ask) -> AsyncGenerator[Started | Delta | Finished, None]:
        """`Started`, then the answer in pieces, then `Finished` once Kafka has the interaction.

        An answer that fails or is cancelled is recorded as such.

        Raises:
            InvalidInput: the question is out of bounds; nothing is recorded.
            Unavailable: Kafka, the retriever or the model server is not there, or nonsense came
                from it. Without Kafka nothing is even begun.
            FailedPrecondition: a version that was asked for is not here.
        """
        ask.check()
        if not self._record.healthy():
            raise Unavailable(
                "Kafka cannot be reached, and nothing is answered that cannot be recorded: start "
                "it, or check GYRE_KAFKA_SERVERS",
                retry_after_seconds=5.0,
            )
        caller = request_context()
        story = Story(ask, caller)
        keeping = False
        try:
            story.resolved = self._releases.for_request(caller, story.conversation_id)
            yield Started(str(story.interaction_id), story.conversation_id)
            async with aclosing(self._write(story)) as deltas:
                async for delta in deltas:
                    yield delta
            keeping = True
            yield await self._keep(story)
        except (asyncio.CancelledError, GeneratorExit):
            story.end(Outcome.CANCELLED, "the caller hung up, or its time ran out")
            raise
        except GyreError as error:
            story.end(Outcome.ERROR, str(error))
            raise
        finally:
            if not keeping:
                await self._keep(story)

    async def _write(self, story: Story) -> AsyncGenerator[Delta, None]:
        story.guardrails.append(QUESTION)
        route = self._router.route(story.resolved.versions)
        story.versions[Roles.GENERATOR] = route.version
        if route.note:
            story.fallbacks.append(route.note)
        with story.stage("retrieve"):
            found = await self._retrieve(story)
            story.retrieved(found)
        with story.stage("pack"):
            packed = pack(found.passages, budget=self._bounds.context_tokens)
            story.packed(packed)
        draft = Draft("", abstained=True, guardrails=(NO_PASSAGES,))
        if packed.passages:
            with story.stage("generate"):
                async for piece in self._generate(story, route, packed.passages):
                    if isinstance(piece, Draft):
                        draft = piece
                    else:
                        story.answer += piece.text
                        yield piece
        if draft.abstained:
            yield Delta(NO_ANSWER)
        with story.stage("cite"):
            _conclude(story, draft, packed.passages)

    async def _retrieve(self, story: Story) -> Retrieved:
        """With the resolved versions; with the retriever's own where it lacks one of them."""
        caller = request_context()
        find = partial(
            self._retriever.retrieve,
            story.ask.query(),
            limit=self._bounds.passages,
            filters=story.ask.filters,
            # Who asks for versions wants to see what they find, and nothing else.
            explore=not caller.versions,
        )
        try:
            with use_versions(story.resolved.versions, story.resolved.arms):
                return await find()
        except FailedPrecondition as error:
            story.fallbacks.append(f"retriever: its live versions instead: {error}")
            METRICS.fallbacks.labels(SERVICE, "version").inc()
        # The other roles stay named: a request that names versions is not drawn again.
        others = story.resolved.without(FITTED_ROLES)
        with use_versions(others.versions, others.arms):
            return await find()

    async def _generate(
        self, story: Story, route: Route, passages: tuple[Passage, ...]
    ) -> AsyncGenerator[Delta | Draft, None]:
        ask = story.ask
        task = Task(
            question=ask.question,
            query=ask.query(),
            passages=passages,
            history=ask.history,
            generator=route.generator,
            prompt=route.prompt,
        )
        async with aclosing(route.backend.write(task)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Prompted):
                    story.prompt, story.prompt_version = piece.text, piece.version
                    story.versions[Roles.ANSWER_PROMPT] = piece.version
                    if piece.fallback:
                        story.fallbacks.append(piece.fallback)
                else:
                    yield piece

    async def _keep(self, story: Story) -> Finished:
        """Record the story; once begun this goes on even when the caller hangs up."""
        task = asyncio.create_task(self._publish(story.event()))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return await asyncio.shield(task)

    async def _publish(self, event: InteractionCompleted) -> Finished:
        begun = asyncio.get_running_loop().time()
        await self._record.publish(
            INTERACTION_COMPLETED, event, event_id=derived_id(event.interaction_id, "completed")
        )
        _measure(event)
        log.info(
            "interaction recorded",
            extra={
                "interaction_id": str(event.interaction_id),
                "outcome": event.outcome,
                "ms": event.latency_ms.get("total"),
            },
        )
        return Finished(event, (asyncio.get_running_loop().time() - begun) * 1000)


def _conclude(story: Story, draft: Draft, passages: tuple[Passage, ...]) -> None:
    story.tokens, story.cost_usd = draft.tokens, draft.cost_usd
    story.guardrails.extend(draft.guardrails)
    if draft.abstained:
        story.answer = NO_ANSWER
        story.end(Outcome.ABSTAINED)
        return
    story.answer = draft.answer
    story.citations, verdicts = cite(draft, passages)
    story.guardrails.extend(verdicts)
    story.guardrails.append(grounding(draft.answer, story.citations))
    story.end(Outcome.ANSWERED)


def latency(finished: Finished) -> Mapping[str, float]:
    """Milliseconds by stage, recording included, as the caller sees them."""
    stages = dict(finished.interaction.latency_ms)
    stages["record"] = round(finished.record_ms, 2)
    stages["total"] = round(stages.get("total", 0.0) + finished.record_ms, 2)
    return stages


def _measure(event: InteractionCompleted) -> None:
    METRICS.answers.labels(event.outcome).inc()
    METRICS.answer_tokens.labels("prompt").inc(event.tokens.prompt)
    METRICS.answer_tokens.labels("completion").inc(event.tokens.completion)
    for stage, ms in event.latency_ms.items():
        METRICS.stage_seconds.labels(SERVICE, stage).observe(ms / 1000)
