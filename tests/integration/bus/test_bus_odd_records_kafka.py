"""What cannot be read or is too large, and the dead letters that come of it, on a real broker."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.bus import (
    CompactedReader,
    RawRecord,
    Retired,
    current_record,
)
from gyre_common.bus.dead_letters import DeadLetter, open_dead_letters
from gyre_common.bus.fetched import LARGEST_BATCH
from gyre_common.bus.record import LARGEST_FOREIGN_RECORD, sha256
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import NotFound, Poison
from gyre_common.events.documents import (
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    DocumentRejected,
    DocumentSubmitted,
    RejectionCode,
)
from gyre_common.events.topic import Topic
from gyre_ingestor.invalid_records import InvalidRecords

from tests.batches import Headers, a_batch, a_bomb, send_batch
from tests.bus_contract import MessageSent, message_topic
from tests.eventually import eventually
from tests.kafka_messages import a_bus, reads_as, send_messages

pytestmark = pytest.mark.integration


async def test_a_record_as_large_as_kafka_takes_can_be_parked(
    kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    bus = a_bus(kafka_servers)
    headers = [("odd", b"\xff" * 1_000)]
    value = b"\xff" * (LARGEST_FOREIGN_RECORD - 2_000)

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        """Never reached."""

    async with AIOKafkaProducer(
        bootstrap_servers=kafka_servers, max_request_size=2 * LARGEST_FOREIGN_RECORD
    ) as producer:
        await producer.send_and_wait(topic.name, value, b"ann", headers=headers)
    async with bus:
        await eventually(lambda: _parked(kafka_servers, topic))
    (letter,) = await _letters(kafka_servers, topic)
    assert letter.value == value
    assert letter.headers == {"odd": "\\xff" * 1_000}


async def test_what_is_too_large_to_be_parked_is_parked_as_a_stub(
    kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    good = MessageSent(listener="ann").to_json()
    headers: Headers = [("odd", b"\xff")]
    no_json = b"x" * 3_000_000
    too_long = MessageSent(listener="ann", text="x" * 2 * LARGEST_FOREIGN_RECORD).to_json()
    bomb = a_bomb(2 * LARGEST_BATCH)
    done: list[MessageSent] = []
    bus = a_bus(kafka_servers)

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        done.append(event)

    large = [(b"ann", no_json, headers), (b"ann", too_long, headers), (b"ann", good, headers)]
    await send_batch(kafka_servers, topic.name, a_batch(*large, codec="gzip"))
    await send_batch(kafka_servers, topic.name, bomb)
    await send_batch(kafka_servers, topic.name, a_batch((b"ann", good, [])))
    async with bus:
        await eventually(lambda: len(done) == 2)
        await eventually(lambda: reads_as(_parked(kafka_servers, topic), 3))
    letters = {
        letter.cause.offset: letter
        for letter in await _letters(kafka_servers, topic)
        if letter.cause
    }
    assert letters.keys() == {0, 1, 3}
    assert {(letter.value, letter.key) for letter in letters.values()} == {
        (None, b"ann"),
        (None, b""),
    }
    for offset, value in enumerate((no_json, too_long)):
        cause = letters[offset].cause
        assert cause is not None
        assert (cause.size, cause.digest) == (len(value), sha256(value))
        assert f"{len(value)} bytes after decompression" in cause.message
        assert letters[offset].headers == {"odd": "\\xff"}
    cause = letters[3].cause
    assert cause is not None
    assert cause.size == len(bomb)
    assert "offset 3 is not read" in cause.message


async def test_a_header_name_that_is_not_utf_8_stops_nobody(
    kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    good = MessageSent(listener="ann").to_json()
    headers: Headers = [("na~me", b"\xfe"), ("odd", b"\xfe"), ("none", None)]
    done: list[dict[str, str]] = []
    bus = a_bus(kafka_servers)

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        done.append(current_record().headers)

    odd = a_batch((b"ann", good, headers), (b"ann", b"{", headers))
    await send_batch(kafka_servers, topic.name, odd)
    await send_batch(kafka_servers, topic.name, a_batch((b"ann", good, [])))
    async with bus:
        await eventually(lambda: len(done) == 2)
        (letter,) = await eventually(lambda: _letters(kafka_servers, topic))
    assert done == [{"na\\xffme": "\\xfe", "odd": "\\xfe", "none": ""}, {}]
    assert (letter.value, letter.headers) == (b"{", done[0])


async def test_a_header_name_that_is_not_utf_8_does_not_hold_up_whoever_reads_a_topic_whole(
    kafka_servers: str,
) -> None:
    compacted_topic = message_topic(f"messages.latest-{uuid4().hex[:8]}.v1", compacted=True)
    await ensure_topics(kafka_servers, [compacted_topic])
    event = MessageSent(listener="ann")
    headers: Headers = [("~", b"\xff")]
    await send_batch(
        kafka_servers, compacted_topic.name, a_batch((b"ann", event.to_json(), headers))
    )
    async with asyncio.timeout(30), CompactedReader(kafka_servers, compacted_topic) as reader:
        assert [record.event for record in reader.records] == [event]
        changes = reader.follow()
        await send_batch(kafka_servers, compacted_topic.name, a_batch((b"ann", None, headers)))
        assert await anext(changes) == Retired("ann")


async def test_the_dead_letters_can_be_counted_shown_and_consumed_raw(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    bus = a_bus(kafka_servers)
    raw_records: list[RawRecord] = []

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        raise Poison(f"no {event.ordinal}")

    @bus.on_raw_batch([topic.dlq], group="watcher", max_records=10, max_wait=0.1)
    async def on_dead_letters(records: Sequence[RawRecord]) -> None:
        if any(b'"ordinal":1' in (record.value or b"") for record in records):
            raise ValueError("this one is passed over")
        raw_records.extend(records)

    await send_messages(producer, topic, 3, "ann")
    async with bus:
        await eventually(lambda: len(raw_records) == 2)
        await eventually(lambda: reads_as(_parked(kafka_servers, topic), 3))
        await eventually(lambda: bus._subscriptions[1].scheduler.unfinished == 0)
    letters = await _letters(kafka_servers, topic, most=2)
    assert [letter.cause and letter.cause.message for letter in letters] == ["no 2", "no 1"]
    with pytest.raises(NotFound):
        await _letters(kafka_servers, message_topic("nothing.there.v1"))


async def test_a_record_that_is_no_submission_is_parked_and_its_sender_hears_why(
    kafka_servers: str, producer: AIOKafkaProducer
) -> None:
    topic = replace(DOCUMENT_SUBMITTED, name=f"test-submitted.{uuid4().hex[:8]}.v1")
    name = uuid4().hex
    rejections: list[DocumentRejected] = []
    bus = a_bus(kafka_servers)

    @bus.on(topic, group="g", on_invalid=InvalidRecords(bus).reject)
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        """Never reached."""

    @bus.on(DOCUMENT_REJECTED, group=f"g-{name}")
    async def on_document_rejected(event: DocumentRejected) -> None:
        if event.document_id == name:
            rejections.append(event)

    await ensure_topics(kafka_servers, [topic])
    value = json.dumps({"tenant": "acme", "document_id": name, "titel": "Tea", "acl": "kitchen"})
    await producer.send_and_wait(topic.name, value.encode())
    async with bus:
        await eventually(lambda: rejections)
        letters = await eventually(lambda: _letters(kafka_servers, topic))
    (rejected,), (letter,) = rejections, letters
    assert (rejected.tenant, rejected.code) == ("acme", RejectionCode.INVALID_RECORD)
    assert "acl: Input should be" in rejected.detail
    assert "unknown field `titel`: did you mean `title`?" in rejected.detail
    assert letter.value == value.encode()


async def _parked(servers: str, topic: Topic[MessageSent]) -> int:
    async with open_dead_letters(servers) as letters:
        return len(await letters.last(topic.name, 100))


async def _letters(servers: str, topic: Topic[Any], *, most: int = 20) -> list[DeadLetter]:
    async with open_dead_letters(servers) as letters:
        return await letters.last(topic.name, most)
