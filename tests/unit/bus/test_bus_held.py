"""A record that can neither be read nor parked costs its own partition, until it is skipped."""

import json
from collections.abc import Sequence
from dataclasses import replace

from gyre_common.bus import Delivery, RawRecord, Record
from gyre_common.bus.breaker import Scope
from gyre_common.bus.decoding import decoder
from gyre_common.bus.handling import BatchSize, InBatches, OneByOne
from gyre_common.bus.held_records import HeldRecord, from_metadata, to_metadata
from gyre_common.bus.holds import MOST_TENANTS, Held
from gyre_common.bus.partition import Partition
from gyre_common.bus.record import UnreadValue, tenant_by_key
from gyre_common.bus.scheduler import Handling, Scheduler
from gyre_common.errors import Poison

from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.eventually import eventually
from tests.fakes.bus import StoredRecord

TOPIC = message_topic("messages.sent.v1")
DAMAGED = UnreadValue("a batch cannot be read", first=0, batch=b"", damaged=True)


class Broker:
    """A `Flow` that notes what is asked of it; what is parked comes to lie in `parked`."""

    def __init__(self, handling: Handling, delivery: Delivery = QUICK) -> None:
        self.parked: list[int] = []
        self.paused: set[int] = set()
        self.holding: list[Held] = []
        self.refusal: Exception | None = None
        self.scheduler = Scheduler(handling, self, delivery, topic=TOPIC.name, group="g")

    def pause(self, partition: Partition) -> None:
        self.paused.add(partition.number)

    def resume(self, partition: Partition) -> None:
        self.paused.discard(partition.number)

    def held(self, held: Held) -> None:
        self.holding.append(held)

    def without_value(self, raw: RawRecord) -> RawRecord:
        raise NotImplementedError

    async def read_again(self, raw: RawRecord) -> RawRecord:
        raise NotImplementedError

    async def park(self, raw: RawRecord, cause: Exception, attempts: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.parked.append(raw.offset)

    def bring(self, *values: bytes, partition: int = 0, start: int = 0, key: bytes = b"k") -> None:
        self.scheduler.add(
            StoredRecord(TOPIC.name, partition, start + number, 0, key, value)
            for number, value in enumerate(values)
        )


class Listener:
    def __init__(self) -> None:
        self.deliveries: list[int] = []
        self.broken = True

    async def on_message_sent(self, event: MessageSent) -> None:
        if event.listener == "bad" and self.broken:
            raise Poison("no")
        self.deliveries.append(event.ordinal)


def message_value(ordinal: int, listener: str = "ann") -> bytes:
    return MessageSent(listener=listener, ordinal=ordinal).to_json()


def one_by_one(listener: Listener) -> Handling:
    return OneByOne(decoder(TOPIC, "g/h"), listener.on_message_sent, 4)


async def test_a_damaged_batch_holds_its_own_partition_until_it_is_skipped() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.bring(message_value(1), DAMAGED, message_value(2))
    broker.bring(message_value(3), partition=1)
    await eventually(lambda: sorted(listener.deliveries) == [1, 3])
    (held,) = broker.holding
    partition = held.pending.partition
    assert (partition.watermark, broker.paused, broker.parked) == (1, {0}, [])
    (problem,) = broker.scheduler.problems
    assert problem == (
        "messages.sent.v1 partition 0 is held at offset 1: a batch cannot be read; mend the cause "
        "and restart the service, or pass over the record: gyre dlq skip messages.sent.v1 0 1"
    )
    broker.scheduler.skip(broker.holding[-1])
    await eventually(lambda: sorted(listener.deliveries) == [1, 2, 3])
    assert (partition.watermark, broker.paused, broker.scheduler.problems) == (3, set(), [])


async def test_what_cannot_be_parked_holds_its_own_partition() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.refusal = ValueError("a dead letter of this shape is not possible")
    broker.bring(message_value(1), b"{", message_value(2))
    broker.bring(message_value(3), partition=1)
    await eventually(lambda: sorted(listener.deliveries) == [1, 3])
    assert "cannot be parked: ValueError" in broker.scheduler.problems[0]
    broker.scheduler.skip(broker.holding[-1])
    await eventually(lambda: sorted(listener.deliveries) == [1, 2, 3])


async def test_a_skip_behind_an_open_breaker_tries_the_next_record() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener), replace(QUICK, parked_streak=2))
    broker.bring(
        *[message_value(n, "bad") for n in range(4)], message_value(4), message_value(5, "bad")
    )
    await eventually(lambda: broker.holding)
    assert broker.parked == [0, 1]
    assert "2 records in a row" in broker.scheduler.problems[0]
    assert "held at offset 2" in broker.scheduler.problems[0]
    broker.scheduler.skip(broker.holding[-1])
    await eventually(lambda: len(broker.holding) == 2)
    assert broker.parked == [0, 1]
    broker.scheduler.skip(broker.holding[-1])
    await eventually(lambda: broker.parked == [0, 1, 5])
    assert (listener.deliveries, broker.scheduler.problems) == ([4], [])


