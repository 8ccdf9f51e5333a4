"""From an event to its rows: pure, and the same for the same event, so a replay changes nothing."""

import re
from collections.abc import Iterator

from gyre_common.bus import RawRecord
from gyre_common.bus.dead_letters import read_cause
from gyre_common.events.documents import (
    DocumentAccepted,
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
)
from gyre_common.events.event import TENANT_PATTERN
from gyre_common.events.feedback import FeedbackReceived
from gyre_common.events.interactions import InteractionCompleted, InteractionJudged
from gyre_common.events.releases import Evidence, ReleaseChanged
from gyre_common.events.topic import DLQ_SUFFIX
from gyre_common.events.training import TrainingFinished, TrainingStarted

from gyre_telemetry.origin import Origin
from gyre_telemetry.rows import (
    DeadLetterRow,
    DocumentRow,
    FeedbackRow,
    InteractionRow,
    JudgementRow,
    ReleaseRow,
    RetrievedChunkRow,
    Row,
    TrainingRunRow,
)


def accepted(event: DocumentAccepted, origin: Origin) -> Iterator[Row]:
    """The record's offset is the document's revision (docs/adr/0003)."""
    yield DocumentRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.accepted_at,
        trace_id=origin.trace_id,
        document_id=event.document_id,
        revision=origin.offset,
        stage="accepted",
        submission_id=event.submission_id,
        submitted_at=event.submitted_at,
        deleted=event.deleted,
        title=event.title,
        media_type=event.media_type,
        source_uri=event.source_uri or "",
        metadata=event.metadata,
        acl=event.acl,
        content_digest=event.content_digest or "",
        size_bytes=event.size_bytes,
    )


def chunked(event: DocumentChunked, origin: Origin) -> Iterator[Row]:
    """A document that was split."""
    yield DocumentRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=origin.time,
        trace_id=origin.trace_id,
        document_id=event.document_id,
        revision=event.revision,
        stage="chunked",
        submission_id=event.submission_id,
        submitted_at=event.submitted_at,
        deleted=event.deleted,
        title=event.title,
        media_type=event.media_type,
        source_uri=event.source_uri or "",
        metadata=event.metadata,
        acl=event.acl,
        content_digest=event.content_digest or "",
        chunk_count=len(event.chunks),
        ingestion_version=event.ingestion_version,
    )


def indexed(event: DocumentIndexed, origin: Origin) -> Iterator[Row]:
    """A document that became searchable, or disappeared."""
    yield DocumentRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.searchable_at,
        trace_id=origin.trace_id,
        document_id=event.document_id,
        revision=event.revision,
        stage="indexed",
        submission_id=event.submission_id,
        submitted_at=event.submitted_at,
        deleted=event.deleted,
        chunk_count=event.chunk_count,
        encoded_count=event.encoded_count,
        encoder_version=event.encoder_version,
        index_name=event.index,
    )


def rejected(event: DocumentRejected, origin: Origin) -> Iterator[Row]:
    """A document that was turned away."""
    yield DocumentRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.rejected_at,
        trace_id=origin.trace_id,
        document_id=event.document_id,
        revision=event.revision,
        stage="rejected",
        submission_id=event.submission_id,
        submitted_at=event.submitted_at,
        rejected_stage=event.stage,
        reason=event.code,
        detail=event.detail,
    )


def completed(event: InteractionCompleted, origin: Origin) -> Iterator[Row]:
    """The interaction, and a row a retrieved passage."""
    yield InteractionRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.completed_at,
        trace_id=origin.trace_id,
        interaction_id=event.interaction_id,
        started_at=event.started_at,
        conversation_id=event.conversation_id,
        question=event.question,
        history=tuple((turn.role, turn.content) for turn in event.history),
        acl=event.acl,
        answer=event.answer,
        outcome=event.outcome,
        error=event.error or "",
        citations=tuple(
            (c.chunk_id, c.document_id, c.title, c.start, c.end, c.chunk_start, c.chunk_end)
            for c in event.citations
        ),
        prompt=event.prompt,
        prompt_version=event.prompt_version or "",
        versions=event.versions,
        arms=event.arms,
        fallbacks=event.fallbacks,
        guardrails=tuple((g.name, g.passed, g.detail) for g in event.guardrails),
        prompt_tokens=event.tokens.prompt,
        completion_tokens=event.tokens.completion,
        tokens_estimated=event.tokens.estimated,
        cost_usd=event.cost_usd,
        latency_ms=event.latency_ms,
    )
    for chunk in event.retrieved:
        yield RetrievedChunkRow(
            tenant=event.tenant,
            event_id=origin.event_id,
            time=event.completed_at,
            trace_id=origin.trace_id,
            interaction_id=event.interaction_id,
            rank=chunk.rank,
            chunk_id=chunk.chunk_id,
            document_id=chunk.document_id,
            revision=chunk.revision,
            title=chunk.title,
            source_uri=chunk.source_uri or "",
            heading_path=chunk.heading_path,
            text=chunk.text,
            score=chunk.score,
            scores=chunk.scores,
            used=chunk.used,
            explored=chunk.explored,
            propensity=chunk.propensity,
        )


