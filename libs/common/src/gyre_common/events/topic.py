"""A topic owns its name, its model and its key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gyre_common.events.event import Event

DAY_MS = 24 * 60 * 60 * 1000
DLQ_SUFFIX = ".dlq"

LARGEST_EVENT = 512 * 1024
"""Bytes of an event's JSON. What would be larger travels by reference."""

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Topic(Generic[E]):
    """A named stream of one kind of event.

    `from_outside`: not only Gyre's services write it, so that records which are no such events say
    nothing about this version of Gyre.

    `broker_time`: records carry the time at which the broker took them, not their producer's.
    """

    name: str
    model: type[E]
    key: Callable[[E], str]
    summary: str
    compacted: bool = False
    from_outside: bool = False
    broker_time: bool = False
    partitions: int = 8
    retention_ms: int = 30 * DAY_MS

    @property
    def dlq(self) -> str:
        """Where records that can never be handled are parked, byte for byte."""
        return self.name + DLQ_SUFFIX
