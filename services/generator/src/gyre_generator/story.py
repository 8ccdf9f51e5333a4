"""One interaction while it happens: what becomes of it ends up in one event."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from gyre_common.context import RequestContext
from gyre_common.events.event import now
from gyre_common.events.interactions import (
    Citation,
    GuardrailResult,
    InteractionCompleted,
    Outcome,
    RetrievedChunk,
    TokenUsage,
)
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.releases import Resolved

from gyre_generator.asking import Ask, Filters
from gyre_generator.packing import Packed
from gyre_generator.passages import Retrieved

_CUT_UNUSED = 400
_CUT_PROMPT = 20_000


class Story:
    """Collects what happened, in the order in which it happens."""

    def __init__(self, ask: Ask, caller: RequestContext) -> None:
        self.ask = ask
        self.tenant = caller.tenant
        self.acl = caller.acl
        self.interaction_id: UUID = ask.interaction_id(caller.tenant)
        self.conversation_id = ask.conversation_id or str(self.interaction_id)
        self.versions: dict[str, str] = {}
        self.resolved = Resolved({})
        self.answer = ""
        self.citations: tuple[Citation, ...] = ()
        self.guardrails: list[GuardrailResult] = []
        self.fallbacks: list[str] = []
        self.prompt = ""
        self.prompt_version: str | None = None
        self.tokens = TokenUsage()
        self.cost_usd = 0.0
        self.latency_ms: dict[str, float] = {}
        self.outcome = Outcome.ERROR
        self.error: str | None = "ended by a bug; the service's log tells more"
        self._retrieved = Retrieved(())
        self._used: frozenset[UUID] = frozenset()
        self._started_at = now()
        self._clock = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is inside, also when it fails."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.latency_ms[name] = _ms_since(begun)

    def retrieved(self, found: Retrieved) -> None:
        """The retriever answered."""
        self._retrieved = found
        self.versions.update(found.versions)
        self.fallbacks.extend(found.fallbacks)
        for name in ("encode", "search"):
            if name in found.latency_ms:
                self.latency_ms[name] = found.latency_ms[name]

    def packed(self, packed: Packed) -> None:
        """The passages that are read."""
        self._used = packed.chunk_ids

    def end(self, outcome: Outcome, error: str | None = None) -> None:
        """How it ended; the last word counts."""
        self.outcome, self.error = outcome, error

    def event(self) -> InteractionCompleted:
        """The fact, small enough for one record."""
        self.latency_ms["total"] = _ms_since(self._clock)
        whole = InteractionCompleted(
            tenant=self.tenant,
            interaction_id=self.interaction_id,
            conversation_id=self.conversation_id,
            actor=self.ask.actor,
            question=self.ask.question,
            query="" if self.ask.query() == self.ask.question else self.ask.query(),
            filtered=self.ask.filters != Filters(),
            history=self.ask.history,
            acl=self.acl,
            answer=self.answer,
            citations=self.citations,
            retrieved=tuple(self._chunks()),
            prompt=self.prompt,
            prompt_version=self.prompt_version,
            versions=dict(self.versions),
            arms=self.resolved.arms_with(self.versions),
            fallbacks=tuple(self.fallbacks),
            outcome=self.outcome,
            error=self.error,
            guardrails=tuple(self.guardrails),
            tokens=self.tokens,
            cost_usd=self.cost_usd,
            latency_ms={name: round(ms, 2) for name, ms in self.latency_ms.items()},
            started_at=self._started_at,
            completed_at=now(),
        )
        return _within_a_record(whole)

    def _chunks(self) -> Iterator[RetrievedChunk]:
        for p in self._retrieved.passages:
            yield RetrievedChunk(
                chunk_id=p.chunk_id,
                document_id=p.document_id,
                revision=p.revision,
                title=p.title,
                source_uri=p.source_uri,
                heading_path=p.heading_path,
                text=p.text,
                acl=p.acl,
                rank=p.rank,
                score=p.score,
                scores=dict(p.scores),
                used=p.chunk_id in self._used,
                explored=p.explored,
                propensity=p.propensity,
            )


def _within_a_record(event: InteractionCompleted) -> InteractionCompleted:
    """Cut what explains least until the event fits: texts that were not used, then the prompt.

    What was used and said is bounded by the token budget and stays whole: citations point into it.
    """
    if len(event.to_json()) <= LARGEST_EVENT:
        return event
    cut = GuardrailResult(
        name="record_size",
        passed=False,
        detail="texts of passages that were not used, and a long prompt, are cut in the record",
    )
    shorter = (
        c if c.used else c.model_copy(update={"text": c.text[:_CUT_UNUSED]})
        for c in event.retrieved
    )
    return event.model_copy(
        update={
            "retrieved": tuple(shorter),
            "prompt": event.prompt[:_CUT_PROMPT],
            "guardrails": (*event.guardrails, cut),
        }
    )


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
