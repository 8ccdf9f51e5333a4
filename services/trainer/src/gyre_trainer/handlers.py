"""The trainer's Kafka edge: a handler a topic that training learns from."""

from collections.abc import Sequence

from gyre_common.bus import EventBus, Record
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackReceived
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
)

from gyre_trainer.segments.catching_up import GROUP
from gyre_trainer.segments.collector import Collector
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS, JUDGEMENTS


def build_handlers(
    bus: EventBus,
    collector: Collector,
    *,
    records: int = 5_000,
    seconds: float = 2.0,
    group: str = GROUP,
) -> None:
    """A segment is written at so many `records`, or so many `seconds` after its first one."""

    @bus.on_batch(INTERACTION_COMPLETED, group=group, max_records=records, max_wait=seconds)
    async def on_interaction_completed(batch: Sequence[Record[InteractionCompleted]]) -> None:
        await collector.collect(INTERACTIONS, batch)

    @bus.on_batch(INTERACTION_JUDGED, group=group, max_records=records, max_wait=seconds)
    async def on_interaction_judged(batch: Sequence[Record[InteractionJudged]]) -> None:
        await collector.collect(JUDGEMENTS, batch)

    @bus.on_batch(FEEDBACK_RECEIVED, group=group, max_records=records, max_wait=seconds)
    async def on_feedback_received(batch: Sequence[Record[FeedbackReceived]]) -> None:
        await collector.collect(FEEDBACK, batch)
