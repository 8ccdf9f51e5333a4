"""Folds the reports of all steps into one event."""

import time

from gyre_common.events.event import now
from gyre_common.events.interactions import (
    GuardrailResult,
    InteractionCompleted,
    Outcome,
    RetrievedChunk,
)
from gyre_common.events.topic import LARGEST_EVENT

from gyre_generator.ask import DocumentFilters
from gyre_generator.progress import AnswerProgress

_UNUSED_CHARACTERS = 400
_PROMPT_CHARACTERS = 20_000


def interaction(progress: AnswerProgress) -> InteractionCompleted:
    """What happened, small enough for one record."""
    reports, draft = progress.reports, progress.draft
    ask, query = progress.ask, progress.ask.query()
    versions = {role: version for each in reports for role, version in each.versions.items()}
    prompt_record = progress.latest(lambda report: report.prompt_record)
    used = {passage.chunk_id for passage in progress.packed_passages}
    endings = ((r.outcome, r.error) for r in reversed(reports) if r.outcome is not None)
    outcome, error = next(endings, (Outcome.ERROR, "no step says how it ended"))
    return _within_a_record(
        InteractionCompleted(
            tenant=progress.caller.tenant,
            interaction_id=progress.interaction_id,
            conversation_id=progress.conversation_id,
            actor=ask.actor,
            question=ask.question,
            query="" if query == ask.question else query,
            filtered=ask.filters != DocumentFilters(),
            history=ask.history,
            acl=progress.caller.acl,
            answer="".join(each.text for each in reports),
            citations=progress.latest(lambda report: report.citations) or (),
            retrieved=tuple(
                RetrievedChunk.model_validate(passage, from_attributes=True).model_copy(
                    update={"used": passage.chunk_id in used}
                )
                for passage in progress.retrieved.passages
            ),
            prompt=prompt_record.text if prompt_record else "",
            prompt_version=prompt_record.version if prompt_record else None,
            versions=versions,
            arms=progress.resolved.arms_with(versions),
            fallbacks=tuple(note for each in reports for note in each.fallbacks),
            outcome=outcome,
            error=error,
            guardrails=tuple(verdict for each in reports for verdict in each.guardrails),
            tokens=draft.tokens,
            cost_usd=draft.cost_usd,
            latency_ms=_latency(progress),
            started_at=progress.started_at,
            completed_at=now(),
        )
    )


def _latency(progress: AnswerProgress) -> dict[str, float]:
    stages: dict[str, float] = {}
    for report in progress.reports:
        stages |= {report.step: report.ms, **report.latency_ms}
    stages["total"] = (time.perf_counter() - progress.clock) * 1000
    return {name: round(ms, 2) for name, ms in stages.items() if name}


def _within_a_record(event: InteractionCompleted) -> InteractionCompleted:
    """Cut what explains least until the event fits: texts that were not used, then the prompt.

    What was used and answered is bounded by the token budget and stays whole: citations point into
    it.
    """
    if len(event.to_json()) <= LARGEST_EVENT:
        return event
    cut = GuardrailResult(
        name="record_size",
        passed=False,
        detail="texts of passages that were not used, and a long prompt, are cut in the record",
    )
    shorter = (
        c if c.used else c.model_copy(update={"text": c.text[:_UNUSED_CHARACTERS]})
        for c in event.retrieved
    )
    return event.model_copy(
        update={
            "retrieved": tuple(shorter),
            "prompt": event.prompt[:_PROMPT_CHARACTERS],
            "guardrails": (*event.guardrails, cut),
        }
    )
