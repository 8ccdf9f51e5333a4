"""Reads back what happened to runs, whole, from the topics that tell of them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from gyre_common.bus.compacted import partitions_of, records_up_to_now
from gyre_common.bus.decoding import decoder
from gyre_common.errors import Poison, Unavailable
from gyre_common.events.topic import Topic
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
    TrainingEvent,
)

TOPICS: Sequence[Topic[Any]] = (TRAINING_STARTED, TRAINING_PROGRESSED, TRAINING_FINISHED)
_MOMENTS = ("started_at", "at", "finished_at")


async def read_history(servers: str) -> Sequence[TrainingEvent]:
    """Every event, in the order of their moments. Raises Unavailable: Kafka does not answer."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    events: list[tuple[datetime, TrainingEvent]] = []
    try:
        await consumer.start()
        for topic, moment in zip(TOPICS, _MOMENTS, strict=True):
            decode, partitions = decoder(topic, ""), partitions_of(topic)
            consumer.assign(partitions)
            async for raw in records_up_to_now(consumer, partitions):
                with suppress(Poison):
                    if record := decode(raw):
                        events.append((getattr(record.event, moment), record.event))
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {servers} does not answer: is it up?") from error
    finally:
        await consumer.stop()
    return [event for _, event in sorted(events, key=itemgetter(0))]