async def test_a_breaker_that_was_open_before_a_restart_parks_nothing_until_something_works() -> (
    None
):
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.scheduler.breakers.open("50 records in a row could not be handled", None)
    broker.bring(message_value(0, "bad"))
    await eventually(lambda: broker.holding)
    assert "50 records in a row" in broker.scheduler.problems[0]
    mended = Listener()
    mended.broken = False
    again = Broker(one_by_one(mended))
    again.scheduler.breakers.open("50 records in a row could not be handled", None)
    again.bring(message_value(0, "bad"), b"{", message_value(1))
    await eventually(lambda: mended.deliveries == [0, 1])
    assert (again.parked, again.scheduler.problems) == ([1], [])


async def test_a_batch_that_was_cut_short_by_the_breaker_goes_on_after_a_skip() -> None:
    deliveries: list[int] = []

    async def on_message_sent(records: Sequence[Record[MessageSent]]) -> None:
        if any(record.event.listener == "bad" for record in records):
            raise Poison("no")
        deliveries.extend(record.event.ordinal for record in records)

    handling = InBatches(decoder(TOPIC, "g/h"), on_message_sent, BatchSize(8, 0.01))
    broker = Broker(handling, replace(QUICK, parked_streak=1))
    broker.bring(
        message_value(0, "bad"), message_value(1, "bad"), *[message_value(n) for n in range(2, 8)]
    )
    await eventually(lambda: broker.holding)
    broker.scheduler.skip(broker.holding[0])
    await eventually(lambda: deliveries == [2, 3, 4, 5, 6, 7])
    assert broker.holding[0].pending.partition.watermark == 8


async def test_a_partition_that_is_given_up_while_held_is_read_again_from_there() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.bring(message_value(1), DAMAGED, message_value(2))
    await eventually(lambda: broker.holding)
    await broker.scheduler.drain(1)
    assert (broker.holding[0].pending.partition.watermark, listener.deliveries) == (1, [1])
    broker.scheduler.forget()
    assert broker.scheduler.problems == []


async def test_an_open_breaker_opens_again_after_a_rebalance() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener), replace(QUICK, parked_streak=1))
    broker.bring(message_value(0, "bad"), message_value(1, "bad"))
    await eventually(lambda: broker.holding)
    await broker.scheduler.drain(1)
    broker.scheduler.forget()
    broker.bring(message_value(1, "bad"), message_value(2), start=1)
    await eventually(lambda: len(broker.holding) == 2)
    assert broker.parked == [0]
    broker.scheduler.skip(broker.holding[1])
    await eventually(lambda: listener.deliveries == [2])


def by_tenant(listener: Listener) -> Handling:
    decode = decoder(TOPIC, "g/h")
    return OneByOne(decode, listener.on_message_sent, 4, tenant_of=tenant_by_key)


