"""Delivery over Kafka: at least once, in order per key, with retries and dead letters.

`Bus` is the real one; unit tests have one in memory with the same face (`tests/fakes`).
"""

from gyre_common.bus import fetched
from gyre_common.bus.compacted import CompactedReader, Retired, followed
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.kafka_bus import Bus
from gyre_common.bus.port import EventBus
from gyre_common.bus.record import RawRecord, Record, current_record

fetched.install()

__all__ = [
    "Bus",
    "CompactedReader",
    "Delivery",
    "EventBus",
    "RawRecord",
    "Record",
    "Retired",
    "current_record",
    "followed",
]
