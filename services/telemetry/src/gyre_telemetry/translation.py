"""From an event to its rows: the same for the same event, so a replay changes nothing.

A field of an event fills the column of the same name: what stands here is only what differs.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gyre_common.bus import RawRecord
from gyre_common.bus.dead_letters import read_cause, unknown_cause
from gyre_common.bus.envelope import as_text
from gyre_common.bus.record import event_id, event_time
from gyre_common.events import documents as docs
from gyre_common.events.event import TENANT_PATTERN, Event
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
)
from gyre_common.events.releases import RELEASE_CHANGED, Evidence, ReleaseChanged
from gyre_common.events.sources import SOURCE_CHANGED, SourceChanged
from gyre_common.events.topic import Topic
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_STARTED,
    TrainingFinished,
    TrainingStarted,
)
from gyre_common.redaction import redact
from gyre_common.telemetry.tracing import trace_from
from opentelemetry import trace

from gyre_telemetry.service import TableRow


@dataclass(frozen=True)
class Origin:
    """What every row says of its event. `trace_id` is 32 hexadecimal digits, or empty."""

    event_id: UUID
    time: datetime
    trace_id: str
    offset: int


def origin_of(raw: RawRecord) -> Origin:
    """The origin of the rows that follow from a record."""
    span = trace.get_current_span(trace_from(as_text(raw.headers))).get_span_context()
    return Origin(
        event_id=event_id(raw),
        time=event_time(raw),
        trace_id=trace.format_trace_id(span.trace_id) if span.is_valid else "",
        offset=raw.offset,
    )


def document_accepted(event: docs.DocumentAccepted, origin: Origin) -> Iterator[TableRow]:
    """The record's offset is the document's revision (docs/adr/0003)."""
    yield _stage("accepted", origin, event, time=event.accepted_at, revision=origin.offset)


def document_chunked(event: docs.DocumentChunked, origin: Origin) -> Iterator[TableRow]:
    """A document that was split; when an index is filled anew nothing happens to it, and one
    that is held has a row of its own.
    """
    if event.rebuild is None and not event.held:
        yield _stage("chunked", origin, event, chunk_count=len(event.chunks))


def document_indexed(event: docs.DocumentIndexed, origin: Origin) -> Iterator[TableRow]:
    """A document that became searchable, or disappeared."""
    yield _stage("indexed", origin, event, time=event.searchable_at, index_name=event.index)


def document_rejected(event: docs.DocumentRejected, origin: Origin) -> Iterator[TableRow]:
    """A document that was turned away."""
    why = {"rejected_stage": event.stage, "reason": event.code}
    yield _stage("rejected", origin, event, time=event.rejected_at, **why)


def document_quarantined(event: docs.DocumentQuarantined, origin: Origin) -> Iterator[TableRow]:
    """A document that somebody should look at, held or searchable; its row says what was seen."""
    seen = [f"{each.position}: {each.sentence} ({each.rule})" for each in event.findings]
    yield _stage(
        "quarantined",
        origin,
        event,
        time=event.quarantined_at,
        reason=event.findings[0].kind if event.findings else "",
        detail="\n".join(seen),
    )


def quarantine_decided(event: docs.QuarantineDecided, origin: Origin) -> Iterator[TableRow]:
    """What somebody decided of it."""
    yield _row("quarantine_decisions", origin, event, time=event.decided_at)


def interaction_completed(event: InteractionCompleted, origin: Origin) -> Iterator[TableRow]:
    """The interaction, and a row a retrieved passage. Who may not read one of its documents, or of
    those that its prompt quotes, may not read it.
    """
    acls = {each.acl for each in event.retrieved} | {each.acl for each in event.example_documents}
    yield _row(
        "interactions",
        origin,
        event,
        time=event.completed_at,
        document_acls=sorted(acl for acl in acls if acl),
        prompt_tokens=event.tokens.prompt,
        completion_tokens=event.tokens.completion,
        tokens_estimated=event.tokens.estimated,
    )
    of_interaction = {"tenant": event.tenant, "interaction_id": event.interaction_id}
    for chunk in event.retrieved:
        yield _row("retrieved_chunks", origin, chunk, **of_interaction, time=event.completed_at)


def interaction_judged(event: InteractionJudged, origin: Origin) -> Iterator[TableRow]:
    """A row a metric."""
    for score in event.scores:
        yield _row("judgements", origin, event, score, time=event.judged_at)


def feedback_received(event: FeedbackReceived, origin: Origin) -> Iterator[TableRow]:
    """What was said, as it was said."""
    yield _row("feedback", origin, event, time=event.received_at)


def release_changed(event: ReleaseChanged, origin: Origin) -> Iterator[TableRow]:
    """The role as it stands after the change."""
    yield _row(
        "releases",
        origin,
        event,
        time=event.changed_at,
        canary=event.canary.version if event.canary else "",
        canary_share=event.canary.share if event.canary else 0.0,
        artifacts={artifact.version: artifact.digest for artifact in event.artifacts},
        verdicts={
            each.version: each.evidence[Evidence.GATE]
            for each in event.artifacts
            if Evidence.GATE in each.evidence
        },
    )


def source_changed(event: SourceChanged, origin: Origin) -> Iterator[TableRow]:
    """The source as it stands after the change."""
    yield _row("sources", origin, event, time=event.changed_at)


def training_started(event: TrainingStarted, origin: Origin) -> Iterator[TableRow]:
    """A run that runs. One that began again is newer than what ended it, so it runs once more."""
    yield _row("training_runs", origin, event, state="running")


def training_finished(event: TrainingFinished, origin: Origin) -> Iterator[TableRow]:
    """The run with all that came of it; the first slice of a verdict is the whole."""
    verdict = event.verdict
    whole = next(iter(verdict.slices), None) if verdict else None
    yield _row(
        "training_runs",
        origin,
        event,
        state=event.outcome,
        time=event.finished_at,
        metric=verdict.metric if verdict else "",
        decision=verdict.decision if verdict else "",
        gain=whole.difference if whole else None,
        gain_low=whole.low if whole else None,
        gain_high=whole.high if whole else None,
    )


TRANSLATIONS: Sequence[tuple[Topic[Any], Callable[[Any, Origin], Iterator[TableRow]]]] = (
    (docs.DOCUMENT_ACCEPTED, document_accepted),
    (docs.DOCUMENT_CHUNKED, document_chunked),
    (docs.DOCUMENT_INDEXED, document_indexed),
    (docs.DOCUMENT_REJECTED, document_rejected),
    (docs.DOCUMENT_QUARANTINED, document_quarantined),
    (docs.QUARANTINE_DECIDED, quarantine_decided),
    (INTERACTION_COMPLETED, interaction_completed),
    (INTERACTION_JUDGED, interaction_judged),
    (FEEDBACK_RECEIVED, feedback_received),
    (RELEASE_CHANGED, release_changed),
    (SOURCE_CHANGED, source_changed),
    (TRAINING_STARTED, training_started),
    (TRAINING_FINISHED, training_finished),
)
"""What becomes rows.

