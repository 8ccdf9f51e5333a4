"""Reads records again whose values were left in Kafka."""

import asyncio
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from gyre_common.bus.envelope import Headers
from gyre_common.bus.record import LeftValue, RawRecord
from gyre_common.bus.topics import opened
from gyre_common.errors import Poison, Retryable, Unavailable

_SECONDS = 10.0
_POLL_MS = 500


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
    """A consumer of no group. It fetches a run of records at once and keeps those of the last run
    of each partition that were not asked for, as those that were left stand together.
    """

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._runs: dict[TopicPartition, dict[int, RawRecord]] = {}
        self._lock = asyncio.Lock()

    async def read(self, raw: RawRecord) -> RawRecord:
        """The whole record.

        Raises:
            Retryable: Kafka does not answer.
            Poison: it is there no more.
        """
        place = TopicPartition(raw.topic, raw.partition)
        async with self._lock:
            if raw.offset not in self._runs.get(place, {}):
                self._runs[place] = await self._fetch(place, raw.offset)
            record = self._runs[place].pop(raw.offset, None)
        if record is None:
            raise Poison("its value is on the topic no more: it was kept waiting for too long")
        return record

    def forget(self) -> None:
        """Let go of what was not asked for."""
        self._runs.clear()

    async def _fetch(self, place: TopicPartition, offset: int) -> dict[int, RawRecord]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id="gyre-reread",
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        try:
            async with opened(consumer, self._servers), asyncio.timeout(_SECONDS):
                consumer.assign([place])
                consumer.seek(place, offset)
                while not (records := await consumer.getmany(place, timeout_ms=_POLL_MS)):
                    pass
        except (KafkaError, TimeoutError, Unavailable) as error:
            raise Retryable(f"{place.topic} cannot be read again now") from error
        return {record.offset: record for record in records[place]}
