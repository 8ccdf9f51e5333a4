"""Nothing of a partition is read before it is known what was held there."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from gyre_common.bus import RawRecord
from gyre_common.bus import subscription as subscription_module
from gyre_common.bus.breaker import Scope
from gyre_common.bus.decoding import decoder
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.handling import OneByOne
from gyre_common.bus.held_records import HeldRecord
from gyre_common.bus.subscription import KafkaSubscription
from gyre_common.errors import Unavailable

from tests.bus_contract import MessageSent, message_topic
from tests.eventually import eventually

TOPIC = message_topic("messages.sent.v1")
PLACE, OTHER = TopicPartition(TOPIC.name, 0), TopicPartition(TOPIC.name, 1)
HELD = HeldRecord(
    group="g",
    topic=TOPIC.name,
    partition=0,
    offset=7,
    cause="50 records in a row could not be handled",
    since="2026-12-01T00:00:00+00:00",
    dlq_offset=0,
    digest="",
    size=0,
    breaker_open=True,
    breaker_scope=Scope.PARTITION,
)


class Consumer:
    """Of both partitions, until one of them goes elsewhere."""

    def __init__(self) -> None:
        self.places = {PLACE, OTHER}
        self.paused: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return self.places

    def pause(self, *places: TopicPartition) -> None:
        self.paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        self.paused.difference_update(places)


class Lookup:
    """Fails until `answer` is set; hangs while `may_answer` is not."""

    def __init__(self) -> None:
        self.answer: Sequence[HeldRecord] | None = None
        self.may_answer = asyncio.Event()

    async def before(self) -> Sequence[HeldRecord]:
        await self.may_answer.wait()
        if self.answer is None:
            raise Unavailable("Kafka does not answer")
        return self.answer

    def note(self, *_: object) -> tuple[None, str]:
        return None, ""

    def stop(self) -> None:
        pass

    def forget(self) -> None:
        pass


async def on_message_sent(event: MessageSent) -> None:
    """Never gets to run here."""


async def park(raw: RawRecord, cause: Exception, attempts: int) -> None:
    """Never gets to run here."""


@pytest.fixture
def subscription(monkeypatch: pytest.MonkeyPatch) -> KafkaSubscription:
    monkeypatch.setattr(subscription_module, "_FIRST_PAUSE", 0.001)
    subscription = KafkaSubscription(
        [TOPIC.name],
        group="g",
        handling=OneByOne(decoder(TOPIC, "g/h"), on_message_sent, 4),
        park=park,
        delivery=Delivery(),
        servers="nowhere:1",
    )
    parts: Any = subscription
    parts._subscriber = SimpleNamespace(consumer=Consumer())
    parts._holding = Lookup()
    return subscription


async def test_partitions_wait_until_it_is_known_what_was_held(
    subscription: KafkaSubscription,
) -> None:
    parts: Any = subscription
    consumer, lookup = parts._subscriber.consumer, parts._holding
    await subscription.on_partitions_assigned({PLACE, OTHER})
    assert (consumer.paused, subscription.problems) == ({PLACE, OTHER}, [])
    lookup.may_answer.set()
    await eventually(lambda: subscription.problems)
    assert subscription.problems == [
        "nothing is read, as it is not known what was held: Unavailable: Kafka does not answer"
    ]
    assert consumer.paused == {PLACE, OTHER}
    lookup.answer = [HELD]
    await eventually(lambda: not consumer.paused)
    assert subscription.problems == []
    assert subscription.scheduler.breakers.objection((TOPIC.name, 0)) is not None


async def test_another_rebalance_looks_again(subscription: KafkaSubscription) -> None:
    parts: Any = subscription
    consumer, lookup = parts._subscriber.consumer, parts._holding
    await subscription.on_partitions_assigned({PLACE, OTHER})
    await subscription.on_partitions_revoked({PLACE, OTHER})
    consumer.places, consumer.paused = {OTHER}, set()
    await subscription.on_partitions_assigned({OTHER})
    lookup.answer = []
    lookup.may_answer.set()
    await eventually(lambda: not consumer.paused)


async def test_who_leaves_reads_nothing_that_comes_to_it(subscription: KafkaSubscription) -> None:
    parts: Any = subscription
    consumer, lookup = parts._subscriber.consumer, parts._holding
    await subscription.on_partitions_assigned({PLACE})
    lookup.answer = []
    await subscription.drain()
    lookup.may_answer.set()
    await subscription.on_partitions_assigned({PLACE, OTHER})
    await eventually(parts._looking_up.done)
    assert consumer.paused == {PLACE, OTHER}