`documents.submitted.v1` is left out: it is a raw zone, and what is in it comes again, checked, with
the accepted or rejected event that follows. So is `training.progressed.v1`: it is there to be
watched while it lasts, and what is worth keeping comes again with the finished event. How far an
index is filled says `gyre index status`. `syncs.requested.v1` only asks: what came of a sync stands
in its documents.
"""


def dead_letter(raw: RawRecord, origin: Origin) -> Iterator[TableRow]:
    """A dead letter, known by where it was before, or the same with what was decided of it; its
    content stays in the topic.
    """
    cause = read_cause(raw.headers) or unknown_cause(raw)
    key = (raw.key or b"").decode(errors="backslashreplace")
    tenant = _tenant_of(key)
    yield _row(
        "dead_letters",
        origin,
        cause,
        tenant=tenant,
        time=cause.parked_at,
        message=redact(cause.message, tenant),
        consumer_group=cause.group,
        dlq_partition=raw.partition,
        dlq_offset=raw.offset if cause.letter is None else cause.letter,
        verdict=cause.verdict or "",
        reason=redact(cause.reason, tenant),
        key=key,
        value_bytes=cause.size or len(raw.value or b""),
    )


def _stage(stage: str, origin: Origin, event: Event, **columns: object) -> TableRow:
    return _row("documents", origin, event, stage=stage, **columns)


def _row(table: str, origin: Origin, *sources: object, **columns: object) -> TableRow:
    """The fields of its sources by name; `columns` go before them, and they before `origin`."""
    values = {"event_id": origin.event_id, "time": origin.time, "trace_id": origin.trace_id}
    for source in sources:
        values |= vars(source)
    return TableRow(table, values | columns)


def _tenant_of(key: str) -> str:
    tenant, slash, _ = key.partition("/")
    return tenant if slash and re.fullmatch(TENANT_PATTERN, tenant) else ""
