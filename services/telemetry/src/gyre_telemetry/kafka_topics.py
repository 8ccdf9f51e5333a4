"""The topics that become rows, read from the beginning without a consumer group."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from gyre_common.bus import RawRecord
from gyre_common.bus.decoding import decoder, undecoded
from gyre_common.bus.topics import opened
from gyre_common.events import ALL_TOPICS
from gyre_common.events.topic import DLQ_SUFFIX
from gyre_common.redaction import redacted

from gyre_telemetry.rebuild import Positions, Read
from gyre_telemetry.service import TableRow
from gyre_telemetry.translation import TRANSLATIONS, dead_letter, origin_of

_CLIENT = "gyre-telemetry-rebuild"
_AT_ONCE = 1_000
_POLL_MS = 200
_FETCHED_BYTES = 256 * 1024
"""Of a partition at once: there are some two hundred of them."""


def topics_of_rows() -> list[str]:
    """Names of all topics that become rows, those of dead letters among them."""
    return [topic.name for topic, _ in TRANSLATIONS] + [topic.dlq for topic in ALL_TOPICS]


class KafkaTopics:
    """Implements `Topics`. What is missing has no records."""

    def __init__(self, servers: str, topics: Sequence[str]) -> None:
        self._servers = servers
        self._topics = topics

    async def read(self, positions: Positions) -> AsyncGenerator[Read, None]:
        """See `Topics`."""
        places = await self._partitions()
        if not places:
            return
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=_CLIENT,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_partition_fetch_bytes=_FETCHED_BYTES,
        )
        async with opened(consumer, self._servers):
            consumer.assign(places)
            begins = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
            at = {each: max(positions.get(_name(each), 0), begins[each]) for each in places}
            for place, offset in at.items():
                consumer.seek(place, offset)
            while left := _left(at, ends):
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
                # Positions pass the markers of transactions, which are no records.
                for place in left:
                    at[place] = await consumer.position(place)
                yield Read(
                    [record for records in batches.values() for record in records],
                    {_name(place): offset for place, offset in at.items()},
                    sum(ends[place] - at[place] for place in _left(at, ends)),
                )

    async def _partitions(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, client_id=_CLIENT)
        async with opened(admin, self._servers):
            there = set(await admin.list_topics())
            described = await admin.describe_topics(sorted(there & set(self._topics)))
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]


def translator() -> Callable[[RawRecord], Iterable[TableRow]]:
    """The rows of a record of any of these topics. Raises Poison for one that can be none."""
    read: dict[str, Callable[[RawRecord], Iterator[TableRow]]] = {
        topic.name: _rows_of(decoder(topic, ""), translate) for topic, translate in TRANSLATIONS
    }

    def rows(raw: RawRecord) -> Iterable[TableRow]:
        if raw.topic.endswith(DLQ_SUFFIX):
            return dead_letter(undecoded(raw), origin_of(raw))
        return read[raw.topic](raw)

    return rows


def _rows_of(decode: Any, translate: Any) -> Callable[[RawRecord], Iterator[TableRow]]:
    def rows(raw: RawRecord) -> Iterator[TableRow]:
        record = decode(raw)
        if record is not None:
            yield from translate(redacted(record.event), origin_of(raw))

    return rows


def _left(at: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> list[TopicPartition]:
    return [place for place, end in ends.items() if at[place] < end]


def _name(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
