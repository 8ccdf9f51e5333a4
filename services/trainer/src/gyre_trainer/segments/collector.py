"""Collects facts as they come: a batch of a topic becomes a segment a partition."""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypeVar

from gyre_common.bus import Record
from gyre_common.events.event import Event
from gyre_common.events.feedback import FeedbackReceived
from gyre_common.events.interactions import InteractionCompleted, InteractionJudged, RetrievedChunk
from gyre_common.passages import context_line
from gyre_common.redaction import redacted
from gyre_common.store import digest_of
from pydantic import BaseModel

from gyre_trainer.segments.facts import (
    ExampleSource,
    Fact,
    FeedbackFact,
    InteractionFact,
    JudgementFact,
    Shown,
    without_passages,
)
from gyre_trainer.segments.parquet import Stream
from gyre_trainer.segments.shelf import Segments

F = TypeVar("F", InteractionFact, FeedbackFact, JudgementFact, Shown, ExampleSource)


class Collector:
    """Keeps what training needs of each record, once, however often the record comes."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    async def collect(self, stream: Stream[Any], records: Iterable[Record[Any]]) -> None:
        """Return once all are safe; a repeated batch adds what is missing. Raises Retryable."""
        facts: dict[int, list[Fact]] = defaultdict(list)
        passages: dict[str, str] = {}
        batch = list(records)
        # In a thread: redacting a batch of long texts takes seconds.
        events = await asyncio.to_thread(lambda: [redacted(each.event) for each in batch])
        for record, event in zip(batch, events, strict=True):
            facts[record.raw.partition].append(_fact_of(event, record.raw.offset))
            if isinstance(event, InteractionCompleted):
                passages |= {_digest(chunk): chunk.text for chunk in event.retrieved}
        for partition, of_partition in sorted(facts.items()):
            await self._segments.append(stream, partition, of_partition, passages)


def _fact_of(event: Event, offset: int) -> Fact:
    match event:
        case InteractionCompleted():
            texts = {chunk.rank: chunk.text for chunk in event.retrieved}
            return _fact(
                InteractionFact,
                event,
                offset=offset,
                interaction_id=str(event.interaction_id),
                outcome=event.outcome.value,
                shown=tuple(map(_shown, event.retrieved)),
                cited=tuple(dict.fromkeys(str(each.chunk_id) for each in event.citations)),
                prompt=without_passages(event.prompt, texts),
                example_documents=tuple(
                    _fact(ExampleSource, each) for each in event.example_documents
                ),
            )
        case FeedbackReceived():
            return _fact(
                FeedbackFact,
                event,
                offset=offset,
                interaction_id=str(event.interaction_id),
                feedback_id=str(event.feedback_id),
                kind=event.kind.value,
            )
        case InteractionJudged():
            return _fact(
                JudgementFact,
                event,
                offset=offset,
                interaction_id=str(event.interaction_id),
                scores={one.metric: one.value for one in event.scores if one.value is not None},
            )
    raise AssertionError(f"no facts are kept of {type(event).__name__}")


def _shown(chunk: RetrievedChunk) -> Shown:
    heading = context_line(chunk.title, chunk.heading_path)
    return _fact(Shown, chunk, chunk_id=str(chunk.chunk_id), text=_digest(chunk), heading=heading)


def _fact(fact: type[F], event: BaseModel, /, **own: Any) -> F:
    names = (one.name for one in dataclasses.fields(fact) if one.name not in own)
    return fact(**{name: getattr(event, name) for name in names}, **own)


def _digest(chunk: RetrievedChunk) -> str:
    return digest_of(chunk.text.encode())
