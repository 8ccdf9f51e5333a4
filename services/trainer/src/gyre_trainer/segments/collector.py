"""Collects facts as they come: a batch of a topic becomes a segment a partition."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from gyre_common.bus import Record
from gyre_common.events.event import Event
from gyre_common.events.feedback import FeedbackReceived
from gyre_common.events.interactions import InteractionCompleted, InteractionJudged, RetrievedChunk
from gyre_common.passages import context_line
from gyre_common.redaction import redacted
from gyre_common.store import digest_of

from gyre_trainer.segments.facts import (
    Fact,
    FeedbackFact,
    InteractionFact,
    JudgementFact,
    Shown,
    without_passages,
)
from gyre_trainer.segments.parquet import Stream
from gyre_trainer.segments.shelf import Segments


class Collector:
    """Keeps what training needs of each record, once, however often the record comes."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    async def collect(self, stream: Stream[Any], records: Iterable[Record[Any]]) -> None:
        """Return once all of them are safe.

        Raises Retryable when the store is full, read-only or out of reach. Then part of the batch
        may be safe already, which does no harm: it is skipped when the batch comes again.
        """
        facts: dict[int, list[Fact]] = defaultdict(list)
        passages: dict[str, str] = {}
        for record in records:
            event = redacted(record.event)
            facts[record.partition].append(_fact_of(event, record.offset))
            if isinstance(event, InteractionCompleted):
                passages |= {_digest(chunk): chunk.text for chunk in event.retrieved}
        for partition, of_partition in sorted(facts.items()):
            await self._segments.append(stream, partition, of_partition, passages)


def _fact_of(event: Event, offset: int) -> Fact:
    match event:
        case InteractionCompleted():
            return _interaction(event, offset)
        case FeedbackReceived():
            return FeedbackFact(
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
        case InteractionJudged():
            scores = {each.metric: each.value for each in event.scores if each.value is not None}
            return JudgementFact(
                offset=offset,
                tenant=event.tenant,
                interaction_id=str(event.interaction_id),
                judge_version=event.judge_version,
                scores=scores,
                judged_at=event.judged_at,
            )
    raise AssertionError(f"no facts are kept of {type(event).__name__}")


def _interaction(event: InteractionCompleted, offset: int) -> InteractionFact:
    return InteractionFact(
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
