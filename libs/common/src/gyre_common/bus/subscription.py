"""One subscription on Kafka: FastStream polls, the scheduler works, this commits and drains."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
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
from gyre_common.bus.held_records import HeldRecord, end_of_letters, held_by, wait_for_skip
from gyre_common.bus.partition import Partition, Pending
from gyre_common.bus.record import RawRecord
from gyre_common.bus.scheduler import Consumer, Handling, Scheduler, describe
from gyre_common.bus.withheld import Withheld, sha256
from gyre_common.errors import GyreError
from gyre_common.events.event import now

log = logging.getLogger(__name__)

_POLL_MS = 20
_POLL_RECORDS = 500
_FETCH_WAIT_MS = 200  # a resumed partition is fetched only once the running fetch has ended
_PATIENCE = 0.05
_REBALANCE_MARGIN = 20.0

_PAUSE_AFTER_FAILURE = 1.0
_FAILURE_COUNTS = 15.0
"""Seconds after which a fetch that failed and did not fail again is forgotten."""

Fetch = Callable[..., Awaitable[Any]]
Park = Callable[[RawRecord, Exception, int], Awaitable[None]]


@dataclass(frozen=True)
class _Note:
    """What is committed beside a partition's offset, and the offset while nothing is finished."""

    text: str
    resume_at: int


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
    ) -> None:
        self._topics = tuple(topics)
        self._group = group
        self.group_id = f"{group}.{topics[0]}"
        self._servers = servers
        self._park = park
        self._delivery = delivery
        self._ticking: asyncio.Task[None] | None = None
        self._waiting: dict[TopicPartition, asyncio.Task[None]] = {}
        self._notes: dict[TopicPartition, _Note] = {}
        self._fetch_problem = ""
        self._fetch_failed_at = -inf
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
            group_id=self.group_id,
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
        consumer = self._subscriber.consumer
        consumer.getmany = self._watched(consumer.getmany)
        self._ticking = asyncio.create_task(self._tick())

    async def drain(self) -> None:
        """Finish what was started and commit it; take nothing more."""
        self._closing = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())
        self._wait_no_more()
        await self.scheduler.drain(self._delivery.drain_limit)
        if self._ticking is not None:
            self._ticking.cancel()
        await self._commit()

    async def stop(self) -> None:
        """Leave the group."""
        await self._subscriber.stop()

    @property
    def problems(self) -> list[str]:
        """Why this subscription does not consume, or not from every partition."""
        ended = [] if self.alive else ["the task that consumes has ended"]
        failed_lately = perf_counter() - self._fetch_failed_at < _FAILURE_COUNTS
        failing = [self._fetch_problem] if failed_lately else []
        return ended + failing + self.scheduler.problems

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

    # Records in

    async def _take_in(self, records: Sequence[RawRecord]) -> None:
        scheduler = self.scheduler
        if self._closing or scheduler.stopped:
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
        self._wait_no_more()
        await self.scheduler.drain(self._delivery.drain_limit)
        await self._commit()
        self._notes.clear()
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

    # Failing fetches

    def _watched(self, getmany: Fetch) -> Fetch:
        """Remember why a fetch fails and try again: FastStream's task would end in silence."""

        async def fetch(*arguments: Any, **settings: Any) -> Any:
            try:
                return await getmany(*arguments, **settings)
            except ConsumerStoppedError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it will be met again
                self._fetch_problem = f"fetching fails: {describe(error)}"
                self._fetch_failed_at = perf_counter()
                log.error("fetching fails", extra=self._about(error))
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
                return {}

        return fetch

    # Held partitions

    def held_before(self, records: Sequence[HeldRecord]) -> None:
        """What this group held when it was last seen: an open breaker stays open."""
        for record in records:
            if record.breaker_open and f"{record.group}.{self._topics[0]}" == self.group_id:
                self.scheduler.reopen_breaker(record.cause)

    def held(self, partition: Partition) -> None:
        """See `Flow`: say so, and wait until somebody skips the record."""
        place = TopicPartition(partition.topic, partition.number)
        waiting = self._waiting.pop(place, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting[place] = asyncio.create_task(self._until_skipped(place, partition))

    async def _until_skipped(self, place: TopicPartition, partition: Partition) -> None:
        pending = partition.held
        assert pending is not None
        while True:
            try:
                record = await self._record_held(partition, pending)
                resume_at = await self._resume_at(partition, pending)
                self._notes[place] = _Note(record.to_metadata(), resume_at)
                await wait_for_skip(self._servers, record)
            except (KafkaError, GyreError, TimeoutError) as error:
                log.warning("held, and not known whether skipped", extra=self._about(error))
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
            else:
                break
        log.warning("held record skipped", extra={"held": record.place, "group": self._group})
        self._waiting.pop(place, None)
        self._notes.pop(place, None)
        self.scheduler.skip(partition)

    async def _record_held(self, partition: Partition, pending: Pending) -> HeldRecord:
        """As it was said before a restart, so that a skip decided meanwhile counts."""
        raw = pending.raw
        value = b"" if raw.value is None else raw.value
        record = HeldRecord(
            group=self._group,
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            cause=partition.held_cause,
            since=now().isoformat(timespec="seconds"),
            letters=-1,
            digest=value.digest if isinstance(value, Withheld) else sha256(value),
            size=value.size if isinstance(value, Withheld) else len(value),
            breaker_open=self.scheduler.stopped is not None,
        )
        for before in await held_by(self._servers, [self.group_id]):
            if before.place == record.place:
                return replace(record, since=before.since, letters=before.letters)
        return replace(record, letters=await end_of_letters(self._servers, raw.topic))

    async def _resume_at(self, partition: Partition, pending: Pending) -> int:
        """What stays committed while nothing is finished: never what lies behind the record."""
        consumer = self._consumer
        assert consumer is not None
        committed = await consumer.committed(TopicPartition(partition.topic, partition.number))
        if committed is not None:
            return int(committed)
        value = pending.raw.value
        first = value.first if isinstance(value, Withheld) else pending.raw.offset
        return min(first, partition.oldest_unfinished)

    def _wait_no_more(self) -> None:
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    # Commits

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._delivery.commit_every)
            self.scheduler.tick()
            try:
                async with asyncio.timeout(self._delivery.commit_limit):
                    await self._measure_lag()
            except (TimeoutError, KafkaError) as error:
                log.info("lag not measured", extra=self._about(error))
            self.scheduler.measures.troubled(bool(self.problems))
            await self._commit()

    async def _commit(self) -> None:
        """Commit the watermarks that moved. What cannot be committed now is tried next time."""
        consumer = self._consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        offsets: dict[TopicPartition, tuple[int, str]] = {}
        moved: dict[TopicPartition, Partition] = {}
        for partition in self.scheduler.partitions:
            place = TopicPartition(partition.topic, partition.number)
            note = self._notes.get(place)
            offset = partition.watermark
            if offset is None and note is not None:
                offset = note.resume_at
            text = note.text if note is not None else ""
            if place in assigned and offset is not None and (offset, text) != partition.committed:
                offsets[place] = offset, text
                moved[place] = partition
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
                moved[place].committed = committed

    def _about(self, error: Exception) -> dict[str, str]:
        return {**self.scheduler.consumer.log_fields, "cause": f"{type(error).__name__}: {error}"}

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
