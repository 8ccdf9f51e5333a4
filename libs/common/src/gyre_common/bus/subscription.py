"""One subscription on Kafka: FastStream polls, the scheduler works, this commits and drains."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage

from gyre_common.bus.delivery import Delivery
from gyre_common.bus.partition import Partition
from gyre_common.bus.record import RawRecord
from gyre_common.bus.scheduler import Consumer, Handling, Scheduler

log = logging.getLogger(__name__)

_POLL_MS = 20
_POLL_RECORDS = 500
_FETCH_WAIT_MS = 200  # a resumed partition is fetched only once the running fetch has ended
_PATIENCE = 0.05
_REBALANCE_MARGIN = 20.0

Park = Callable[[RawRecord, Exception, int], Awaitable[None]]


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]
    """Consumes topics as a member of a group, at least once.

    FastStream's handler only takes records in, so polling and heartbeats go on whatever happens
    to the work (docs/adr/0002).
    """

    def __init__(
        self,
        topics: Sequence[str],
        *,
        group: str,
        handling: Handling,
        park: Park,
        delivery: Delivery,
    ) -> None:
        self._topics = tuple(topics)
        self._group = group
        self._park = park
        self._delivery = delivery
        self._ticking: asyncio.Task[None] | None = None
        self._subscriber: Any = None
        self._closing = False
        name = topics[0] if len(topics) == 1 else f"{len(topics)} topics"
        self.scheduler = Scheduler(Consumer(name, group), handling, self, delivery)

    def register(self, broker: KafkaBroker, handler: Callable[..., Any], payload: object) -> None:
        """Make the broker read these topics. Handler and payload are what AsyncAPI shows."""
        delivery = self._delivery
        self._subscriber = broker.subscriber(
            *self._topics,
            batch=True,
            group_id=f"{self._group}.{self._topics[0]}",
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            batch_timeout_ms=_POLL_MS,
            max_records=_POLL_RECORDS,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            session_timeout_ms=int(delivery.session * 1000),
            heartbeat_interval_ms=int(delivery.session * 1000 / 4),
            rebalance_timeout_ms=int((delivery.drain_limit + _REBALANCE_MARGIN) * 1000),
            listener=self,
            parser=_parse,
            decoder=_hand_on,
            no_reply=True,
            title=f"{self._group}.{handler.__name__}",
        )

        async def take_in(message: Any) -> None:
            await self._take_in(message.raw_message)

        take_in.__name__ = handler.__name__
        take_in.__doc__ = handler.__doc__
        take_in.__annotations__ = {"message": payload, "return": None}
        self._subscriber(take_in)

    async def start(self) -> None:
        """Join the group and start working."""
        await self._subscriber.start()
        self._ticking = asyncio.create_task(self._tick())

    async def drain(self) -> None:
        """Finish what was started and commit it; take nothing more."""
        self._closing = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())
        await self.scheduler.drain(self._delivery.drain_limit)
        if self._ticking is not None:
            self._ticking.cancel()
        await self._commit()

    async def stop(self) -> None:
        """Leave the group."""
        await self._subscriber.stop()

    @property
    def problem(self) -> str | None:
        """Why this subscription consumes no more; None while it does."""
        return self.scheduler.stopped

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber is not None else None

    # Records in

    async def _take_in(self, records: Sequence[RawRecord]) -> None:
        scheduler = self.scheduler
        if self._closing or scheduler.stopped:
            return  # not finished, hence not committed: whoever reads them next gets them
        try:
            scheduler.add(records)
        except Exception as error:
            # FastStream would log and go on with the next batch, as if these had been handled.
            scheduler.stop(f"the delivery layer itself failed: {error!r}")
            raise
        await scheduler.make_room(_PATIENCE)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Before a rebalance: every partition is given up, finished and committed."""
        await self.scheduler.drain(self._delivery.drain_limit)
        await self._commit()
        self.scheduler.forget()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """After a rebalance: Kafka has forgotten every pause."""
        consumer = self._consumer
        if consumer is not None and (self.scheduler.stopped or self._closing):
            consumer.pause(*assigned)

    # Flow

    def pause(self, partition: Partition) -> None:
        """See `Flow`."""
        self._if_assigned(partition, AIOKafkaConsumer.pause)

    def resume(self, partition: Partition) -> None:
        """See `Flow`."""
        self._if_assigned(partition, AIOKafkaConsumer.resume)

    def _if_assigned(
        self, partition: Partition, act: Callable[[AIOKafkaConsumer, TopicPartition], None]
    ) -> None:
        place = TopicPartition(partition.topic, partition.number)
        consumer = self._consumer
        if consumer is not None and place in consumer.assignment():
            act(consumer, place)

    async def park(self, raw: RawRecord, cause: Exception, attempts: int) -> None:
        """See `Flow`."""
        await self._park(raw, cause, attempts)

    # Commits

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._delivery.commit_every)
            self.scheduler.tick()
            self._measure_lag()
            await self._commit()

    async def _commit(self) -> None:
        """Commit the watermarks that moved. What cannot be committed now is tried next time."""
        consumer = self._consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        moved = {
            TopicPartition(p.topic, p.number): p
            for p in self.scheduler.partitions
            if p.watermark is not None and p.watermark != p.committed
        }
        offsets = {place: p.watermark for place, p in moved.items() if place in assigned}
        if not offsets:
            return
        try:
            async with asyncio.timeout(self._delivery.commit_limit):
                await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # A rebalance took the partitions away: their next owner reads on from the last commit.
            log.info("offsets not committed", extra=self._about(error))
        except (TimeoutError, KafkaError) as error:
            log.warning("offsets not committed yet", extra=self._about(error))
        else:
            for place, offset in offsets.items():
                moved[place].committed = offset

    def _about(self, error: Exception) -> dict[str, str]:
        return {**self.scheduler.consumer.log_fields, "cause": f"{type(error).__name__}: {error}"}

    def _measure_lag(self) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        lag = 0
        assigned = consumer.assignment()
        for partition in self.scheduler.partitions:
            place = TopicPartition(partition.topic, partition.number)
            end = consumer.highwater(place) if place in assigned else None
            if end is not None:
                lag += max(0, end - partition.oldest_unfinished)
        self.scheduler.measures.lag(lag)


async def _parse(records: tuple[Any, ...]) -> KafkaAckableMessage:
    """Hand records on untouched.

    The stock parser raises on a header that is not UTF-8, and FastStream then skips the whole
    batch.
    """
    return KafkaAckableMessage(
        body=b"", raw_message=records, consumer=FAKE_CONSUMER, correlation_id="-"
    )


async def _hand_on(message: KafkaAckableMessage) -> KafkaAckableMessage:
    return message
