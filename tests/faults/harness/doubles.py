"""Consumers that do not keep the promise, written the way one would without the delivery layer.

A run over one of them has to be judged broken, or the harness proves nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from gyre_common.bus import RawRecord, Record
from gyre_common.events.topic import Topic

from tests.bus_contract import MessageSent
from tests.faults.harness.shapes import Failures, Recorder, entry_of, group_id

OURS = "ours"
_TRIES = 3
_POLL_MS = 100

Topics = dict[str, Topic[MessageSent]]
Double = Callable[[str, Topics, Recorder, Failures], AbstractAsyncContextManager[Any]]


async def _handle(raw: RawRecord, shape: str, recorder: Recorder, failures: Failures) -> None:
    """The work itself, with ids as good as ours. Raises what goes wrong."""
    record = Record(MessageSent.from_json(raw.value or b""), raw, shape)
    writer = recorder.writer(raw.topic)
    with recorder.work(1):
        await failures.before([record])
        entry_id: UUID = record.next_id()
        await recorder.write(
            [entry_of(record, entry_id=str(entry_id), recorder=recorder, writer=writer)]
        )


def _faststream(**settings: Any) -> Double:
    @asynccontextmanager
    async def opened(
        servers: str, topics: Topics, recorder: Recorder, failures: Failures
    ) -> AsyncIterator[None]:
        broker = KafkaBroker(servers)
        for shape, topic in topics.items():
            _subscribe(broker, shape, topic, recorder, failures, settings)
        async with broker:
            await broker.start()
            yield

    return opened


def _subscribe(
    broker: KafkaBroker,
    shape: str,
    topic: Topic[MessageSent],
    recorder: Recorder,
    failures: Failures,
    settings: dict[str, Any],
) -> None:
    async def on_message(body: Any, message: KafkaMessage) -> None:
        raw: Any = message.raw_message
        await _handle(raw, shape, recorder, failures)

    broker.subscriber(
        topic.name, group_id=group_id(shape, topic), auto_offset_reset="earliest", **settings
    )(on_message)


@asynccontextmanager
async def drops_after_three(
    servers: str, topics: Topics, recorder: Recorder, failures: Failures
) -> AsyncIterator[None]:
    """A loop that tries three times, logs, and goes on."""
    loops = [
        asyncio.create_task(_consume(servers, shape, topic, recorder, failures))
        for shape, topic in topics.items()
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        for loop in loops:
            with suppress(asyncio.CancelledError):
                await loop


async def _consume(
    servers: str, shape: str, topic: Topic[MessageSent], recorder: Recorder, failures: Failures
) -> None:
    async with AIOKafkaConsumer(
        topic.name,
        bootstrap_servers=servers,
        group_id=group_id(shape, topic),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6_000,
    ) as consumer:
        while True:
            batches: dict[TopicPartition, list[RawRecord]]
            batches = await consumer.getmany(timeout_ms=_POLL_MS)
            for records in batches.values():
                for raw in records:
                    for _ in range(_TRIES):
                        with suppress(Exception):
                            await _handle(raw, shape, recorder, failures)
                            break
            if batches:
                with suppress(Exception):
                    await consumer.commit()


VARIANTS: dict[str, Double] = {
    "faststream-default": _faststream(),
    "nack-on-error": _faststream(ack_policy=AckPolicy.NACK_ON_ERROR),
    "drops-after-three": drops_after_three,
}