async def test_a_held_tenant_goes_on_after_a_skip_and_then_all_is_done() -> None:
    listener = Listener()
    broker = Broker(by_tenant(listener), replace(QUICK, parked_streak=1))
    broker.bring(*[message_value(n, "bad") for n in range(3)], key=b"acme/a")
    broker.bring(message_value(3), message_value(4), start=3, key=b"zoo/a")
    broker.bring(message_value(5), partition=1, key=b"acme/b")
    await eventually(lambda: broker.holding and sorted(listener.deliveries)[-2:] == [3, 4])
    (held,) = broker.holding
    partition = held.pending.partition
    assert (held.tenant, held.pending.raw.offset, partition.watermark) == (b"acme", 1, 1)
    assert (broker.paused, broker.parked, broker.scheduler.problems) == (set(), [0], [])
    listener.broken = False
    broker.scheduler.skip(held)
    await eventually(lambda: sorted(listener.deliveries) == [2, 3, 4, 5])
    assert (partition.watermark, broker.scheduler.troubles) == (5, [])
    broker.scheduler.skip(held)
    assert partition.watermark == 5


async def test_a_tenant_that_was_held_before_a_restart_is_held_at_its_first_bad_record() -> None:
    listener = Listener()
    broker = Broker(by_tenant(listener))
    broker.scheduler.breakers.open("50 records in a row could not be handled", b"acme")
    broker.bring(message_value(0, "bad"), message_value(1), key=b"acme/a")
    broker.bring(message_value(2, "bad"), message_value(3), partition=1, key=b"zoo/a")
    await eventually(lambda: broker.holding and listener.deliveries == [3])
    assert [held.tenant for held in broker.holding] == [b"acme"]
    assert broker.parked == [0]


async def test_so_many_held_tenants_are_no_fault_of_theirs() -> None:
    listener = Listener()
    broker = Broker(by_tenant(listener), replace(QUICK, parked_streak=3, parked_window=1000))
    for number in range(MOST_TENANTS + 1):
        tenant = b"t%d/a" % number
        broker.bring(*[message_value(0, "bad")] * 4, start=5 * number, key=tenant)
        broker.bring(message_value(number), start=5 * number + 4, key=b"good/a")
        await eventually(
            lambda n=number + 1: len(broker.holding) == len(listener.deliveries) == n  # type: ignore[misc]
        )
    assert "8 tenants are held, and one more: 3 records in a row" in broker.scheduler.problems[0]
    assert len(broker.scheduler.troubles) == MOST_TENANTS
    await broker.scheduler.drain(1)
    broker.scheduler.forget()
    assert (broker.scheduler.problems, broker.scheduler.troubles) == ([], [])


async def test_only_the_record_that_stopped_all_lets_all_go_on() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.bring(DAMAGED)
    await eventually(lambda: broker.holding)
    broker.scheduler.breakers.open("50 records in a row could not be handled", None)
    broker.bring(message_value(0, "bad"), partition=1)
    await eventually(lambda: len(broker.holding) == 2)
    first, second = broker.scheduler.problems
    assert "partition 1 is held at offset 0" in first
    assert "partition 0 is held at offset 0" in second
    damaged, stop = broker.holding
    broker.scheduler.skip(damaged)
    assert (broker.scheduler.problems, broker.paused) == ([str(stop)], {0, 1})
    broker.scheduler.skip(stop)
    assert (broker.scheduler.problems, broker.paused) == ([], set())


async def test_a_partition_that_is_read_again_waits_until_others_may_go_on() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.bring(DAMAGED)
    await eventually(lambda: broker.holding)
    broker.scheduler.breakers.open("50 records in a row could not be handled", None)
    broker.bring(message_value(0, "bad"), partition=1)
    await eventually(lambda: len(broker.holding) == 2)
    damaged, stop = broker.holding
    broker.scheduler.give_up(damaged)
    assert broker.paused == {0, 1}
    broker.scheduler.skip(stop)
    assert broker.paused == set()
    broker.bring(message_value(2))
    await eventually(lambda: listener.deliveries == [2])


