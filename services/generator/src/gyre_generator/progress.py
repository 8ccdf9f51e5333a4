"""The frozen values that steps hand on, and the event that they fold into."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self, TypeVar
from uuid import UUID

from gyre_common.context import RequestContext
from gyre_common.events.event import now
from gyre_common.events.interactions import (
    Citation,
    ExampleDocument,
    GuardrailResult,
    InteractionCompleted,
    Outcome,
)
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.redaction import redacted
from gyre_common.releases import Resolved

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Backend, Ending
from gyre_generator.examples import ShownExample
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt

_UNUSED_CHARACTERS = 400
_PROMPT_CHARACTERS = 20_000

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step did, for the record and for the steps behind it; a later value replaces one.

    `AnswerProgress` sets `step` and `ms`, how long it took until then. `text` is for the caller;
    `latency_ms` holds parts of the step that were timed elsewhere. After a report that `ends` the
    answer no step runs.
    """

    step: str = ""
    ms: float = 0.0
    resolved: Resolved | None = None
    backend: Backend | None = None
    artifacts: Artifacts | None = None
    retrieved: tuple[RetrievedPassage, ...] | None = None
    packed_passages: tuple[RetrievedPassage, ...] | None = None
    examples: tuple[ShownExample, ...] | None = None
    prompt: Prompt | None = None
    draft: AnswerDraft | None = None
    citations: tuple[Citation, ...] | None = None
    unsupported_citations: tuple[int, ...] = ()
    outcome: Outcome | None = None
    error: str | None = None
    ends: bool = False
    text: str = ""
    ignored: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()
    guardrails: tuple[GuardrailResult, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerProgress:
    """A question on its way to an answer: who asks, and all reports so far.

    `clock`, and `began` of the step that runs, are moments of `time.perf_counter`.
    """

    ask: Ask
    caller: RequestContext
    interaction_id: UUID
    started_at: datetime = field(default_factory=now)
    clock: float = field(default_factory=time.perf_counter)
    reports: tuple[StepResult, ...] = ()
    step: str = ""
    began: float = 0.0

    @property
    def conversation_id(self) -> str:
        """Of the conversation that the question goes on with or begins."""
        return self.ask.conversation_id or str(self.interaction_id)

    def at(self, step: str) -> Self:
        """The same when a step begins."""
        return replace(self, step=step, began=time.perf_counter())

    def after(self, part: str | StepResult) -> Self:
        """What is known with one more part of the step that runs."""
        report = part if isinstance(part, StepResult) else StepResult(text=part)
        ms = (time.perf_counter() - self.began) * 1000
        return replace(self, reports=(*self.reports, replace(report, step=self.step, ms=ms)))

    def latest(self, value: Callable[[StepResult], _Value | None]) -> _Value | None:
        """The value of the last report that has one."""
        values = (value(report) for report in reversed(self.reports))
        return next((each for each in values if each is not None), None)

    @property
    def resolved(self) -> Resolved:
        """The versions and arms of the request."""
        return self.latest(lambda report: report.resolved) or Resolved({})

    @property
    def retrieved(self) -> tuple[RetrievedPassage, ...]:
        """The passages that were retrieved."""
        return self.latest(lambda report: report.retrieved) or ()

    @property
    def packed_passages(self) -> tuple[RetrievedPassage, ...]:
        """The passages that are read; the first is number 1 of the citations."""
        return self.latest(lambda report: report.packed_passages) or ()

    @property
    def examples(self) -> tuple[ShownExample, ...]:
        """The examples that the prompt shows."""
        return self.latest(lambda report: report.examples) or ()

    @property
    def draft(self) -> AnswerDraft:
        """What was written."""
        return self.latest(lambda report: report.draft) or AnswerDraft("", abstained=True)

    @property
    def ending(self) -> Ending:
        """How the draft ended, where nothing stopped it before that."""
        stopped = self.latest(lambda report: report.ends or None)
        return Ending.WHOLE if stopped else self.draft.ending

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields of the request that are not honoured."""
        return tuple(name for each in self.reports for name in each.ignored)

    def interaction(self) -> InteractionCompleted:
        """What happened, as one event."""
        reports, draft, ask, query = self.reports, self.draft, self.ask, self.ask.query()
        versions = {role: version for each in reports for role, version in each.versions.items()}
        prompt = self.latest(lambda report: report.prompt)
        used = {passage.chunk_id for passage in self.packed_passages}
        endings = ((r.outcome, r.error) for r in reversed(reports) if r.outcome is not None)
        outcome, error = next(endings, (Outcome.ERROR, "no step says how it ended"))
        return InteractionCompleted(
            tenant=self.caller.tenant,
            interaction_id=self.interaction_id,
            conversation_id=self.conversation_id,
            actor=ask.actor,
            question=ask.question,
            query="" if query == ask.question else query,
            filtered=ask.filters.ByteSize() > 0,
            history=ask.history,
            acl=self.caller.acl,
            answer="".join(each.text for each in reports),
            citations=self.latest(lambda report: report.citations) or (),
            unsupported_citations=self.latest(lambda report: report.unsupported_citations or None)
            or (),
            retrieved=tuple(
                passage.model_copy(update={"used": passage.chunk_id in used})
                for passage in self.retrieved
            ),
            prompt=prompt.text if prompt else "",
            prompt_version=prompt.version if prompt else None,
            example_documents=_documents_of(self.examples) if prompt else (),
            versions=versions,
            arms=self.resolved.arms_with(versions),
            fallbacks=tuple(note for each in reports for note in each.fallbacks),
            outcome=outcome,
            error=error,
            guardrails=tuple(verdict for each in reports for verdict in each.guardrails),
            tokens=draft.tokens,
            cost_usd=draft.cost_usd,
            latency_ms=self._latency(),
            started_at=self.started_at,
            completed_at=now(),
        )

    def _latency(self) -> dict[str, float]:
        stages: dict[str, float] = {}
        for report in self.reports:
            stages |= {report.step: report.ms, **report.latency_ms}
        stages["total"] = (time.perf_counter() - self.clock) * 1000
        return {name: round(ms, 2) for name, ms in stages.items() if name}


def _documents_of(examples: Sequence[ShownExample]) -> tuple[ExampleDocument, ...]:
    documents = {each.document_id: each for example in examples for each in example.documents}
    return tuple(documents.values())


def as_recorded(event: InteractionCompleted) -> InteractionCompleted:
    """What may be kept of it, as it fits a record."""
    event = redacted(event)
    return event if len(event.to_json()) <= LARGEST_EVENT else _shortened(event)


def _shortened(event: InteractionCompleted) -> InteractionCompleted:
    """Without what explains least: texts that were not used, and most of the prompt. What was used
    is bounded by the token budget and stays whole: citations point into it.
    """
    detail = "texts of passages that were not used, and a long prompt, are cut in the record"
    cut = GuardrailResult(name="record_size", passed=False, detail=detail)
    retrieved = tuple(
        c if c.used else c.model_copy(update={"text": c.text[:_UNUSED_CHARACTERS]})
        for c in event.retrieved
    )
    prompt, guardrails = event.prompt[:_PROMPT_CHARACTERS], (*event.guardrails, cut)
    return event.model_copy(
        update={"retrieved": retrieved, "prompt": prompt, "guardrails": guardrails}
    )


Step = Callable[[AnswerProgress], AsyncGenerator[str | StepResult, None]]
"""Yields text as it comes and reports what it did, in several reports where one must outlive a
failure of the rest."""

Steps = Mapping[str, Step]
"""In the order in which they run, by the name of their stage in the interaction's latency."""
