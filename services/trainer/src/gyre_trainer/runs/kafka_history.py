"""Reads back what happened to runs, whole, from the topics that tell of them."""

from collections.abc import Sequence
from datetime import datetime
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
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
)

TOPICS: tuple[Topic[Any], ...] = (TRAINING_STARTED, TRAINING_PROGRESSED, TRAINING_FINISHED)


async def read_history(servers: str) -> Sequence[TrainingEvent]:
    """Every event up to the topics' present ends, in the order in which things happened.

    A record that is no such event is passed over. Raises Unavailable when Kafka does not answer.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        events = [event for topic in TOPICS for event in await _read(consumer, topic)]
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {servers} does not answer: is it up?") from error
    finally:
        await consumer.stop()
    return sorted(events, key=_moment)


async def _read(consumer: AIOKafkaConsumer, topic: Topic[Any]) -> list[TrainingEvent]:
    decode = decoder(topic, "")
    partitions = partitions_of(topic)
    consumer.assign(partitions)
    events = []
    async for raw in records_up_to_now(consumer, partitions):
        try:
            record = decode(raw)
        except Poison:
            continue
        if record is not None:
            events.append(record.event)
    return events


def _moment(event: TrainingEvent) -> datetime:
    match event:
        case TrainingStarted():
            return event.started_at
        case TrainingProgressed():
            return event.at
        case TrainingFinished():
            return event.finished_at
    raise AssertionError(f"no such event of a run: {type(event).__name__}")
