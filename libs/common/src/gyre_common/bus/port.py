"""The port that handlers register at: the bus on Kafka and the one in memory both have it."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Protocol, TypeVar

from gyre_common.bus.decoding import decoder, undecoded
from gyre_common.bus.handling import (
    BatchHandler,
    BatchSize,
    Handler,
    InBatches,
    InvalidHandler,
    OneByOne,
)
from gyre_common.bus.record import (
    RawRecord,
    Record,
    TenantOf,
    tenant_by_key,
    tenant_by_value,
)
from gyre_common.bus.scheduler import Handling
from gyre_common.events.event import Event
from gyre_common.events.publisher import Publisher
from gyre_common.events.topic import Topic

E = TypeVar("E", bound=Event)


class EventBus(Publisher, Protocol):
    """Consumes and publishes events."""

    def on(
        self,
        topic: Topic[E],
        *,
        group: str,
        concurrency: int = 16,
        by_tenant: bool = False,
        on_invalid: InvalidHandler | None = None,
    ) -> Callable[[Handler[E]], Handler[E]]:
        """Register a handler of single events: in order per key, `concurrency` keys at once.

        With `by_tenant` tenants take turns, so that one's backlog does not keep another's events
        waiting; keys begin with the tenant, but for a topic that outsiders write. Of such a topic
        `on_invalid` hears of what is no event, before it is parked.
        """

        def register(handler: Handler[E]) -> Handler[E]:
            decode = decoder(topic, _maker(group, handler))
            handling = OneByOne(
                decode,
                handler,
                concurrency,
                tenant_of=_tenant_of(topic, by_tenant),
                on_invalid=on_invalid,
            )
            self._subscribe(topic, group, handling, handler)
            return handler

        return register

    def on_batch(
        self,
        topic: Topic[E],
        *,
        group: str,
        max_records: int,
        max_wait: float,
        max_bytes: float = inf,
        by_tenant: bool = False,
    ) -> Callable[[BatchHandler[Record[E]]], BatchHandler[Record[E]]]:
        """Register a handler of batches; a record that spoils a batch is found by splitting it.
        What the handler returns comes again behind `max_records` others, or as many as there are.

        `by_tenant` as in `on`.
        """

        def register(handler: BatchHandler[Record[E]]) -> BatchHandler[Record[E]]:
            decode = decoder(topic, _maker(group, handler))
            size = BatchSize(max_records, max_wait, max_bytes)
            handling = InBatches(decode, handler, size, tenant_of=_tenant_of(topic, by_tenant))
            self._subscribe(topic, group, handling, handler)
            return handler

        return register

    def on_raw_batch(
        self, topics: Sequence[str], *, group: str, max_records: int, max_wait: float
    ) -> Callable[[BatchHandler[RawRecord]], BatchHandler[RawRecord]]:
        """Register a handler of undecoded records of several topics, such as the dead letters.

        A record that it cannot handle stays where it is: it is logged and passed over.
        """

        def register(handler: BatchHandler[RawRecord]) -> BatchHandler[RawRecord]:
            handling = InBatches(undecoded, handler, BatchSize(max_records, max_wait))
            self._subscribe(topics, group, handling, handler)
            return handler

        return register

    @abstractmethod
    def _subscribe(
        self,
        topics: Topic[Any] | Sequence[str],
        group: str,
        handling: Handling,
        handler: Callable[..., Any],
    ) -> None:
        """Bring the records of one topic, or undecoded those of several, to this handling."""

    @abstractmethod
    def publishes(self, *topics: Topic[Any]) -> None:
        """Tell AsyncAPI, and whoever creates topics, what this service publishes."""


def _maker(group: str, handler: Callable[..., Any]) -> str:
    return f"{group}/{handler.__name__}"


def _tenant_of(topic: Topic[Any], by_tenant: bool) -> TenantOf | None:
    if not by_tenant:
        return None
    return tenant_by_value if topic.from_outside else tenant_by_key
