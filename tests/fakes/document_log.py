"""The topics of documents, in memory."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from gyre_common.bus.decoding import decoder
from gyre_common.events.documents import DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED, IndexRebuildProgressed
from gyre_common.events.topic import Topic
from gyre_ingestor.document_log import AcceptedDocument, Offsets

from tests.fakes.bus import MemoryBus, StoredRecord

_MOST = 3


class MemoryDocumentLog:
    """Implements `DocumentLog` over what a bus in memory published. `embedder_waits` is how many of
    the chunked documents the embedder has still before it, in each partition; `ingestor_waits` the
    same of the accepted ones.
    """

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.embedder_waits = 0
        self.ingestor_waits = 0

    async def accepted(self) -> Mapping[int, tuple[int, int]]:
        return {partition: (0, end) for partition, end in self._ends(DOCUMENT_ACCEPTED).items()}

    async def read(self, partition: int, first: int, until: int) -> Sequence[AcceptedDocument]:
        decode = decoder(DOCUMENT_ACCEPTED, "")
        records = [
            (raw.offset, decode(raw))
            for raw in self._records(DOCUMENT_ACCEPTED)
            if raw.partition == partition and first <= raw.offset < until
        ]
        return [
            AcceptedDocument(offset, record.event if record else None)
            for offset, record in records[:_MOST]
        ]

    async def newest(self, partition: int) -> Mapping[bytes, int]:
        records = self._records(DOCUMENT_ACCEPTED)
        return {raw.key or b"": raw.offset for raw in records if raw.partition == partition}

    async def newest_of(self, key: str, since: int) -> AcceptedDocument | None:
        decode = decoder(DOCUMENT_ACCEPTED, "")
        own = [raw for raw in self._records(DOCUMENT_ACCEPTED) if raw.key == key.encode()]
        own = [raw for raw in own if raw.offset >= since]
        record = decode(own[-1]) if own else None
        return AcceptedDocument(own[-1].offset, record.event if record else None) if own else None

    async def chunked(self) -> Offsets:
        return self._ends(DOCUMENT_CHUNKED)

    async def indexed(self) -> Offsets:
        ends = self._ends(DOCUMENT_CHUNKED)
        return {partition: end - self.embedder_waits for partition, end in ends.items()}

    async def named_originals(self) -> Set[str] | None:
        return self._named(DOCUMENT_ACCEPTED, "content_ref", self.ingestor_waits)

    async def named_passages(self) -> Set[str] | None:
        return self._named(DOCUMENT_CHUNKED, "chunks_ref", self.embedder_waits)

    async def progress(self) -> Sequence[IndexRebuildProgressed]:
        decode, latest = decoder(INDEX_REBUILD_PROGRESSED, ""), {}
        for raw in self._records(INDEX_REBUILD_PROGRESSED):
            record = decode(raw)
            assert record
            latest[record.event.rebuild_id, record.event.partition] = record.event
        return list(latest.values())

    def _named(self, topic: Topic[Any], field: str, waits: int) -> Set[str] | None:
        decode, ends = decoder(topic, ""), self._ends(topic)
        newest: dict[bytes | None, str | None] = {}
        named: set[str | None] = set()
        for raw in self._records(topic):
            record = decode(raw)
            newest[raw.key] = getattr(record.event, field) if record else None
            if raw.offset >= ends[raw.partition] - waits:
                named.add(newest[raw.key])
        return {uri for uri in {*named, *newest.values()} if uri} if ends else None

    def _records(self, topic: Topic[Any]) -> list[StoredRecord]:
        return [raw for raw in self._bus.sent if raw.topic == topic.name]

    def _ends(self, topic: Topic[Any]) -> dict[int, int]:
        ends: dict[int, int] = {}
        for raw in self._records(topic):
            ends[raw.partition] = max(ends.get(raw.partition, 0), raw.offset + 1)
        return ends
