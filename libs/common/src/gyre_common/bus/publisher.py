"""Puts events on Kafka: idempotent producer, every in-sync replica, bounded waiting."""

import asyncio
import logging
from contextlib import suppress
from time import perf_counter
from typing import Any, Self, TypeVar
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
)

from gyre_common.bus.envelope import Headers, headers_for
from gyre_common.bus.record import RecordTooLarge, check_size, id_for_next_event
from gyre_common.bus.topics import TopicMaker, connected, opened
from gyre_common.errors import Unavailable
from gyre_common.events.event import Event
from gyre_common.events.topic import LARGEST_EVENT, Topic
from gyre_common.telemetry import METRICS

E = TypeVar("E", bound=Event)

log = logging.getLogger(__name__)

_LIMIT_WHILE_DOWN = 1.0
_PAUSE_WHILE_DOWN = 0.5
_CANCEL_AGAIN = 0.01


class KafkaPublisher:
    """Implements `Publisher` on Kafka. Keys decide the partition by murmur2, as in every client.

    `limit` is the longest that a publish may wait for its confirmation, in seconds.
    """

    def __init__(self, servers: str, *, service: str, limit: float) -> None:
        self._servers = servers
        self._service = service
        self._limit = limit
        self.topics = TopicMaker(servers)
        self._producer: AIOKafkaProducer | None = None
        self._replacing = asyncio.Lock()
        self._ended: AIOKafkaProducer | None = None
        self._down = False
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._producer = await self._connected()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        await self._stop(producer)

    @property
    def problem(self) -> str | None:
        """Why nothing can be published now; None while Kafka answers."""
        return f"Kafka at {self._servers} does not answer" if self._down else None

    async def publish(self, topic: Topic[E], event: E, *, event_id: UUID | None = None) -> None:
        """See `Publisher`.

        Raises:
            Unavailable: Kafka did not confirm in time.
            RecordTooLarge: the event is larger than a record may be.
        """
        value = event.to_json()
        check_size(topic.name, value)
        started = perf_counter()
        headers = headers_for(topic, event_id or id_for_next_event(), self._service)
        await self.put(topic, topic.key(event).encode(), value, headers)
        METRICS.records_published.labels(topic.name).inc()
        METRICS.record_publish_seconds.labels(topic.name).observe(perf_counter() - started)

    async def retire(self, topic: Topic[E], key: str) -> None:
        """See `Publisher`."""
        headers = headers_for(topic, id_for_next_event(), self._service)
        await self.put(topic, key.encode(), None, headers)

    async def put(
        self,
        topic: Topic[Any] | str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int | None = None,
    ) -> None:
        """Put bytes on a topic, and wait until they are safe. One given by name must exist. Without
        a partition the key decides.

        Raises:
            Unavailable, RecordTooLarge: as `publish`.
        """
        name = topic.name if isinstance(topic, Topic) else topic
        # Who waited in vain a moment ago need not wait as long again.
        limit = min(_LIMIT_WHILE_DOWN, self._limit) if self._down else self._limit
        # Kafka's protocol knows records with neither key nor value; this client's API does not.
        if key is None and value is None:
            key = b""
        try:
            async with asyncio.timeout(limit):
                if isinstance(topic, Topic):
                    await self.topics.ensure(topic)
                if self._producer is None:
                    raise Unavailable("the bus is not open")
                producer = self._producer
                try:
                    if producer is self._ended:
                        raise ProducerClosed
                    await producer.send_and_wait(name, value, key, partition, headers=headers)
                except (OutOfOrderSequenceNumber, ProducerClosed):
                    producer = await self._replaced(producer)
                    await producer.send_and_wait(name, value, key, partition, headers=headers)
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(f"Kafka refuses a record of this size on {name}") from error
        except (TimeoutError, KafkaError) as error:
            self._down = True
            if self._watching is None or self._watching.done():
                self._watching = asyncio.create_task(self._until_it_answers())
            raise Unavailable(
                f"Kafka at {self._servers} did not confirm a record on {name} within {limit:g} s"
            ) from error
        self._down = False

    async def _connected(self) -> AIOKafkaProducer:
        return await connected(
            lambda: AIOKafkaProducer(
                bootstrap_servers=self._servers,
                client_id=f"gyre-{self._service}",
                acks="all",
                enable_idempotence=True,
                max_request_size=4 * LARGEST_EVENT,
                request_timeout_ms=10_000,
            ),
            self._servers,
        )

    async def _stop(self, producer: AIOKafkaProducer) -> None:
        try:
            await asyncio.wait_for(producer.stop(), self._limit)
        except TimeoutError:
            log.warning("stopped without Kafka: events that nobody waits for may be lost")

    async def _replaced(self, producer: AIOKafkaProducer) -> AIOKafkaProducer:
        """Another one in its place. aiokafka numbers also an event that it drops because nobody led
        its partition for too long, and the broker takes nothing behind such a gap, ever.
        """
        async with self._replacing:
            if self._producer is producer:
                log.warning(
                    "replacing a producer that left a gap", extra={"servers": self._servers}
                )
                self._ended = producer
                await end_without_flush(producer)
                following = await self._connected()
                if self._producer is producer:
                    self._producer, self._ended = following, None
                else:  # closed meanwhile
                    await self._stop(following)
            if self._producer is None:
                raise Unavailable("the bus is not open")
            return self._producer

    async def _until_it_answers(self) -> None:
        """Notice when Kafka is back: callers may have stopped trying."""
        while self._down:
            await asyncio.sleep(_PAUSE_WHILE_DOWN)
            admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, client_id="gyre-watch")
            with suppress(Unavailable):
                async with (
                    opened(admin, self._servers, within=_LIMIT_WHILE_DOWN),
                    asyncio.timeout(_LIMIT_WHILE_DOWN),
                ):
                    await admin.list_topics()
                    self._down = False


async def end_without_flush(producer: AIOKafkaProducer) -> None:
    """Whoever waits for it gets `OutOfOrderSequenceNumber`.

    A flush would come later than what the next producer writes: an older event of a key would take
    the place of a newer one.
    """
    accumulator, sending = producer._message_accumulator, producer._sender.sender_task
    accumulator.fail_all(OutOfOrderSequenceNumber())
    accumulator.reenqueue = _drop
    while not sending.done():  # it waits for each request under way, a cancellation each
        sending.cancel()
        await asyncio.wait([sending], timeout=_CANCEL_AGAIN)
    await producer.stop()


def _drop(batch: object) -> None:
    """Instead of trying it again."""
