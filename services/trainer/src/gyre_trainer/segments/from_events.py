"""From an event to the fact that is kept of it, and the passages that the fact refers to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gyre_common.events.feedback import FeedbackReceived
from gyre_common.events.interactions import InteractionCompleted, InteractionJudged, RetrievedChunk
from gyre_common.passages import context_line
from gyre_common.store import digest_of

from gyre_trainer.segments.facts import (
    FeedbackFact,
    InteractionFact,
    JudgementFact,
    Shown,
    without_passages,
)

F = TypeVar("F", InteractionFact, FeedbackFact, JudgementFact)


@dataclass(frozen=True)
class Collected(Generic[F]):
    """A fact, and the texts of passages that it refers to by digest."""

    fact: F
    passages: Mapping[str, str] = field(default_factory=dict)


def interaction(event: InteractionCompleted, offset: int) -> Collected[InteractionFact]:
    """What was asked, shown and answered."""
    fact = InteractionFact(
        offset=offset,
        tenant=event.tenant,
        interaction_id=str(event.interaction_id),
        conversation_id=event.conversation_id,
        question=event.question,
        acl=event.acl,
        outcome=event.outcome.value,
        versions=dict(event.versions),
        arms=dict(event.arms),
        shown=tuple(map(_shown, event.retrieved)),
        cited=tuple(dict.fromkeys(str(citation.chunk_id) for citation in event.citations)),
        started_at=event.started_at,
        completed_at=event.completed_at,
        query=event.query,
        filtered=event.filtered,
        actor=event.actor,
        history=event.history,
        prompt=without_passages(event.prompt, {one.rank: one.text for one in event.retrieved}),
        answer=event.answer,
    )
    return Collected(fact, {_digest(chunk): chunk.text for chunk in event.retrieved})


def _shown(chunk: RetrievedChunk) -> Shown:
    return Shown(
        chunk_id=str(chunk.chunk_id),
        document_id=chunk.document_id,
        revision=chunk.revision,
        rank=chunk.rank,
        scores=dict(chunk.scores),
        used=chunk.used,
        explored=chunk.explored,
        propensity=chunk.propensity,
        text=_digest(chunk),
        heading=context_line(chunk.title, chunk.heading_path),
        acl=chunk.acl,
    )


def _digest(chunk: RetrievedChunk) -> str:
    return digest_of(chunk.text.encode())


def feedback(event: FeedbackReceived, offset: int) -> Collected[FeedbackFact]:
    """What somebody thinks of an answer or a passage."""
    return Collected(
        FeedbackFact(
            offset=offset,
            tenant=event.tenant,
            interaction_id=str(event.interaction_id),
            feedback_id=str(event.feedback_id),
            kind=event.kind.value,
            value=event.value,
            target=event.target,
            actor=event.actor,
            received_at=event.received_at,
            comment=event.comment,
        )
    )


def judgement(event: InteractionJudged, offset: int) -> Collected[JudgementFact]:
    """The verdict's numbers."""
    return Collected(
        JudgementFact(
            offset=offset,
            tenant=event.tenant,
            interaction_id=str(event.interaction_id),
            judge_version=event.judge_version,
            scores={score.metric: score.value for score in event.scores if score.value is not None},
            judged_at=event.judged_at,
        )
    )
