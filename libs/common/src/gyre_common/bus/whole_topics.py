"""Reads topics whole: from their beginning up to the ends that they have now."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from gyre_common.bus.record import RawRecord
from gyre_common.events.topic import Topic

POLL_MS = 200


def partitions_of(topic: Topic[Any]) -> list[TopicPartition]:
    """All of them, as the topic declares them: what a consumer is assigned to read it whole."""
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


async def records_up_to_now(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> AsyncIterator[RawRecord]:
    """Every record that was there when this was called, in order by partition; a few later ones
    may come along. The consumer goes on behind the last one.

    It is started, of no group, and assigned these partitions and no others; its isolation level
    says whether records of transactions that are open or aborted are among them.

    Raises:
        KafkaError, TimeoutError: it did not get through; asked again it begins at the beginning.
    """
    places = list(partitions)
    ends = await consumer.end_offsets(places)
    await consumer.seek_to_beginning(*places)
    # Positions pass transaction markers, which are no records, so they tell when it is done.
    while [place for place in places if await consumer.position(place) < ends[place]]:
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            for raw in records:
                yield raw
