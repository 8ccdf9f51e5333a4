"""From an event to the fact that is kept of it."""

from gyre_common.bus import Record
from gyre_common.events.feedback import FeedbackReceived
from gyre_common.events.interactions import InteractionCompleted, InteractionJudged, RetrievedChunk

from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, JudgementFact, Shown


def interaction(record: Record[InteractionCompleted]) -> InteractionFact:
    """What was asked and shown, without the texts of passages, prompt and answer."""
    event = record.event
    return InteractionFact(
        offset=record.offset,
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
    )


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
    )


def feedback(record: Record[FeedbackReceived]) -> FeedbackFact:
    """What was said, by whom and when."""
    event = record.event
    return FeedbackFact(
        offset=record.offset,
        tenant=event.tenant,
        interaction_id=str(event.interaction_id),
        feedback_id=str(event.feedback_id),
        kind=event.kind.value,
        value=event.value,
        target=event.target,
        actor=event.actor,
        received_at=event.received_at,
    )


def judgement(record: Record[InteractionJudged]) -> JudgementFact:
    """The verdict's numbers."""
    event = record.event
    return JudgementFact(
        offset=record.offset,
        tenant=event.tenant,
        interaction_id=str(event.interaction_id),
        judge_version=event.judge_version,
        scores={score.metric: score.value for score in event.scores if score.value is not None},
        judged_at=event.judged_at,
    )
