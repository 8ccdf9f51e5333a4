"""The topics of dead letters in memory, and those that they came from."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from zlib import crc32

from gyre_common.bus.envelope import Headers
from gyre_common.bus.record import RawRecord
from gyre_common.events.event import now
from gyre_common.events.topic import DLQ_SUFFIX

from tests.fakes.bus import StoredRecord

_AT_ONCE = 3


class MemoryDeadLetters:
    """Implements `DeadLetterLog`. Topics have four partitions, those of dead letters one."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, int], list[StoredRecord]] = defaultdict(list)
        self._first: dict[tuple[str, int], int] = defaultdict(int)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["MemoryDeadLetters"]:
        """As `open_dead_letters`."""
        yield self

    def records(self, topic: str) -> list[StoredRecord]:
        """Of all its partitions."""
        return [one for (name, _), log in self._records.items() if name == topic for one in log]

    def forget(self, topic: str, partition: int, *, before: int) -> None:
        """What is older has passed the topic's retention."""
        self._first[topic, partition] = before

    async def all_bounds(self) -> Mapping[str, tuple[int, int]]:
        """See `DeadLetterLog`."""
        logs = self._records.items()
        names = {name for (name, _), log in logs if log and name.endswith(DLQ_SUFFIX)}
        return {name: await self.bounds(name) for name in names}

    async def bounds(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """See `DeadLetterLog`."""
        return self._first[topic, partition], len(self._records[topic, partition])

    async def read(
        self, topic: str, start: int, end: int, *, partition: int = 0
    ) -> AsyncIterator[Sequence[RawRecord]]:
        """See `DeadLetterLog`."""
        first = max(start, self._first[topic, partition])
        records = self._records[topic, partition][first:end]
        for at in range(0, len(records), _AT_ONCE):
            yield records[at : at + _AT_ONCE]

    async def read_all(
        self, ranges: Mapping[str, tuple[int, int]]
    ) -> AsyncIterator[Sequence[RawRecord]]:
        """See `DeadLetterLog`."""
        for topic, (start, end) in ranges.items():
            async for records in self.read(topic, start, end):
                yield records

    async def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int | None = None,
    ) -> None:
        """See `DeadLetterLog`."""
        if partition is None:
            partition = 0 if topic.endswith(DLQ_SUFFIX) else crc32(key or b"") % 4
        self.add(StoredRecord(topic, partition, 0, 0, key, value, tuple(headers)))

    def add(self, record: StoredRecord) -> StoredRecord:
        """At the end of its partition; one without a time gets the present one."""
        log = self._records[record.topic, record.partition]
        timestamp = record.timestamp or int(now().timestamp() * 1000)
        stored = replace(record, offset=len(log), timestamp=timestamp)
        log.append(stored)
        return stored
