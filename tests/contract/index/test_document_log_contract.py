"""The newest record of a document, in memory and on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Set
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from gyre_common.bus import Bus
from gyre_common.bus.compacted import partitions_of
from gyre_common.bus.record import UnreadValue
from gyre_common.errors import Unavailable
from gyre_common.events.documents import DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED, by_document
from gyre_common.events.publisher import Publisher
from gyre_ingestor import kafka_document_log
from gyre_ingestor.document_log import DocumentLog
from gyre_ingestor.kafka_document_log import KafkaDocumentLog

from tests.builders import a_document_accepted, a_document_chunked
from tests.fakes.bus import MemoryBus, StoredRecord
from tests.fakes.document_log import MemoryDocumentLog

Arm = tuple[DocumentLog, Publisher]

GROUPS = (
    ("ingestor.documents.accepted.v1", DOCUMENT_ACCEPTED),
    ("embedder.documents.chunked.v1", DOCUMENT_CHUNKED),
    ("embedder-shadow.documents.chunked.v1", DOCUMENT_CHUNKED),
)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
async def arm(request: pytest.FixtureRequest) -> AsyncIterator[Arm]:
    """A log, and what writes to its topic."""
    if request.param == "memory":
        async with MemoryBus() as memory:
            yield MemoryDocumentLog(memory), memory
        return
    servers: str = request.getfixturevalue("kafka_servers")
    bus = Bus(servers, service="test")
    bus.publishes(DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED)
    async with bus:
        yield KafkaDocumentLog(servers), bus


async def test_the_newest_record_of_a_document_is_read_among_others(arm: Arm) -> None:
    log, publisher = arm
    tenant = f"t{uuid4().hex[:8]}"

    async def accept(document_id: str, title: str) -> None:
        event: Any = a_document_accepted(tenant=tenant, document_id=document_id, title=title)
        await publisher.publish(DOCUMENT_ACCEPTED, event)

    tea = by_document(a_document_accepted(tenant=tenant, document_id="tea.md"))
    assert await log.newest_of(tea, 0) is None
    for title in ("first", "second"):
        await accept("tea.md", title)
        for number in range(20):
            await accept(f"other-{number}.md", title)
    newest = await log.newest_of(tea, 0)
    assert newest is not None
    assert newest.document is not None
    assert newest.document.title == "second"
    assert await log.newest_of(tea, newest.offset) == newest
    assert await log.newest_of(tea, newest.offset + 1) is None
    for partition in await log.accepted():
        assert (await log.newest(partition)).get(tea.encode(), newest.offset) == newest.offset
    assert await log.newest_of(tea, newest.offset) == newest
    await publisher.retire(DOCUMENT_ACCEPTED, tea)
    gone = await log.newest_of(tea, newest.offset)
    assert gone is not None
    assert gone.document is None


async def test_what_records_name_is_known_of_the_newest_and_of_those_still_to_be_handled(
    arm: Arm,
) -> None:
    log, publisher = arm
    tenant = f"t{uuid4().hex[:8]}"

    async def accept(document_id: str, content_ref: str | None, **fields: Any) -> None:
        about = {"tenant": tenant, "document_id": document_id, "content_ref": content_ref}
        await publisher.publish(DOCUMENT_ACCEPTED, a_document_accepted(**about, **fields))

    async def cut(chunks_ref: str) -> None:
        about = {"tenant": tenant, "document_id": "tea.md", "chunks_ref": chunks_ref}
        await publisher.publish(DOCUMENT_CHUNKED, a_document_chunked(**about))

    await accept("tea.md", f"{tenant}/old")
    await accept("tea.md", f"{tenant}/new")
    await accept("milk.md", f"{tenant}/milk")
    await accept("milk.md", None, deleted=True)
    await publisher.retire(DOCUMENT_ACCEPTED, f"{tenant}/milk.md")
    for chunks_ref in (f"{tenant}/first", f"{tenant}/last"):
        await cut(chunks_ref)

    async def named() -> tuple[Set[str], Set[str]]:
        originals, passages = await log.named_originals(), await log.named_passages()
        assert originals is not None
        assert passages is not None
        names = originals, passages
        own_names = ({each for each in both if each.startswith(tenant)} for both in names)
        originals, passages = own_names
        return originals, passages

    await handled_until_now(log, all_handled=False)
    assert await named() == (
        {f"{tenant}/{name}" for name in ("old", "new", "milk")},
        {f"{tenant}/{name}" for name in ("first", "last")},
    )
    await handled_until_now(log, all_handled=True)
    assert await named() == ({f"{tenant}/new"}, {f"{tenant}/last"})


async def handled_until_now(log: DocumentLog, *, all_handled: bool) -> None:
    """Let the ingestor and the embedder have done with all of their records, or with none."""
    if isinstance(log, MemoryDocumentLog):
        log.ingestor_waits = log.embedder_waits = 0 if all_handled else 1_000
        return
    assert isinstance(log, KafkaDocumentLog)
    for group, topic in GROUPS:
        places = partitions_of(topic)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=log._servers, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(places)
            consumer.assign(places)
            await consumer.commit(ends if all_handled else dict.fromkeys(places, 0))
        finally:
            await consumer.stop()


class SilentConsumer:
    """There is a record, and Kafka does not send it."""

    def __init__(self, **options: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def assign(self, places: list[TopicPartition]) -> None:
        pass

    def seek(self, place: TopicPartition, offset: int) -> None:
        pass

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 1)

    async def position(self, place: TopicPartition) -> int:
        return 0

    async def getmany(self, *places: TopicPartition, timeout_ms: int) -> dict[TopicPartition, Any]:
        await asyncio.sleep(0)
        return {}


class DamagedConsumer(SilentConsumer):
    """Every partition holds one batch, which cannot be read."""

    def __init__(self, **options: Any) -> None:
        self._place = TopicPartition("", 0)
        self._is_read = False

    def assign(self, places: list[TopicPartition]) -> None:
        [self._place] = places
        self._is_read = False

    async def seek_to_beginning(self, *places: TopicPartition) -> None:
        pass

    async def position(self, place: TopicPartition) -> int:
        return int(self._is_read)

    async def getmany(self, *places: TopicPartition, timeout_ms: int) -> dict[TopicPartition, Any]:
        self._is_read = True
        value = UnreadValue("offset 0 is not read", first=0, batch=b"?", damaged=True)
        place = self._place
        return {place: [StoredRecord(place.topic, place.partition, 0, 0, None, value)]}


async def test_what_cannot_be_read_is_not_taken_for_what_names_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def offsets(servers: str, group: str) -> dict[int, int]:
        return {}

    monkeypatch.setattr(kafka_document_log, "AIOKafkaConsumer", DamagedConsumer)
    monkeypatch.setattr(kafka_document_log, "committed_offsets", offsets)
    log = KafkaDocumentLog("127.0.0.1:9")
    for named in (log.named_originals, log.named_passages):
        with pytest.raises(Unavailable, match="offset 0 is not read"):
            await named()


async def test_a_kafka_that_goes_silent_is_waited_for_no_longer_than_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka_document_log, "AIOKafkaConsumer", SilentConsumer)
    monkeypatch.setattr(kafka_document_log, "_SECONDS", 0.05)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(KafkaDocumentLog("127.0.0.1:9").newest_of("acme/tea.md", 0), 5)
