"""The generator's Kafka edge: it consumes nothing and publishes every answer."""

from gyre_common.bus import EventBus
from gyre_common.events.interactions import INTERACTION_COMPLETED


def build_handlers(bus: EventBus) -> None:
    """Tell the bus what the generator publishes."""
    bus.publishes(INTERACTION_COMPLETED)
