"""The partitions that a subscription holds: says so in Kafka, and waits until somebody skips."""

import asyncio
import logging
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from gyre_common.bus.held_records import HeldRecord, dlq_end, held_by, wait_for_skip
from gyre_common.bus.partition import Partition, Pending
from gyre_common.bus.record import UnreadValue, sha256
from gyre_common.bus.scheduler import Scheduler, describe
from gyre_common.errors import GyreError
from gyre_common.events.event import now

log = logging.getLogger(__name__)

_PAUSE_AFTER_FAILURE = 1.0


@dataclass(frozen=True)
class Note:
    """What is committed beside a partition's offset, and the offset while nothing is finished."""

    text: str
    resume_at: int


class Holding:
    """`notes` are to be committed, by partition."""

    def __init__(self, servers: str, group_id: str, scheduler: Scheduler) -> None:
        self.notes: dict[TopicPartition, Note] = {}
        self._servers = servers
        self._group_id = group_id
        self._scheduler = scheduler
        self._waiting: dict[TopicPartition, asyncio.Task[None]] = {}

    def hold(self, partition: Partition, consumer: AIOKafkaConsumer) -> None:
        """Wait until the record at which this partition is held is skipped, then go on."""
        place = TopicPartition(partition.topic, partition.number)
        waiting = self._waiting.pop(place, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting[place] = asyncio.create_task(self._until_skipped(place, partition, consumer))

    def stop(self) -> None:
        """Wait no more; the notes stay."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    def forget(self) -> None:
        """The partitions are somebody else's now."""
        self.notes.clear()

    async def _until_skipped(
        self, place: TopicPartition, partition: Partition, consumer: AIOKafkaConsumer
    ) -> None:
        pending = partition.held_record
        assert pending is not None
        while True:
            try:
                record = await self._record(partition, pending)
                resume_at = _resume_at(partition, pending, await consumer.committed(place))
                self.notes[place] = Note(record.to_metadata(), resume_at)
                await wait_for_skip(self._servers, record)
            except (KafkaError, GyreError, TimeoutError) as error:
                log.warning(
                    "held, and not known whether skipped",
                    extra={**self._scheduler.consumer.log_fields, "cause": describe(error)},
                )
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
            else:
                break
        log.warning("held record skipped", extra={"held": record.place, "group": record.group})
        self._waiting.pop(place, None)
        self.notes.pop(place, None)
        self._scheduler.skip(partition)

    async def _record(self, partition: Partition, pending: Pending) -> HeldRecord:
        """As it was noted before a restart, so that a skip decided meanwhile counts."""
        raw = pending.raw
        value = b"" if raw.value is None else raw.value
        record = HeldRecord(
            group=self._scheduler.consumer.group,
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            cause=partition.held_cause,
            since=now().isoformat(timespec="seconds"),
            dlq_offset=-1,
            digest=value.digest if isinstance(value, UnreadValue) else sha256(value),
            size=value.size if isinstance(value, UnreadValue) else len(value),
            breaker_open=self._scheduler.stopped is not None,
        )
        for before in await held_by(self._servers, [self._group_id]):
            if before.place == record.place:
                return replace(record, since=before.since, dlq_offset=before.dlq_offset)
        return replace(record, dlq_offset=await dlq_end(self._servers, raw.topic))


def _resume_at(partition: Partition, pending: Pending, committed: int | None) -> int:
    """What stays committed while nothing is finished: never what lies behind the record."""
    if committed is not None:
        return committed
    value = pending.raw.value
    first = value.first if isinstance(value, UnreadValue) else pending.raw.offset
    return min(first, partition.oldest_unfinished)
