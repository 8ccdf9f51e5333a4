"""A producer that the broker takes nothing from any more is replaced by another one."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber, ProducerClosed
from gyre_common.bus import publisher as publishing
from gyre_common.bus.publisher import KafkaPublisher, end_without_flush
from gyre_common.errors import Unavailable

from tests.eventually import eventually


class AProducer:
    """Its first one leaves a gap in the sequence, and the broker refuses all that comes after."""

    def __init__(self, kafka: "AKafka") -> None:
        self._kafka = kafka
        self._is_first = not kafka.producers
        kafka.producers.append(self)
        self.is_stopped = False

    async def start(self) -> None:
        assert all(each.is_stopped for each in self._kafka.producers[:-1])
        if not self._is_first:
            await self._kafka.may_connect.wait()
        if self._kafka.is_away:
            raise KafkaConnectionError

    async def stop(self) -> None:
        self.is_stopped = True

    async def send_and_wait(
        self, name: str, value: bytes, key: bytes, partition: int | None, headers: Any
    ) -> None:
        if self._kafka.is_away:
            raise KafkaConnectionError
        if self._is_first:
            self._kafka.is_away = self._kafka.leaves
            raise self._kafka.refusal
        self._kafka.values.append(value)


class AKafka:
    """What it holds, and who produced."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.producers: list[AProducer] = []
        self.is_away = False
        self.leaves = False
        self.refusal: Exception = OutOfOrderSequenceNumber()
        self.may_connect = asyncio.Event()
        self.may_connect.set()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> AKafka:
    kafka = AKafka()
    monkeypatch.setattr(publishing, "AIOKafkaProducer", lambda **_: AProducer(kafka))
    monkeypatch.setattr(publishing, "end_without_flush", AProducer.stop)
    return kafka


@pytest.mark.parametrize("refusal", [OutOfOrderSequenceNumber(), ProducerClosed()])
async def test_an_event_behind_a_gap_goes_by_another_producer(
    kafka: AKafka, refusal: Exception
) -> None:
    kafka.refusal = refusal
    async with KafkaPublisher("nowhere:1", service="test", limit=5.0) as publisher:
        for value in (b"1", b"2"):
            await publisher.put("topic", b"k", value, ())
        assert publisher.problem is None
    assert kafka.values == [b"1", b"2"]
    assert [each.is_stopped for each in kafka.producers] == [True, True]
    assert len(kafka.producers) == 2


async def test_a_producer_that_cannot_be_replaced_in_time_is_unavailable(kafka: AKafka) -> None:
    kafka.leaves = True
    async with KafkaPublisher("nowhere:1", service="test", limit=0.3) as publisher:
        with pytest.raises(Unavailable, match="did not confirm"):
            await publisher.put("topic", b"k", b"1", ())
        kafka.is_away = kafka.leaves = False
        await publisher.put("topic", b"k", b"2", ())
    assert kafka.values == [b"2"]


async def test_a_producer_that_comes_after_the_close_is_stopped(kafka: AKafka) -> None:
    kafka.may_connect.clear()
    async with KafkaPublisher("nowhere:1", service="test", limit=5.0) as publisher:
        put = asyncio.create_task(publisher.put("topic", b"k", b"1", ()))
        await eventually(lambda: len(kafka.producers) == 2)
    kafka.may_connect.set()
    with pytest.raises(Unavailable, match="the bus is not open"):
        await put
    assert [each.is_stopped for each in kafka.producers] == [True, True]


class HungBroker:
    """Takes requests and answers none, until it comes back."""

    def __init__(self, producer: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests = 0
        self.is_back = asyncio.Event()
        cluster = producer.client.cluster
        monkeypatch.setattr(cluster, "partitions_for_topic", lambda _: {0})
        monkeypatch.setattr(cluster, "available_partitions_for_topic", lambda _: {0})
        monkeypatch.setattr(cluster, "leader_for_partition", lambda _: 1)
        monkeypatch.setattr(producer.client, "send", self._send)
        producer._txn_manager.set_pid_and_epoch(1, 0)

    async def _send(self, node: int, request: object) -> None:
        self.requests += 1
        await self.is_back.wait()
        raise KafkaConnectionError


async def test_an_ended_producer_sends_nothing_once_its_broker_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers="nowhere:1", enable_idempotence=True)
    broker = HungBroker(producer, monkeypatch)
    await producer._sender.start()
    under_way = await producer.send("topic", b"1", b"k", 0)
    await eventually(lambda: broker.requests)
    waiting = await producer.send("topic", b"2", b"k", 0)
    await asyncio.wait_for(end_without_flush(producer), 5)
    for each in (under_way, waiting):
        with pytest.raises(OutOfOrderSequenceNumber):
            await each
    broker.is_back.set()
    assert producer._sender.sender_task.done()
    assert broker.requests == 1
    with pytest.raises(ProducerClosed):
        await producer.send("topic", b"3", b"k", 0)