def judged(event: InteractionJudged, origin: Origin) -> Iterator[Row]:
    """A row a metric."""
    for score in event.scores:
        yield JudgementRow(
            tenant=event.tenant,
            event_id=origin.event_id,
            time=event.judged_at,
            trace_id=origin.trace_id,
            interaction_id=event.interaction_id,
            judge_version=event.judge_version,
            metric=score.metric,
            value=score.value,
            rationale=score.rationale,
        )


def received(event: FeedbackReceived, origin: Origin) -> Iterator[Row]:
    """What was said, as it was said."""
    yield FeedbackRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.received_at,
        trace_id=origin.trace_id,
        interaction_id=event.interaction_id,
        feedback_id=event.feedback_id,
        kind=event.kind,
        value=event.value,
        target=event.target,
        comment=event.comment,
        actor=event.actor,
    )


def changed(event: ReleaseChanged, origin: Origin) -> Iterator[Row]:
    """The role as it stands after the change."""
    yield ReleaseRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.changed_at,
        trace_id=origin.trace_id,
        role=event.role,
        generation=event.generation,
        live=event.live,
        shadow=event.shadow or "",
        canary=event.canary.version if event.canary else "",
        canary_share=event.canary.share if event.canary else 0.0,
        artifacts={artifact.version: artifact.digest for artifact in event.artifacts},
        history=event.history,
        reason=event.reason,
        actor=event.actor,
        evidence=event.evidence,
        verdicts={
            artifact.version: artifact.evidence[Evidence.GATE]
            for artifact in event.artifacts
            if Evidence.GATE in artifact.evidence
        },
    )


def training_started(event: TrainingStarted, origin: Origin) -> Iterator[Row]:
    """A run that runs. One that began again is newer than what ended it, so it runs once more."""
    yield TrainingRunRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=origin.time,
        trace_id=origin.trace_id,
        run_id=event.run_id,
        recipe=event.recipe,
        role=event.role,
        profile=event.profile,
        state="running",
        settings=event.settings,
        code=event.code,
        actor=event.actor,
        reason=event.reason,
        started_at=event.started_at,
    )


def training_finished(event: TrainingFinished, origin: Origin) -> Iterator[Row]:
    """The run with all that came of it; the first slice of a verdict is the whole."""
    verdict = event.verdict
    whole = next(iter(verdict.slices), None) if verdict else None
    yield TrainingRunRow(
        tenant=event.tenant,
        event_id=origin.event_id,
        time=event.finished_at,
        trace_id=origin.trace_id,
        run_id=event.run_id,
        recipe=event.recipe,
        role=event.role,
        profile=event.profile,
        state=event.outcome,
        settings=event.settings,
        code=event.code,
        actor=event.actor,
        reason=event.reason,
        started_at=event.started_at,
        finished_at=event.finished_at,
        message=event.message,
        data_set=event.data_set or "",
        window=event.window,
        votes=event.votes,
        first_vote_at=event.first_vote_at,
        last_vote_at=event.last_vote_at,
        base=event.base or "",
        version=event.version or "",
        artifact=event.artifact or "",
        report=event.report or "",
        report_uri=event.report_uri or "",
        metric=verdict.metric if verdict else "",
        decision=verdict.decision if verdict else "",
        gain=whole.difference if whole else None,
        gain_low=whole.low if whole else None,
        gain_high=whole.high if whole else None,
        metrics=event.metrics,
    )


def parked(raw: RawRecord, origin: Origin) -> Iterator[Row]:
    """A dead letter, known by where it was before; its content stays in the topic."""
    cause = read_cause(raw.headers)
    key = (raw.key or b"").decode(errors="backslashreplace")
    yield DeadLetterRow(
        tenant=_tenant_of(key),
        event_id=origin.event_id,
        time=cause.parked_at if cause else origin.time,
        trace_id=origin.trace_id,
        topic=cause.topic if cause else raw.topic.removesuffix(DLQ_SUFFIX),
        partition=cause.partition if cause else raw.partition,
        offset=cause.offset if cause else raw.offset,
        consumer_group=cause.group if cause else "",
        kind=cause.kind if cause else "unknown",
        error=cause.error if cause else "",
        message=cause.message if cause else "",
        attempts=cause.attempts if cause else 0,
        dlq_partition=raw.partition,
        dlq_offset=raw.offset,
        key=key,
        value_bytes=cause.size if cause and cause.size else len(raw.value or b""),
    )


def _tenant_of(key: str) -> str:
    tenant, slash, _ = key.partition("/")
    return tenant if slash and re.fullmatch(TENANT_PATTERN, tenant) else ""
