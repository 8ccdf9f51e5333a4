"""The bus in memory, for unit tests: the same scheduler and rules, no broker."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID
from zlib import crc32

from gyre_common.bus.dead_letters import Cause, cause_of
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.envelope import headers_for
from gyre_common.bus.handling import InBatches
from gyre_common.bus.holds import Held
from gyre_common.bus.partition import Partition
from gyre_common.bus.port import EventBus
from gyre_common.bus.record import RawRecord, check_size, id_for_next_event
from gyre_common.bus.rereading import without_value
from gyre_common.bus.scheduler import Handling, Scheduler
from gyre_common.errors import Unavailable
from gyre_common.events.event import Event, new_id, now
from gyre_common.events.topic import Topic

E = TypeVar("E", bound=Event)

_QUICK = Delivery(retry_first=0.001, retry_longest=0.01, handler_limit=5.0, drain_limit=2.0)
_TICK = 0.05


@dataclass(frozen=True)
class StoredRecord:
    """A record of the in-memory log; a `RawRecord`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Parked:
    """A record that could not be handled, and why."""

    raw: RawRecord
    cause: Cause


class MemoryBus(EventBus):
    """A test puts records in and sees what came out. What is delivered together is a batch.

    `published` lists the events published, in order; `sent` the same as records, with headers and
    tombstones; `parked` the dead letters. What is published is delivered to this bus's own
    handlers as well. With `down` set, publishing raises `Unavailable`.
    """

    def __init__(self, *, service: str = "test", delivery: Delivery = _QUICK) -> None:
        self.published: list[tuple[Topic[Any], Event]] = []
        self.sent: list[StoredRecord] = []
        self.parked: list[Parked] = []
        self.down = False
        self._ticking: asyncio.Task[None] | None = None
        self._service = service
        self._delivery = delivery
        self._subscriptions: dict[str, list[_Subscription]] = defaultdict(list)
        self._log: dict[tuple[str, int], list[StoredRecord]] = defaultdict(list)

    def _subscribe(
        self,
        topics: Topic[Any] | Sequence[str],
        group: str,
        handling: Handling,
        handler: Callable[..., Any],
    ) -> None:
        names = [topics.name] if isinstance(topics, Topic) else topics
        if isinstance(handling, InBatches):
            handling.size = replace(handling.size, max_wait=0)
        subscription = _Subscription(names, group, handling, self._delivery, self.parked, self._log)
        for name in names:
            self._subscriptions[name].append(subscription)

    def publishes(self, *topics: Topic[Any]) -> None:
        """See `EventBus`."""

    async def publish(self, topic: Topic[E], event: E, *, event_id: UUID | None = None) -> None:
        """See `Publisher`."""
        if self.down:
            raise Unavailable("the in-memory bus is down")
        value = event.to_json()
        check_size(topic.name, value)
        headers = headers_for(topic, event_id or id_for_next_event(), self._service)
        self.published.append((topic, event))
        self._send(topic.name, topic.key(event).encode(), value, headers, topic.partitions)

    async def retire(self, topic: Topic[E], key: str) -> None:
        """See `Publisher`."""
        if self.down:
            raise Unavailable("the in-memory bus is down")
        headers = headers_for(topic, id_for_next_event(), self._service)
        self._send(topic.name, key.encode(), None, headers, topic.partitions)

    async def deliver(
        self, topic: Topic[E], *events: E, event_id: UUID | None = None
    ) -> tuple[StoredRecord, ...]:
        """Put events on a topic as if another service had, and wait until they are handled.

        Returns the records. What cannot be handled is in `parked` afterwards.
        """
        return await self.deliver_raw(
            topic,
            *(
                (
                    topic.key(event).encode(),
                    event.to_json(),
                    headers_for(topic, event_id or new_id(), "elsewhere"),
                )
                for event in events
            ),
        )

    async def deliver_raw(
        self,
        topic: Topic[Any],
        *records: tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]],
    ) -> tuple[StoredRecord, ...]:
        """As `deliver`, of (key, value, headers) as they are."""
        stored_records = self.put_raw(topic, *records)
        await self.settled()
        return stored_records

    def put_raw(
        self,
        topic: Topic[Any],
        *records: tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]],
    ) -> tuple[StoredRecord, ...]:
        """As `deliver_raw`, without waiting."""
        stored_records = tuple(
            self._store(topic.name, key, value, headers, topic.partitions)
            for key, value, headers in records
        )
        self._hand_out(topic.name, stored_records)
        return stored_records

    async def settled(self) -> None:
        """Wait until every record delivered or published is handled, parked or held."""
        while not all(s.scheduler.at_rest for s in self._all()):
            await asyncio.sleep(0.0005)

    def _send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        partitions: int,
    ) -> None:
        record = self._store(topic, key, value, headers, partitions)
        self.sent.append(record)
        self._hand_out(topic, [record])

    def _store(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        partitions: int,
    ) -> StoredRecord:
        partition = crc32(key or b"") % partitions
        log = self._log[topic, partition]
        timestamp = int(now().timestamp() * 1000)
        record = StoredRecord(topic, partition, len(log), timestamp, key, value, tuple(headers))
        log.append(record)
        return record

    def _hand_out(self, topic: str, records: Sequence[StoredRecord]) -> None:
        for subscription in self._subscriptions.get(topic, ()):
            subscription.scheduler.add(records)

    def _all(self) -> list["_Subscription"]:
        return list({id(s): s for group in self._subscriptions.values() for s in group}.values())

    def healthy(self) -> bool:
        """See `Bus.healthy`."""
        return not self.problems()

    def problems(self) -> list[str]:
        """See `Bus.problems`."""
        return [problem for s in self._all() for problem in s.scheduler.problems]

    def troubles(self) -> list[str]:
        """See `Bus.troubles`."""
        return [
            f"{s.scheduler.group} on {s.scheduler.topic}: {trouble}"
            for s in self._all()
            for trouble in s.scheduler.troubles
        ]

    async def __aenter__(self) -> Self:
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            for subscription in self._all():
                subscription.scheduler.tick()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        for subscription in self._all():
            await subscription.scheduler.drain(self._delivery.drain_limit)


class _Subscription:
    """One handler of the in-memory bus; implements `Flow`."""

    def __init__(
        self,
        topics: Sequence[str],
        group: str,
        handling: Handling,
        delivery: Delivery,
        parked: list[Parked],
        log: Mapping[tuple[str, int], Sequence[RawRecord]],
    ) -> None:
        self._group = group
        self._log = log
        self._parked = parked
        self.scheduler = Scheduler(handling, self, delivery, topic=topics[0], group=group)

    def pause(self, partition: Partition) -> None:
        """See `Flow`: all records are here already."""

    def resume(self, partition: Partition) -> None:
        """See `Flow`: all records are here already."""

    def held(self, held: Held) -> None:
        """See `Flow`: nobody can skip it here."""

    def without_value(self, raw: RawRecord) -> RawRecord:
        """See `Flow`."""
        return without_value(raw)

    async def read_again(self, raw: RawRecord) -> RawRecord:
        """See `Flow`."""
        return self._log[raw.topic, raw.partition][raw.offset]

    async def park(self, raw: RawRecord, cause: Exception, attempts: int) -> None:
        """See `Flow`."""
        why = cause_of(raw, cause, attempts=attempts, group=self._group)
        self._parked.append(Parked(raw, why))
