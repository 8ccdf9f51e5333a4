"""The bus on Kafka: subscriptions and publishing behind one door."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Self, TypeVar
from uuid import UUID

from faststream.kafka import KafkaBroker

from gyre_common.bus.dead_letters import cause_of, headers_with, stub_of
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.held_records import HeldRecord, held_by
from gyre_common.bus.port import EventBus
from gyre_common.bus.publisher import KafkaPublisher
from gyre_common.bus.record import RawRecord, RecordTooLarge, UnreadValue
from gyre_common.bus.scheduler import Handling
from gyre_common.bus.subscription import KafkaSubscription, Park
from gyre_common.errors import Unavailable
from gyre_common.events import ALL_TOPICS
from gyre_common.events.event import Event
from gyre_common.events.topic import DLQ_SUFFIX, Topic
from gyre_common.retrying import retry

E = TypeVar("E", bound=Event)

log = logging.getLogger(__name__)

_HELD_LIMIT = 60.0
"""A broker that is just coming up, or at its limit, answers later: what was held must not go on."""

_faststream_log = logging.getLogger("gyre_common.bus.faststream")
_faststream_log.setLevel(logging.ERROR)  # below, it speaks of choices that are ours


class Bus(EventBus):
    """Consumes and publishes events for one service; a `Publisher` too.

    Register handlers first, then enter: that connects (waiting for Kafka as long as it takes),
    creates missing topics and starts to consume. Leaving finishes what was started and commits.

    `replica` is a name that this process has again after a restart and shares with no other of its
    service: back within `Delivery.static_session`, it has its partitions again, and nobody else's
    move meanwhile.
    """

    def __init__(
        self, servers: str, *, service: str, delivery: Delivery | None = None, replica: str = ""
    ) -> None:
        self._servers = servers
        self._replica = replica
        self._service = service
        self._delivery = delivery or Delivery()
        self._publisher = KafkaPublisher(
            servers, service=service, limit=self._delivery.publish_limit
        )
        self._topics: dict[str, Topic[Any]] = {topic.name: topic for topic in ALL_TOPICS}
        self._subscriptions: list[KafkaSubscription] = []
        self._open: AsyncExitStack | None = None
        self.broker = KafkaBroker(
            servers.split(","),
            client_id=f"gyre-{service}",
            apply_types=False,
            consumer_only=True,
            allow_auto_create_topics=False,
            logger=_faststream_log,
        )

    def _subscribe(
        self,
        topics: Topic[Any] | Sequence[str],
        group: str,
        handling: Handling,
        handler: Callable[..., Any],
    ) -> None:
        payload: object = list[bytes]
        park: Park = _skip_raw
        if isinstance(topics, Topic):
            self._topics[topics.name] = topics
            payload, park = topics.model, partial(self._to_dead_letters, group)
            topics = [topics.name]
        subscription = KafkaSubscription(
            topics,
            group=group,
            handling=handling,
            park=park,
            delivery=self._delivery,
            servers=self._servers,
            replica=self._replica,
        )
        subscription.register(self.broker, handler, payload)
        self._subscriptions.append(subscription)

    def publishes(self, *topics: Topic[Any]) -> None:
        """See `EventBus`."""
        for topic in topics:
            self._topics[topic.name] = topic
            self.broker.publisher(
                topic.name,
                schema=topic.model,
                description=topic.summary,
                title=f"{self._service}.{topic.name}",
            )

    async def _to_dead_letters(
        self, group: str, raw: RawRecord, error: Exception, attempts: int
    ) -> None:
        cause = cause_of(raw, error, attempts=attempts, group=group)
        topic = raw.topic + DLQ_SUFFIX
        if not isinstance(raw.value, UnreadValue):
            try:
                await self._publisher.put(
                    topic, raw.key, raw.value, headers_with(raw.headers, cause)
                )
            except RecordTooLarge:
                log.info("parked without its value", extra={"topic": raw.topic})
            else:
                return
        await self._publisher.put(topic, *stub_of(raw, cause))

    async def publish(self, topic: Topic[E], event: E, *, event_id: UUID | None = None) -> None:
        """See `Publisher`."""
        await self._publisher.publish(topic, event, event_id=event_id)

    async def retire(self, topic: Topic[E], key: str) -> None:
        """See `Publisher`."""
        await self._publisher.retire(topic, key)

    def healthy(self) -> bool:
        """Tell whether the bus is open, Kafka answers and every subscription consumes."""
        return self._open is not None and not self.problems()

    def problems(self) -> list[str]:
        """Why events do not flow, a line each: Kafka is away, or a subscription stopped."""
        away = [self._publisher.problem] if self._publisher.problem is not None else []
        return away + [
            f"{s.scheduler.group} on {s.scheduler.topic}: {problem}"
            for s in self._subscriptions
            for problem in s.problems
        ]

    def troubles(self) -> list[str]:
        """What goes wrong while other events flow, a line each: a held tenant, a stuck handler."""
        return [
            f"{s.scheduler.group} on {s.scheduler.topic}: {trouble}"
            for s in self._subscriptions
            for trouble in s.troubles
        ]

    def alive(self) -> bool:
        """Tell whether every task that consumes still runs: a restart helps if not."""
        return all(subscription.alive for subscription in self._subscriptions)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._publisher)
            await self._publisher.topics.ensure(*self._topics.values())
            held = await self._held_before()
            for subscription in self._subscriptions:
                subscription.held_before(held)
            await self.broker.connect()
            stack.push_async_callback(self.broker.stop)
            await _all(subscription.start() for subscription in self._subscriptions)
            self._open = stack.pop_all()
        log.info("bus open", extra={"subscriptions": len(self._subscriptions)})
        return self

    async def _held_before(self) -> list[HeldRecord]:
        if not self._subscriptions:
            return []
        groups = [each.group_id for each in self._subscriptions]
        try:
            return await retry(
                partial(held_by, self._servers, groups),
                Unavailable,
                first=0.2,
                longest=5.0,
                seconds=_HELD_LIMIT,
            )
        except Unavailable as error:
            log.error("not known what was held before", extra={"cause": str(error.__cause__)})
            return []

    async def __aexit__(self, *error: object) -> None:
        if self._open is None:
            return
        stack, self._open = self._open, None
        await _all(subscription.drain() for subscription in self._subscriptions)
        await stack.aclose()


async def _all(steps: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(step)


async def _skip_raw(raw: RawRecord, error: Exception, attempts: int) -> None:
    """The scheduler logs it."""
