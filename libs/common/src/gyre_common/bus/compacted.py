"""Reads whole topics without a consumer group: up to their ends, or following every change."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from gyre_common.bus.decoding import decoder
from gyre_common.bus.record import RawRecord, Record
from gyre_common.bus.resting import IDLE_WAIT_MS, rest
from gyre_common.bus.topics import connected, ensure_topics
from gyre_common.errors import Poison
from gyre_common.events.event import Event
from gyre_common.events.topic import Topic
from gyre_common.retrying import retry

E = TypeVar("E", bound=Event)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)

log = logging.getLogger(__name__)

_POLL_MS = 200
_PAUSE_AFTER_ERROR = 1.0


def partitions_of(topic: Topic[Any]) -> list[TopicPartition]:
    """All of them, as the topic declares them: what a consumer is assigned to read it whole."""
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


async def records_up_to_now(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> AsyncIterator[RawRecord]:
    """Every record that was there when this was called, in order by partition; a few later ones
    may come along. The consumer goes on behind the last one.

    It is started, of no group, and assigned these partitions and no others; its isolation level
    says whether records of transactions that are open or aborted are among them.

    Raises:
        KafkaError, TimeoutError: it did not get through; asked again it begins at the beginning.
    """
    places = list(partitions)
    ends = await consumer.end_offsets(places)
    await consumer.seek_to_beginning(*places)
    # Positions pass transaction markers, which are no records, so they tell when it is done.
    while [place for place in places if await consumer.position(place) < ends[place]]:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for raw in records:
                yield raw


@dataclass(frozen=True)
class Retired:
    """A tombstone: this key is gone."""

    key: str


class CompactedReader(Generic[E]):
    """The latest event of every key of a topic, and every change after.

    Entering reads up to the ends that the topic's partitions have at that moment; it waits for
    Kafka as long as that takes. A broker that goes away later is waited for.
    """

    def __init__(self, servers: str, topic: Topic[E]) -> None:
        self._servers = servers
        self._topic = topic
        self._decode = decoder(topic, "")
        self._latest: dict[str, Record[E]] = {}
        self._consumer: AIOKafkaConsumer | None = None

    @property
    def records(self) -> tuple[Record[E], ...]:
        """The latest record of every key that is not retired, as of entering."""
        return tuple(self._latest.values())

    async def __aenter__(self) -> Self:
        await ensure_topics(self._servers, [self._topic])
        consumer: AIOKafkaConsumer = await connected(
            lambda: AIOKafkaConsumer(
                self._topic.name,
                bootstrap_servers=self._servers,
                client_id="gyre-compacted",
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                enable_auto_commit=False,
            ),
            self._servers,
        )
        try:
            await retry(
                lambda: self._read_whole(consumer),
                KafkaError,
                TimeoutError,
                first=_PAUSE_AFTER_ERROR,
                longest=_PAUSE_AFTER_ERROR,
                on_pause=lambda error, _: self._waits(error),
            )
        except BaseException:
            await consumer.stop()
            raise
        rest(consumer, idle=True)
        self._consumer = consumer
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._consumer is not None:
            await self._consumer.stop()

    async def follow(self) -> AsyncIterator[Record[E] | Retired]:
        """Every change since entering, in order per key, for ever."""
        assert self._consumer is not None, "enter the reader first"
        while True:
            for change in await self._poll(self._consumer):
                yield change

    async def _read_whole(self, consumer: AIOKafkaConsumer) -> None:
        self._latest = {}
        async for raw in records_up_to_now(consumer, consumer.assignment()):
            change = self._change(raw)
            if isinstance(change, Retired):
                self._latest.pop(change.key, None)
            elif change is not None:
                self._latest[change.key or ""] = change

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[Record[E] | Retired]:
        try:
            batches = await consumer.getmany(timeout_ms=IDLE_WAIT_MS)
        except KafkaError as error:
            self._waits(error)
            await asyncio.sleep(_PAUSE_AFTER_ERROR)
            return []
        changes = (self._change(raw) for records in batches.values() for raw in records)
        return [change for change in changes if change is not None]

    def _waits(self, error: BaseException) -> None:
        log.warning(
            "reading waits for Kafka", extra={"topic": self._topic.name, "cause": str(error)}
        )

    def _change(self, raw: Any) -> Record[E] | Retired | None:
        try:
            record = self._decode(raw)
        except Poison as error:
            log.error(
                "record passed over",
                extra={
                    "topic": raw.topic,
                    "partition": raw.partition,
                    "offset": raw.offset,
                    "cause": str(error),
                },
            )
            return None
        if record is None:
            return Retired((raw.key or b"").decode(errors="backslashreplace"))
        return record


class View(Protocol[E_contra]):
    """What a process knows of a compacted topic."""

    def apply(self, event: E_contra) -> None:
        """Take a change in."""

    def retire(self, key: str) -> None:
        """Forget what stood under the key."""


@asynccontextmanager
async def followed(servers: str, topic: Topic[E], view: View[E]) -> AsyncIterator[None]:
    """Keep the view in step with the topic until the block ends; inside it all of it is known.

    What the block raises comes out in an ExceptionGroup.
    """
    async with CompactedReader(servers, topic) as reader, asyncio.TaskGroup() as tasks:
        for record in reader.records:
            view.apply(record.event)
        following = tasks.create_task(_follow(reader, view))
        yield
        following.cancel()


async def _follow(reader: CompactedReader[E], view: View[E]) -> None:
    async for change in reader.follow():
        if isinstance(change, Record):
            view.apply(change.event)
        else:
            view.retire(change.key)
