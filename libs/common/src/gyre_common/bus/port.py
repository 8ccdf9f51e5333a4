"""The port that handlers register at: the bus on Kafka and the one in memory both have it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from gyre_common.bus.batches import BatchHandler
from gyre_common.bus.one_by_one import Handler
from gyre_common.bus.record import RawRecord, Record
from gyre_common.events.event import Event
from gyre_common.events.publisher import Publisher
from gyre_common.events.topic import Topic

E = TypeVar("E", bound=Event)


class EventBus(Publisher, Protocol):
    """Consumes and publishes events; `Bus` says what each method promises."""

    def on(
        self, topic: Topic[E], *, group: str, concurrency: int = 16
    ) -> Callable[[Handler[E]], Handler[E]]:
        """Register a handler of single events."""

    def on_batch(
        self, topic: Topic[E], *, group: str, max_records: int, max_wait: float
    ) -> Callable[[BatchHandler[Record[E]]], BatchHandler[Record[E]]]:
        """Register a handler of batches."""

    def on_raw_batch(
        self, topics: Sequence[str], *, group: str, max_records: int, max_wait: float
    ) -> Callable[[BatchHandler[RawRecord]], BatchHandler[RawRecord]]:
        """Register a handler of undecoded records of several topics."""

    def publishes(self, *topics: Topic[Any]) -> None:
        """Tell what this service publishes."""
