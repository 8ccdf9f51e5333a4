"""The feedback collector's Kafka edge: it consumes nothing and publishes what people say."""

from gyre_common.bus import EventBus
from gyre_common.events.feedback import FEEDBACK_RECEIVED


def build_handlers(bus: EventBus) -> None:
    """Tell the bus what the feedback collector publishes."""
    bus.publishes(FEEDBACK_RECEIVED)
