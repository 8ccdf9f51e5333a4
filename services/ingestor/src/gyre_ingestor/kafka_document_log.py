"""Reads the topics of documents from Kafka, without a group."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from gyre_common.bus.compacted import CompactedReader, partitions_of, records_up_to_now
from gyre_common.bus.decoding import decoder
from gyre_common.bus.record import UnreadValue
from gyre_common.bus.topics import committed_offsets, opened
from gyre_common.errors import Poison, Unavailable
from gyre_common.events.documents import DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED, IndexRebuildProgressed
from gyre_common.events.topic import Topic
from pydantic import BaseModel, Field, ValidationError

from gyre_ingestor.document_log import AcceptedDocument, Offsets

_READING_GROUP = f"ingestor.{DOCUMENT_ACCEPTED.name}"
_LIVE_GROUP = f"embedder.{DOCUMENT_CHUNKED.name}"
_SHADOW_GROUP = f"embedder-shadow.{DOCUMENT_CHUNKED.name}"
"""The group that brings chunked documents into the shadow's index, behind the live one."""

_SECONDS = 10.0
_POLL_MS = 500
_MOST_RECORDS = 32


class _Named(BaseModel):
    """Of a record what it names: the rest, all passages among it, is not made into objects."""

    uri: str | None = None


class _NamedOriginal(_Named):
    uri: str | None = Field(default=None, alias="content_ref")


class _NamedPassages(_Named):
    uri: str | None = Field(default=None, alias="chunks_ref")


@dataclass
class _Newest:
    position: int = 0
    offsets: dict[bytes, int] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KafkaDocumentLog:
    """Implements `DocumentLog`."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._newest: dict[int, _Newest] = {}

    async def accepted(self) -> Mapping[int, tuple[int, int]]:
        """See `DocumentLog`."""
        async with self._consumer() as consumer:
            places = partitions_of(DOCUMENT_ACCEPTED)
            firsts, ends = await asyncio.gather(
                consumer.beginning_offsets(places), consumer.end_offsets(places)
            )
        return {each.partition: (firsts[each], ends[each]) for each in places}

    async def read(self, partition: int, first: int, until: int) -> Sequence[AcceptedDocument]:
        """See `DocumentLog`."""
        place = TopicPartition(DOCUMENT_ACCEPTED.name, partition)
        decode = decoder(DOCUMENT_ACCEPTED, "")
        documents: list[AcceptedDocument] = []
        async with self._consumer() as consumer, asyncio.timeout(_SECONDS):
            consumer.assign([place])
            consumer.seek(place, first)
            while not documents and await consumer.position(place) < until:
                batches = await consumer.getmany(
                    place, timeout_ms=_POLL_MS, max_records=_MOST_RECORDS
                )
                for raw in batches.get(place, ()):
                    if raw.offset >= until:
                        break
                    try:
                        record = decode(raw)
                    except Poison:  # whoever chunks accepted documents has parked it
                        record = None
                    event = record.event if record else None
                    documents.append(AcceptedDocument(raw.offset, event))
        return documents

    async def newest(self, partition: int) -> Mapping[bytes, int]:
        """See `DocumentLog`. What was read before is read on from there: some 100 bytes a key."""
        newest = self._newest.setdefault(partition, _Newest())
        async with self._consumer() as consumer:
            return await _read_on(
                consumer, TopicPartition(DOCUMENT_ACCEPTED.name, partition), newest
            )

    async def newest_of(self, key: str, since: int) -> AcceptedDocument | None:
        """See `DocumentLog`. Where all keys of its partition are known, only what came since is
        read.
        """
        places = partitions_of(DOCUMENT_ACCEPTED)
        place = DefaultPartitioner()(key.encode(), places, places)
        newest = self._newest.get(place.partition) or _Newest(since)
        async with self._consumer() as consumer, asyncio.timeout(_SECONDS):
            offset = (await _read_on(consumer, place, newest)).get(key.encode(), -1)
        if offset < since:
            return None
        documents = await self.read(place.partition, offset, offset + 1)
        return documents[0] if documents else None

    async def chunked(self) -> Offsets:
        """See `DocumentLog`."""
        async with self._consumer() as consumer:
            ends = await consumer.end_offsets(partitions_of(DOCUMENT_CHUNKED))
        return {place.partition: end for place, end in ends.items()}

    async def indexed(self) -> Offsets:
        """See `DocumentLog`."""
        return await committed_offsets(self._servers, _SHADOW_GROUP)

    async def named_originals(self) -> Set[str] | None:
        """See `DocumentLog`."""
        done = await committed_offsets(self._servers, _READING_GROUP)
        return await self._named(DOCUMENT_ACCEPTED, _NamedOriginal, done)

    async def named_passages(self) -> Set[str] | None:
        """See `DocumentLog`."""
        live = await committed_offsets(self._servers, _LIVE_GROUP)
        shadow = await committed_offsets(self._servers, _SHADOW_GROUP)
        done = {place: min(live[place], shadow.get(place, 0)) for place in live}
        return await self._named(DOCUMENT_CHUNKED, _NamedPassages, done)

    async def _named(
        self, topic: Topic[Any], names: type[_Named], done: Offsets
    ) -> Set[str] | None:
        """What its records name from those offsets on, and of each key the last one before.

        Raises Unavailable: Kafka does not answer, or holds records that cannot be read.
        """
        named: set[str] = set()
        places = partitions_of(topic)
        async with self._consumer() as consumer:
            if not any((await consumer.end_offsets(places)).values()):
                return None
            for place in places:
                newest: dict[bytes, str | None] = {}
                consumer.assign([place])
                async for raw in records_up_to_now(consumer, [place]):
                    if isinstance(raw.value, UnreadValue):  # empty, and no tombstone
                        raise Unavailable(
                            f"{topic.name}/{place.partition}: {raw.value.reason}, so that nobody "
                            "knows what they name"
                        )
                    try:
                        uri = names.model_validate_json(raw.value).uri if raw.value else None
                    except ValidationError:  # no record of ours: the one before it holds
                        continue
                    if uri and raw.offset >= done.get(place.partition, 0):
                        named.add(uri)
                    newest[raw.key or b""] = uri
                named.update(filter(None, newest.values()))
        return named

    async def progress(self) -> Sequence[IndexRebuildProgressed]:
        """See `DocumentLog`."""
        async with CompactedReader(self._servers, INDEX_REBUILD_PROGRESSED) as reader:
            return [record.event for record in reader.records]

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Raises Unavailable where Kafka does not answer."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id="gyre-rebuild",
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        async with opened(consumer, self._servers):
            yield consumer


async def _read_on(
    consumer: AIOKafkaConsumer, place: TopicPartition, newest: _Newest
) -> Mapping[bytes, int]:
    """The offset of the last record of each key, from where `newest` stands to the end."""
    async with newest.lock:  # who reads behind another would put older offsets over newer ones
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        consumer.seek(place, newest.position)
        while await consumer.position(place) < end:
            for raw in (await consumer.getmany(place, timeout_ms=_POLL_MS)).get(place, ()):
                newest.offsets[raw.key or b""] = raw.offset
            newest.position = await consumer.position(place)
    return newest.offsets
