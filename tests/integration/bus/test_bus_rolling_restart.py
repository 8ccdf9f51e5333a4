"""A replica that restarts, on a real broker: no partition moves, and no record comes twice."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.bus import Bus
from gyre_common.events.topic import Topic

from tests.bus_contract import QUICK, MessageSent
from tests.eventually import eventually
from tests.kafka_messages import send_messages

pytestmark = pytest.mark.integration

_LONGEST_STOP = 10.0
_PARTITIONS = 4


class Replica:
    """One of two, which counts what it handles and when its partitions are taken away."""

    def __init__(self, servers: str, topic: Topic[MessageSent], name: str) -> None:
        self.done = Counter[tuple[str, int]]()
        self.bus = Bus(
            servers, service="test", delivery=replace(QUICK, static_session=30.0), replica=name
        )

        @self.bus.on(topic, group="g", concurrency=4)
        async def on_message_sent(event: MessageSent) -> None:
            await asyncio.sleep(0.002)
            self.done[event.listener, event.ordinal] += 1

        (self.subscription,) = self.bus._subscriptions

    def partitions(self) -> frozenset[int]:
        consumer = self.subscription._consumer
        assert consumer is not None
        return frozenset(place.partition for place in consumer.assignment())

    def generation(self) -> int:
        consumer = self.subscription._consumer
        assert consumer is not None
        return int(consumer._coordinator.generation)


async def test_a_replica_that_restarts_moves_no_partition_and_repeats_nothing(
    kafka_servers: str, topic: Topic[MessageSent], producer: AIOKafkaProducer
) -> None:
    stays, leaves = (Replica(kafka_servers, topic, name) for name in ("one", "two"))
    async with stays.bus:
        async with leaves.bus:
            await eventually(lambda: len(stays.partitions()) == len(leaves.partitions()) == 2, 20)
            its, others, generation = leaves.partitions(), stays.partitions(), stays.generation()
            assert its | others == set(range(_PARTITIONS))
            await send_messages(producer, topic, 10)
            await eventually(lambda: leaves.done.total() > 50)
            left_at = time.monotonic()
        assert time.monotonic() - left_at < _LONGEST_STOP
        again = Replica(kafka_servers, topic, "two")
        async with again.bus:
            await eventually(lambda: again.partitions() == its, 20)
            done = stays.done, leaves.done, again.done
            await eventually(lambda: sum(each.total() for each in done) >= 500, 20)
            assert (stays.partitions(), stays.generation()) == (others, generation)
    handled = stays.done + leaves.done + again.done
    assert len(handled) == 500
    assert set(handled.values()) == {1}
