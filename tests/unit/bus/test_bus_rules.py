"""Small rules of delivery: decoding, the breaker, size, partitioning, taking in."""

import json
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.partitioner import murmur2
from faststream.kafka import KafkaBroker
from gyre_common.bus import Delivery, Record
from gyre_common.bus import subscription as subscription_module
from gyre_common.bus.decoding import decoder
from gyre_common.bus.handling import OneByOne
from gyre_common.bus.record import (
    NoCurrentRecordError,
    RawRecord,
    RecordGone,
    RecordTooLarge,
    check_size,
    current_record,
    id_for_next_event,
    tenant_by_value,
)
from gyre_common.bus.subscription import KafkaSubscription
from gyre_common.errors import Poison, Unavailable
from gyre_common.events.documents import DOCUMENT_SUBMITTED, DocumentSubmitted
from gyre_common.events.topic import LARGEST_EVENT

from tests.builders import a_document_submitted
from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.fakes import bus as fakes
from tests.fakes.bus import MemoryBus, StoredRecord


def a_raw(value: bytes | None) -> StoredRecord:
    return StoredRecord("documents.submitted.v1", 0, 0, 0, b"k", value, (("odd", b"\xff"),))


async def test_a_bug_that_trips_over_an_event_parks_it_without_its_content() -> None:
    async with MemoryBus() as bus:

        @bus.on(DOCUMENT_SUBMITTED, group="g")
        async def on_document_submitted(event: DocumentSubmitted) -> None:
            DocumentSubmitted.model_validate({"document_id": event.document_id, "text": ["secret"]})

        await bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted())

    [parked] = bus.parked
    assert (parked.cause.kind, parked.cause.error) == ("bug", "ValidationError")
    assert "secret" not in parked.cause.message


def test_what_breaks_the_contract_is_named_without_the_payload() -> None:
    decode = decoder(DOCUMENT_SUBMITTED, "g/h")
    with pytest.raises(Poison) as excinfo:
        decode(a_raw(b'{"tenant": "SECRET!", "document_id": 12345}'))
    message = str(excinfo.value)
    assert "tenant" in message
    assert "document_id" in message
    assert "SECRET" not in message
    assert "12345" not in message


def test_only_a_few_of_many_problems_are_named() -> None:
    decode = decoder(DOCUMENT_SUBMITTED, "g/h")
    with pytest.raises(Poison, match="and 4 more"):
        decode(
            a_raw(
                b'{"title":1,"text":1,"media_type":1,"source_uri":1,"metadata":1,"acl":1,'
                b'"deleted":"x","tenant":1}'
            )
        )


def test_an_event_of_the_largest_size_still_fits() -> None:
    check_size("t", b"x" * LARGEST_EVENT)
    with pytest.raises(RecordTooLarge):
        check_size("t", b"x" * (LARGEST_EVENT + 1))


