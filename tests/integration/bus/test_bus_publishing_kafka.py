"""What only a real broker can show of publishing, and of several addresses of one Kafka."""

from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from gyre_common.bus.publisher import KafkaPublisher
from gyre_common.events.topic import Topic

from tests.bus_contract import MessageSent, message_topic
from tests.eventually import eventually
from tests.kafka_messages import a_bus

pytestmark = pytest.mark.integration


async def test_a_gap_in_the_sequence_of_the_producer_does_not_end_publishing(
    kafka_servers: str,
) -> None:
    """As aiokafka leaves it when it drops an event while no broker leads the partition."""
    topic = message_topic(f"messages.sent.{uuid4().hex[:8]}")
    async with KafkaPublisher(kafka_servers, service="test", limit=15.0) as publisher:
        await publisher.publish(topic, MessageSent(listener="ann", ordinal=0))
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        for place in places:
            publisher._producer._txn_manager.increment_sequence_number(place, 1)  # type: ignore[union-attr]
        await publisher.publish(topic, MessageSent(listener="ann", ordinal=1))
        await publisher.publish(topic, MessageSent(listener="ann", ordinal=2))
    async with AIOKafkaConsumer(bootstrap_servers=kafka_servers) as consumer:
        ends = await consumer.end_offsets(places)
    assert sum(ends.values()) == 3


async def test_a_bus_goes_to_any_of_several_addresses(
    kafka_servers: str, topic: Topic[MessageSent]
) -> None:
    bus = a_bus(f"127.0.0.1:1,{kafka_servers}")
    handled: list[MessageSent] = []

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        handled.append(event)

    async with bus:
        await bus.publish(topic, MessageSent(listener="ann"))
        await eventually(lambda: handled == [MessageSent(listener="ann")])
