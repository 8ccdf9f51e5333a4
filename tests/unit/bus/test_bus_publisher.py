"""A producer that the broker takes nothing from any more is replaced by another one."""

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber
from gyre_common.bus import publisher as publishing
from gyre_common.bus.publisher import KafkaPublisher
from gyre_common.errors import Unavailable


class AProducer:
    """Its first one leaves a gap in the sequence, and the broker refuses all that comes after."""

    def __init__(self, kafka: "AKafka") -> None:
        self._kafka = kafka
        self._is_first = not kafka.producers
        kafka.producers.append(self)
        self.is_stopped = False

    async def start(self) -> None:
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
            raise OutOfOrderSequenceNumber
        self._kafka.values.append(value)


class AKafka:
    """What it holds, and who produced."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.producers: list[AProducer] = []
        self.is_away = False
        self.leaves = False


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> AKafka:
    kafka = AKafka()
    monkeypatch.setattr(publishing, "AIOKafkaProducer", lambda **_: AProducer(kafka))
    return kafka


async def test_an_event_behind_a_gap_goes_by_another_producer(kafka: AKafka) -> None:
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