@pytest.mark.parametrize(
    ("key", "hash_"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_keys_are_hashed_as_every_kafka_client_hashes_them(key: bytes, hash_: int) -> None:
    """Values of Kafka's own UtilsTest."""
    assert murmur2(key) & 0xFFFFFFFF == hash_ & 0xFFFFFFFF


def test_there_is_no_current_record_outside_of_a_handler() -> None:
    with pytest.raises(NoCurrentRecordError):
        current_record()
    assert id_for_next_event() != id_for_next_event()


async def test_the_memory_bus_can_be_down() -> None:
    bus = MemoryBus()
    bus.down = True
    with pytest.raises(Unavailable):
        await bus.publish(DOCUMENT_SUBMITTED, a_document_submitted())
    with pytest.raises(Unavailable):
        await bus.retire(DOCUMENT_SUBMITTED, "k")
    assert bus.published == []


async def test_a_retired_key_leaves_a_tombstone() -> None:
    bus = MemoryBus()
    await bus.retire(DOCUMENT_SUBMITTED, "default/a")
    (record,) = bus.sent
    assert (record.key, record.value) == (b"default/a", None)


async def _subscription(handler: Any) -> tuple[KafkaSubscription, Any]:
    async def park(raw: RawRecord, cause: Exception, attempts: int) -> None:
        raise AssertionError("nothing is parked here")

    broker = KafkaBroker("nowhere:1", apply_types=False, consumer_only=True)
    handling = OneByOne(decoder(DOCUMENT_SUBMITTED, "g/h"), handler, 4)
    subscription = KafkaSubscription(
        [DOCUMENT_SUBMITTED.name],
        group="g",
        handling=handling,
        park=park,
        delivery=Delivery(),
        servers="nowhere:1",
    )
    subscription.register(broker, handler, DocumentSubmitted)
    (subscriber,) = broker.subscribers
    await broker.connect()  # without a producer this asks nobody
    subscriber.schema()
    subscriber.running = True
    return subscription, subscriber


async def test_records_are_taken_in_without_giving_a_rebalance_a_chance() -> None:
    """Between FastStream's poll and the scheduler nothing may wait: a rebalance in between would
    hand over records of a partition that is gone."""

    async def on_document_submitted(event: DocumentSubmitted) -> None:
        """Never gets to run here."""

    subscription, subscriber = await _subscription(on_document_submitted)
    taking_in: Coroutine[Any, Any, None] = subscriber.consume((a_raw(b"{}"), a_raw(b"\xff")))
    with pytest.raises(StopIteration):
        taking_in.send(None)
    assert subscription.scheduler.unfinished == 1  # the same offset twice is one record
    await subscription.scheduler.drain(1)


async def test_a_failure_of_the_delivery_layer_itself_stops_consuming() -> None:
    """FastStream swallows what a handler raises and polls on; that must not pass for success."""

    async def on_document_submitted(event: DocumentSubmitted) -> None:
        """Never gets to run here."""

    subscription, subscriber = await _subscription(on_document_submitted)
    await subscriber.consume((a_raw(b"{}"), object()))
    assert "delivery layer itself failed" in subscription.problems[0]


async def test_what_is_fetched_behind_an_open_breaker_waits_for_a_skip() -> None:
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        """Never gets to run here."""

    subscription, subscriber = await _subscription(on_document_submitted)
    subscription.scheduler.stop("50 records in a row could not be handled")
    await subscriber.consume((a_raw(b"{}"),))
    assert subscription.scheduler.unfinished == 1


async def test_a_fetch_that_fails_is_tried_again_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        """Never gets to run here."""

    async def getmany(**settings: int) -> None:
        raise TopicAuthorizationFailedError(DOCUMENT_SUBMITTED.name)

    monkeypatch.setattr(subscription_module, "_PAUSE_AFTER_FAILURE", 0)
    subscription, _ = await _subscription(on_document_submitted)
    consumer: Any = SimpleNamespace(getmany=getmany, _fetcher=SimpleNamespace())
    assert await subscription._polling(consumer)(max_records=1) == {}
    (problem,) = subscription.problems
    assert "fetching fails: TopicAuthorizationFailedError" in problem
    assert subscription.alive
    monkeypatch.setattr(subscription_module, "_FAILURE_COUNTS", -1)
    assert subscription.problems == []


async def test_null_is_as_absent() -> None:
    bus = MemoryBus()
    delivered_events: list[DocumentSubmitted] = []

    @bus.on(DOCUMENT_SUBMITTED, group="g")
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        delivered_events.append(event)

    value = (
        b'{"document_id": "a", "text": "b", "title": null, "tenant": null, "acl": null, '
        b'"metadata": null, "deleted": null}'
    )
    async with bus:
        await bus.deliver_raw(
            DOCUMENT_SUBMITTED,
            (b"k", value, ()),
            (b"k", b'{"document_id": "a", "metadata": {"a": null, "b": "c"}}', ()),
            (b"k", b'{"document_id": null, "text": "b"}', ()),
        )
    assert delivered_events == [
        DocumentSubmitted(document_id="a", text="b"),
        DocumentSubmitted(document_id="a", metadata={"b": "c"}),
    ]
    (parked,) = bus.parked
    assert parked.cause.message == "not a DocumentSubmitted: document_id: Field required"


async def test_bad_records_of_one_producer_do_not_stop_the_documents_of_another() -> None:
    bus = MemoryBus()
    delivered_events: list[DocumentSubmitted] = []

    @bus.on(DOCUMENT_SUBMITTED, group="g")
    async def on_document_submitted(event: DocumentSubmitted) -> None:
        delivered_events.append(event)

    bad = [(b"k", b'{"tenant": "one", "no": "document"}', ())] * 500
    good = a_document_submitted()
    async with bus:
        await bus.deliver_raw(DOCUMENT_SUBMITTED, *bad, (b"k", good.to_json(), ()))
        assert bus.problems() == []
    assert delivered_events == [good]
    assert len(bus.parked) == 500


@pytest.mark.parametrize("in_batches", [False, True])
async def test_a_value_that_was_left_in_kafka_and_is_gone_by_its_turn_stops_nothing(
    in_batches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, handled = message_topic("messages.sent.v1"), list[int]()

    async def read_again(self: object, raw: RawRecord) -> RawRecord:
        if json.loads(log[raw.offset].value or b"{}")["ordinal"] == 3:
            raise RecordGone("a newer one is there")
        return log[raw.offset]

    monkeypatch.setattr(fakes._Subscription, "read_again", read_again)
    bus = MemoryBus(delivery=replace(QUICK, partition_records=2))

    async def on_message_sent(event: MessageSent) -> None:
        handled.append(event.ordinal)

    async def on_messages_sent(records: Sequence[Record[MessageSent]]) -> None:
        handled.extend(record.event.ordinal for record in records)

    if in_batches:
        bus.on_batch(topic, group="g", max_records=2, max_wait=0, by_tenant=True)(on_messages_sent)
    else:
        bus.on(topic, group="g", by_tenant=True)(on_message_sent)
    async with bus:
        events = [MessageSent(listener="acme/a", ordinal=ordinal) for ordinal in range(6)]
        records = [(b"acme/a", event.to_json(), ()) for event in events]
        log = bus.put_raw(topic, *records)
        await bus.settled()
    assert handled == [0, 1, 2, 4, 5]
    assert (bus.parked, bus.problems()) == ([], [])


@pytest.mark.parametrize(
    ("value", "tenant"),
    [
        (b'{"metadata": {"tenant": "blue"}, "tenant": "acme"}', b"acme"),
        (b'{"tenant" : "acme"', b""),
        (b'["tenant", "acme"]', b""),
        (b'{"tenant": 7}', b""),
        (None, b""),
    ],
)
def test_a_records_tenant_is_what_its_json_says_at_its_top(
    value: bytes | None, tenant: bytes
) -> None:
    assert tenant_by_value(StoredRecord("t", 0, 0, 0, b"any key", value)) == tenant
