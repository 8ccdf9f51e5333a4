"""The generator's Kafka edge: it consumes nothing and publishes every answer."""

from gyre_common.bus import Bus
from gyre_common.events.interactions import INTERACTION_COMPLETED


def build_handlers(bus: Bus) -> None:
    """Tell the bus what the generator publishes."""
    bus.publishes(INTERACTION_COMPLETED)
