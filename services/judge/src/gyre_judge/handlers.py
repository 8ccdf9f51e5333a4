"""The Kafka edge: one function an event."""

from gyre_common.bus import EventBus
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    InteractionCompleted,
)

from gyre_judge.service import Judge


def build_handlers(bus: EventBus, judge: Judge) -> None:
    """Let the judge hear of answers."""
    bus.publishes(INTERACTION_JUDGED)

    @bus.on(INTERACTION_COMPLETED, group="judge")
    async def on_interaction_completed(event: InteractionCompleted) -> None:
        await judge.judge_interaction(event)
