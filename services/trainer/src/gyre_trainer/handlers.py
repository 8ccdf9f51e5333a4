"""The trainer's Kafka edge: a handler a topic that training learns from."""

from collections.abc import Sequence
from dataclasses import dataclass

from gyre_common.bus import EventBus, Record
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
)

from gyre_trainer.segments import from_events
from gyre_trainer.segments.catching_up import GROUP
from gyre_trainer.segments.collector import Collector
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS, JUDGEMENTS


@dataclass(frozen=True)
class Batching:
    """A segment is written at so many records, or once its first one waited so many seconds."""

    records: int = 5_000
    seconds: float = 2.0


def build_handlers(
    bus: EventBus, collector: Collector, batching: Batching, *, group: str = GROUP
) -> None:
    """Let what is asked, judged and said become facts."""
    size, wait = batching.records, batching.seconds

    @bus.on_batch(INTERACTION_COMPLETED, group=group, max_records=size, max_wait=wait)
    async def on_interaction_completed(records: Sequence[Record[InteractionCompleted]]) -> None:
        await collector.collect(INTERACTIONS, records, from_events.interaction)

    @bus.on_batch(INTERACTION_JUDGED, group=group, max_records=size, max_wait=wait)
    async def on_interaction_judged(records: Sequence[Record[InteractionJudged]]) -> None:
        await collector.collect(JUDGEMENTS, records, from_events.judgement)

    @bus.on_batch(FEEDBACK_RECEIVED, group=group, max_records=size, max_wait=wait)
    async def on_feedback_received(records: Sequence[Record[FeedbackReceived]]) -> None:
        await collector.collect(FEEDBACK, records, from_events.feedback)