async def test_tenants_are_held_again_at_what_is_read_again() -> None:
    listener = Listener()
    broker = Broker(by_tenant(listener), replace(QUICK, parked_streak=1))
    broker.bring(message_value(0, "bad"), message_value(1, "bad"), key=b"acme/a")
    await eventually(lambda: broker.holding)
    broker.bring(DAMAGED, start=2, key=b"zoo/a")
    await eventually(lambda: len(broker.holding) == 2)
    tenant, damaged = broker.holding
    broker.scheduler.give_up(damaged)
    assert (broker.scheduler.troubles, broker.scheduler.tenants.held) == ([], set())
    broker.bring(message_value(1, "bad"), start=1, key=b"acme/a")
    broker.bring(message_value(2), start=2, key=b"zoo/a")
    await eventually(lambda: len(broker.holding) == 3 and listener.deliveries == [2])
    again = broker.holding[-1]
    assert again.pending.raw.offset == tenant.pending.raw.offset
    broker.scheduler.skip(again)
    await eventually(lambda: again.pending.partition.watermark == 3)
    assert (broker.scheduler.troubles, broker.parked) == ([], [0])


async def test_the_rest_of_a_held_tenants_batch_waits_in_its_order() -> None:
    deliveries: list[int] = []

    async def on_message_sent(records: Sequence[Record[MessageSent]]) -> None:
        if any(record.event.listener == "bad" for record in records):
            raise Poison("no")
        deliveries.extend(record.event.ordinal for record in records)

    handling = InBatches(
        decoder(TOPIC, "g/h"), on_message_sent, BatchSize(8, 0.01), tenant_of=tenant_by_key
    )
    broker = Broker(handling, replace(QUICK, parked_streak=1))
    broker.bring(message_value(0, "bad"), message_value(1, "bad"), key=b"acme/a")
    broker.bring(*[message_value(n) for n in range(2, 8)], start=2, key=b"acme/a")
    broker.bring(message_value(8), start=8, key=b"zoo/a")
    await eventually(lambda: broker.holding and deliveries == [8])
    broker.scheduler.skip(broker.holding[0])
    await eventually(lambda: deliveries == [8, 2, 3, 4, 5, 6, 7])
    assert broker.holding[0].pending.partition.watermark == 9


def a_held_record(offset: int = 7, cause: str = "no", tenant: str = "acme") -> HeldRecord:
    return HeldRecord(
        group="g",
        topic=TOPIC.name,
        partition=3,
        offset=offset,
        cause=cause,
        since="2026-12-01T00:00:00+00:00",
        dlq_offset=12,
        digest=f"sha256:{'0' * 64}",
        size=300,
        breaker_open=True,
        breaker_scope=Scope.TENANT,
        tenant=tenant,
    )


def test_what_one_partition_holds_fits_beside_its_offset() -> None:
    records = [a_held_record(n, "❄" * 2_000, f"tenant-{n}" + "x" * 50) for n in range(MOST_TENANTS)]
    text = to_metadata(records)
    assert len(text.encode()) < 4_096
    again = from_metadata(text)
    assert [(each.offset, each.tenant, each.party) for each in again] == [
        (each.offset, each.tenant, each.tenant.encode()) for each in records
    ]
    assert from_metadata(to_metadata([a_held_record()])) == [a_held_record()]


def test_what_an_earlier_version_noted_is_still_held() -> None:
    old = {
        "group": "g", "topic": "t", "partition": 0, "offset": 3, "cause": "c", "since": "s",
        "dlq_offset": 0, "digest": "d", "size": 1, "breaker_open": True,
    }  # fmt: skip
    (record,) = from_metadata(json.dumps({"held": old}))
    assert (record.breaker_open, record.party) == (True, None)
    assert from_metadata("") == from_metadata(None) == from_metadata('{"held": {"a": 1}}') == []
