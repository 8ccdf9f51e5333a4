"""A record that can neither be read nor parked costs its own partition, until it is skipped."""

from collections.abc import Sequence
from dataclasses import replace

from gyre_common.bus import Delivery, RawRecord, Record
from gyre_common.bus.decoding import decoder
from gyre_common.bus.handling import BatchSize, InBatches, OneByOne
from gyre_common.bus.partition import Partition
from gyre_common.bus.record import UnreadValue
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
        self.holding: list[Partition] = []
        self.refusal: Exception | None = None
        self.scheduler = Scheduler(handling, self, delivery, topic=TOPIC.name, group="g")

    def pause(self, partition: Partition) -> None:
        self.paused.add(partition.number)

    def resume(self, partition: Partition) -> None:
        self.paused.discard(partition.number)

    def partition_held(self, partition: Partition) -> None:
        self.holding.append(partition)

    def without_value(self, raw: RawRecord) -> RawRecord:
        raise NotImplementedError

    async def read_again(self, raw: RawRecord) -> RawRecord:
        raise NotImplementedError

    async def park(self, raw: RawRecord, cause: Exception, attempts: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.parked.append(raw.offset)

    def bring(self, *values: bytes, partition: int = 0, start: int = 0) -> None:
        self.scheduler.add(
            StoredRecord(TOPIC.name, partition, start + number, 0, b"k", value)
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
    (partition,) = broker.holding
    assert (partition.watermark, broker.paused, broker.parked) == (1, {0}, [])
    (problem,) = broker.scheduler.problems
    assert problem == "messages.sent.v1 partition 0 is held at offset 1: a batch cannot be read"
    broker.scheduler.skip(partition)
    await eventually(lambda: sorted(listener.deliveries) == [1, 2, 3])
    assert (partition.watermark, broker.paused, broker.scheduler.problems) == (3, set(), [])


async def test_what_cannot_be_parked_holds_its_own_partition() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.refusal = ValueError("a dead letter of this shape is not possible")
    broker.bring(message_value(1), b"{", message_value(2))
    broker.bring(message_value(3), partition=1)
    await eventually(lambda: sorted(listener.deliveries) == [1, 3])
    (partition,) = broker.holding
    assert "cannot be parked: ValueError" in broker.scheduler.problems[0]
    broker.scheduler.skip(partition)
    await eventually(lambda: sorted(listener.deliveries) == [1, 2, 3])


async def test_a_skip_behind_an_open_breaker_tries_the_next_record() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener), replace(QUICK, parked_streak=2))
    broker.bring(
        *[message_value(n, "bad") for n in range(4)], message_value(4), message_value(5, "bad")
    )
    await eventually(lambda: broker.holding)
    (partition,) = broker.holding
    assert broker.parked == [0, 1]
    assert "2 records in a row" in broker.scheduler.problems[0]
    assert "held at offset 2" in broker.scheduler.problems[0]
    broker.scheduler.skip(partition)
    await eventually(lambda: len(broker.holding) == 2)
    assert broker.parked == [0, 1]
    broker.scheduler.skip(partition)
    await eventually(lambda: broker.parked == [0, 1, 5])
    assert (listener.deliveries, broker.scheduler.problems) == ([4], [])


async def test_a_breaker_that_was_open_before_a_restart_parks_nothing_until_something_works() -> (
    None
):
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.scheduler.breaker.open("50 records in a row could not be handled")
    broker.bring(message_value(0, "bad"))
    await eventually(lambda: broker.holding)
    assert "50 records in a row" in broker.scheduler.problems[0]
    mended = Listener()
    mended.broken = False
    again = Broker(one_by_one(mended))
    again.scheduler.breaker.open("50 records in a row could not be handled")
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
    assert broker.holding[0].watermark == 8


async def test_a_partition_that_is_given_up_while_held_is_read_again_from_there() -> None:
    listener = Listener()
    broker = Broker(one_by_one(listener))
    broker.bring(message_value(1), DAMAGED, message_value(2))
    await eventually(lambda: broker.holding)
    await broker.scheduler.drain(1)
    assert (broker.holding[0].watermark, listener.deliveries) == (1, [1])
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
