"""One subscription on Kafka: FastStream polls, the scheduler works, this commits and drains."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from time import perf_counter
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
)
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage

from gyre_common.bus.delivery import Delivery
from gyre_common.bus.held_records import HeldRecord, Holding, held_by
from gyre_common.bus.holds import Held
from gyre_common.bus.partition import Partition
from gyre_common.bus.record import RawRecord
from gyre_common.bus.rereading import Rereader, without_value
from gyre_common.bus.resting import FETCH_WAIT_MS, IDLE_WAIT_MS, rest
from gyre_common.bus.scheduler import Handling, Scheduler, describe
from gyre_common.errors import Unavailable

log = logging.getLogger(__name__)

_POLL_MS = 20
_POLL_RECORDS = 500
_PATIENCE = 0.05
_REBALANCE_MARGIN = 20.0

_HELD_LIMIT = 2.0
"""Seconds of a rebalance: a member that takes too long over it is expelled."""

_PAUSE_AFTER_FAILURE = 1.0
_FAILURE_COUNTS = 15.0
"""Seconds after which a fetch that failed and did not fail again is forgotten."""

Poll = Callable[..., Awaitable[Any]]
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
        servers: str,
        replica: str = "",
    ) -> None:
        self._topics = tuple(topics)
        self._group = group
        self.group_id = f"{group}.{topics[0]}"
        self.park = park
        self._delivery = delivery
        self._replica = replica
        self._ticking: asyncio.Task[None] | None = None
        self._fetch_problem = ""
        self._fetch_failed_at = -inf
        self._subscriber: Any = None
        self._closing = False
        self._rebalancing = False
        self._waits_for_records = False
        self._had_partitions = False
        name = topics[0] if len(topics) == 1 else f"{len(topics)} topics"
        self.scheduler = Scheduler(handling, self, delivery, topic=name, group=group)
        self._servers = servers
        self._holding = Holding(servers, self.group_id, self.scheduler)
        self._rereader = Rereader(servers)

    def register(self, broker: KafkaBroker, handler: Callable[..., Any], payload: object) -> None:
        """Make the broker read these topics. Handler and payload are what AsyncAPI shows."""
        delivery = self._delivery
        session = delivery.static_session if self._replica else delivery.session
        self._subscriber = broker.subscriber(
            *self._topics,
            batch=True,
            group_id=self.group_id,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            batch_timeout_ms=_POLL_MS,
            max_records=_POLL_RECORDS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            group_instance_id=f"{self.group_id}.{self._replica}" if self._replica else None,
            session_timeout_ms=int(session * 1000),
            heartbeat_interval_ms=int(min(session, delivery.session) * 1000 / 4),
            rebalance_timeout_ms=int((delivery.drain_limit + _REBALANCE_MARGIN) * 1000),
            listener=self,
            parser=_parse,
            decoder=_same_message,
            no_reply=True,
            title=f"{self._group}.{handler.__name__}",
        )

        async def on_records(message: Any) -> None:
            await self._add_records(message.raw_message)

        on_records.__name__ = handler.__name__
        on_records.__doc__ = handler.__doc__
        on_records.__annotations__ = {"message": payload, "return": None}
        self._subscriber(on_records)

    async def start(self) -> None:
        """Join the group and start working."""
        await self._subscriber.start()
        consumer = self._subscriber.consumer
        consumer.getmany = self._polling(consumer)
        self._ticking = asyncio.create_task(self._tick())

    async def drain(self) -> None:
        """Finish what was started and commit it; take nothing more."""
        self._closing = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())
        self._holding.stop()
        await self.scheduler.drain(self._delivery.drain_limit)
        if self._ticking is not None:
            self._ticking.cancel()
        await self._commit()

    @property
    def problems(self) -> list[str]:
        """Why this subscription does not consume, or not from every partition."""
        ended = [] if self.alive else ["the task that consumes has ended"]
        failing = [self._fetch_problem] if self._fetch_fails else []
        return ended + failing + self.scheduler.problems

    @property
    def troubles(self) -> list[str]:
        """What goes wrong while the others' records are handled."""
        return self.scheduler.troubles

    @property
    def _fetch_fails(self) -> bool:
        return perf_counter() - self._fetch_failed_at < _FAILURE_COUNTS

    @property
    def alive(self) -> bool:
        """Whether it still fetches: only a restart helps one that does not."""
        consumer = self._consumer
        if self._ticking is None or self._closing or consumer is None:
            return True
        fetching: asyncio.Task[None] = consumer._fetcher.error_future
        polling = any(not task.done() for task in self._subscriber.tasks)
        tasks_run = polling and not fetching.done() and not self._ticking.done()
        return tasks_run and not self.scheduler.failed

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber is not None else None

    async def _add_records(self, records: Sequence[RawRecord]) -> None:
        scheduler = self.scheduler
        if self._closing:
            return  # not finished, hence not committed: whoever reads them next gets them
        try:
            scheduler.add(records)
        except Exception as error:
            # FastStream would log and go on with the next batch, as if these had been handled.
            scheduler.fail(error)
            raise
        await scheduler.make_room(_PATIENCE)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Before a rebalance: every partition is given up, finished and committed."""
        self._rebalancing = True
        self._holding.stop()
        await self.scheduler.drain(self._delivery.drain_limit)
        await self._commit()
        self._holding.forget()
        self.scheduler.forget()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """After a rebalance: Kafka has forgotten every pause, and what another one held comes."""
        self._rebalancing = False
        consumer = self._consumer
        if consumer is not None and self._closing:
            consumer.pause(*assigned)
        if self._had_partitions:
            try:
                async with asyncio.timeout(_HELD_LIMIT):
                    self.held_before(await held_by(self._servers, [self.group_id]))
            except (Unavailable, TimeoutError) as error:
                log.warning("not known what others held", extra=self._about(error))
        self._had_partitions = True

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

    def _polling(self, consumer: AIOKafkaConsumer) -> Poll:
        """Poll so that an idle consumer rests, and a fetch that fails is tried again: FastStream's
        task would end in silence.

        FastStream sleeps for as long as its polls take, so the waiting is done in here.
        """
        getmany = consumer.getmany

        async def poll(*, max_records: int, **settings: Any) -> Any:
            try:
                rest(consumer, idle=not self.scheduler.busy)
                self._waits_for_records = True
                try:
                    records = await getmany(timeout_ms=IDLE_WAIT_MS, max_records=max_records)
                finally:
                    self._waits_for_records = False
            except ConsumerStoppedError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it will be met again
                problem = f"fetching fails: {describe(error)}"
                if problem != self._fetch_problem or not self._fetch_fails:
                    log.error("fetching fails", extra=self._about(error))
                self._fetch_problem = problem
                self._fetch_failed_at = perf_counter()
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
                return {}
            if records:
                rest(consumer, idle=False)
            return records

        return poll

    async def _note_positions(self) -> None:
        """What was read and holds no record, as the markers of transactions and what was aborted,
        is done: committed, so that it is no lag for others either.

        Only while the poll waits is every record that was read with the scheduler, and only while
        no rebalance runs, which lets go of records.
        """
        consumer = self._consumer
        if consumer is None:
            return
        for place in consumer.assignment():
            partition = self.scheduler.partition_at(place.topic, place.partition)
            if partition.resumed_at is None:
                partition.resumed_at = await consumer.committed(place) or 0
            position = await consumer.position(place)
            is_stopping = self._closing or self._rebalancing or self.scheduler.stopped
            if self._waits_for_records and not is_stopping:
                self.scheduler.partition_at(place.topic, place.partition).passed(position)

    def without_value(self, raw: RawRecord) -> RawRecord:
        """See `Flow`."""
        return without_value(raw)

    async def read_again(self, raw: RawRecord) -> RawRecord:
        """See `Flow`."""
        return await self._rereader.read(raw)

    def held_before(self, records: Sequence[HeldRecord]) -> None:
        """What this group held when it was last seen: an open breaker stays open."""
        for record in records:
            if record.breaker_open and f"{record.group}.{self._topics[0]}" == self.group_id:
                reason = record.cause.partition("; the last one: ")[0]
                self.scheduler.breakers.open(reason, record.party)

    def held(self, held: Held) -> None:
        """See `Flow`."""
        assert self._consumer is not None
        self._holding.hold(held, self._consumer)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._delivery.commit_every)
            self.scheduler.tick()
            if not self.scheduler.busy:
                self._rereader.forget()
            try:
                async with asyncio.timeout(self._delivery.commit_limit):
                    await self._note_positions()
                    await self._measure_lag()
            except (TimeoutError, KafkaError) as error:
                log.info("lag not measured", extra=self._about(error))
            self.scheduler.measures.problem.set(bool(self.problems or self.troubles))
            await self._commit()

    async def _commit(self) -> None:
        """Commit the watermarks that moved. What cannot be committed now is tried next time."""
        consumer = self._consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        offsets: dict[TopicPartition, tuple[int, str]] = {}
        partition_of: dict[TopicPartition, Partition] = {}
        for partition in self.scheduler.partitions:
            place = TopicPartition(partition.topic, partition.number)
            resume_at, note = self._holding.note(place, partition.watermark)
            offset = resume_at if partition.watermark is None else partition.watermark
            if place in assigned and offset is not None and (offset, note) != partition.committed:
                offsets[place] = offset, note
                partition_of[place] = partition
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
            for place, committed in offsets.items():
                partition_of[place].committed = committed

    def _about(self, error: Exception) -> dict[str, object]:
        return self.scheduler.log_fields(cause=describe(error))

    async def _measure_lag(self) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        lag = 0
        for partition in self.scheduler.partitions:
            place = TopicPartition(partition.topic, partition.number)
            end = consumer.highwater(place) if place in consumer.assignment() else None
            if end is None:
                continue
            done = partition.oldest_unfinished
            if not partition.unfinished and not self.scheduler.stopped:
                # The position passes the markers of transactions, which are no records.
                done = max(done, await consumer.position(place))
            lag += max(0, end - done)
        self.scheduler.measures.lag.set(lag)


async def _parse(records: tuple[Any, ...]) -> KafkaAckableMessage:
    """Hand records on untouched.

    The stock parser raises on a header that is not UTF-8, and FastStream then skips the whole
    batch.
    """
    return KafkaAckableMessage(
        body=b"", raw_message=records, consumer=FAKE_CONSUMER, correlation_id="-"
    )


async def _same_message(message: KafkaAckableMessage) -> KafkaAckableMessage:
    return message
