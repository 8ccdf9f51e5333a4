"""The frozen values that steps hand on: a question, and what each step did about it."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self, TypeVar
from uuid import UUID

from gyre_common.context import RequestContext
from gyre_common.events.event import now
from gyre_common.events.interactions import Citation, GuardrailResult, Outcome
from gyre_common.events.releases import Artifact
from gyre_common.releases import Resolved

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Backend, Delta, PromptRecord
from gyre_generator.passages import RetrievedPassage, RetrievedPassages

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Route:
    """Who writes, with which released versions; None where none was released."""

    backend: Backend
    generator: Artifact | None
    prompt: Artifact | None


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
    route: Route | None = None
    retrieved: RetrievedPassages | None = None
    packed_passages: tuple[RetrievedPassage, ...] | None = None
    prompt_record: PromptRecord | None = None
    draft: AnswerDraft | None = None
    citations: tuple[Citation, ...] | None = None
    outcome: Outcome | None = None
    error: str | None = None
    ends: bool = False
    text: str = ""
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
    conversation_id: str
    started_at: datetime
    clock: float
    reports: tuple[StepResult, ...] = ()
    step: str = ""
    began: float = 0.0

    @classmethod
    def begin(cls, ask: Ask, caller: RequestContext) -> Self:
        """A question that was let in just now."""
        interaction_id = ask.interaction_id(caller.tenant)
        conversation_id = ask.conversation_id or str(interaction_id)
        return cls(ask, caller, interaction_id, conversation_id, now(), time.perf_counter())

    def at(self, step: str) -> Self:
        """The same when a step begins."""
        return replace(self, step=step, began=time.perf_counter())

    def after(self, report: StepResult) -> Self:
        """What is known with one more report of the step that runs."""
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
    def retrieved(self) -> RetrievedPassages:
        """The passages that were retrieved."""
        return self.latest(lambda report: report.retrieved) or RetrievedPassages(())

    @property
    def packed_passages(self) -> tuple[RetrievedPassage, ...]:
        """The passages that are read; the first is number 1 of the citations."""
        return self.latest(lambda report: report.packed_passages) or ()

    @property
    def draft(self) -> AnswerDraft:
        """What was written."""
        return self.latest(lambda report: report.draft) or AnswerDraft("", abstained=True)


Step = Callable[[AnswerProgress], AsyncGenerator[Delta | StepResult, None]]
"""One part of the way to an answer: yields text as it comes and reports what it did, in several
reports where one must outlive a failure of the rest."""

Steps = Mapping[str, Step]
"""In the order in which they run, by the name of their stage in the interaction's latency."""
