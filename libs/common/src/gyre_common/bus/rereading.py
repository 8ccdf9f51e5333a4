"""Reads records again whose values were left in Kafka."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from gyre_common.bus.envelope import Headers
from gyre_common.bus.record import LeftValue, RawRecord, RecordGone, UnreadValue
from gyre_common.bus.topics import opened
from gyre_common.errors import Retryable, Unavailable

_SECONDS = 10.0
_POLL_MS = 500
_RUNS = 4

Run = dict[int, RawRecord]
"""By offset."""


class LeftRecord(NamedTuple):
    """A record whose value was left in Kafka."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: LeftValue
    headers: Headers


def without_value(raw: RawRecord) -> LeftRecord:
    """All but the value and the headers, which come with it again."""
    return LeftRecord(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, LeftValue(), ())


class Rereader:
    """Reads with no group. It fetches a run of records at once and keeps those that were not asked
    for, as those that were left stand together: a few runs of each partition, one for each backlog.
    """

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._runs: dict[TopicPartition, deque[Run]] = {}
        self._lock = asyncio.Lock()

    async def read(self, raw: RawRecord) -> RawRecord:
        """The whole record.

        Raises:
            Retryable: Kafka does not answer, or with a damaged batch: another copy may be intact.
            RecordGone: it is there no more.
        """
        place = TopicPartition(raw.topic, raw.partition)
        async with self._lock:
            runs = self._runs.setdefault(place, deque(maxlen=_RUNS))
            record = next((run.pop(raw.offset) for run in runs if raw.offset in run), None)
            if record is None:
                run = await self._fetch(place, raw.offset)
                record = run.pop(raw.offset, None)
                runs.append(run)
        if record is None:
            raise RecordGone(f"{raw.topic} has no offset {raw.offset} in {raw.partition} any more")
        return record

    def forget(self) -> None:
        """Let go of what was not asked for."""
        self._runs.clear()

    async def _fetch(self, place: TopicPartition, offset: int) -> Run:
        """Raises Retryable where the record is part of a damaged batch. Others are left out."""
        run: Run = {}
        for record in await _records(self._servers, place, offset):
            value = record.value
            if not isinstance(value, UnreadValue) or not value.damaged:
                run[record.offset] = record
            elif value.first <= offset <= record.offset:
                raise Retryable(
                    f"{place.topic} cannot be read again in {place.partition} at offset {offset}: "
                    f"{value.reason}"
                )
        return run


async def read_first(servers: str, raw: RawRecord, offset: int) -> RawRecord | None:
    """What lies in this record's partition now at an offset or behind it; None where it is older
    than all that is there. Raises Retryable: Kafka does not answer.
    """
    records = await _records(servers, TopicPartition(raw.topic, raw.partition), offset)
    return records[0] if records else None


async def _records(servers: str, place: TopicPartition, offset: int) -> Sequence[RawRecord]:
    """From there on, as many as one fetch brings."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        client_id="gyre-reread",
        auto_offset_reset="none",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    try:
        async with opened(consumer, servers), asyncio.timeout(_SECONDS):
            consumer.assign([place])
            consumer.seek(place, offset)
            while not (records := await consumer.getmany(place, timeout_ms=_POLL_MS)):
                pass
    except OffsetOutOfRangeError:
        return ()
    except (KafkaError, TimeoutError, Unavailable) as error:
        raise Retryable(f"{place.topic} cannot be read again now") from error
    return list(records[place])
