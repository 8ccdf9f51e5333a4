"""The ways to consume that are compared; each runs in a process of its own.

`python -m bench.delivery.arms ARM SERVERS TOPIC COUNT HANDLER` prints one JSON line.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaConsumer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from gyre_common.bus import Bus, Record

from bench.delivery.workload import DeliveryStopwatch, WorkloadEvent, topic

_BATCH = 500


async def gyre_on(servers: str, name: str, watch: DeliveryStopwatch) -> None:
    bus = Bus(servers, service="bench")

    @bus.on(topic(name), group=_group())
    async def on_measured(event: WorkloadEvent) -> None:
        await watch.call(1)

    async with bus:
        await watch.done.wait()


async def gyre_on_batch(servers: str, name: str, watch: DeliveryStopwatch) -> None:
    bus = Bus(servers, service="bench")

    @bus.on_batch(topic(name), group=_group(), max_records=_BATCH, max_wait=0.05)
    async def on_measured(records: Sequence[Record[WorkloadEvent]]) -> None:
        await watch.call(len(records))

    async with bus:
        await watch.done.wait()


async def faststream_default(servers: str, name: str, watch: DeliveryStopwatch) -> None:
    broker = KafkaBroker(servers, logger=None)

    @broker.subscriber(name, group_id=_group(), auto_offset_reset="earliest")
    async def on_measured(event: WorkloadEvent) -> None:
        await watch.call(1)

    async with broker:
        await broker.start()
        await watch.done.wait()


async def faststream_batch(servers: str, name: str, watch: DeliveryStopwatch) -> None:
    broker = KafkaBroker(servers, logger=None)

    @broker.subscriber(
        name,
        group_id=_group(),
        auto_offset_reset="earliest",
        batch=True,
        max_records=_BATCH,
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def on_measured(events: list[WorkloadEvent]) -> None:
        await watch.call(len(events))

    async with broker:
        await broker.start()
        await watch.done.wait()


async def raw_aiokafka(servers: str, name: str, watch: DeliveryStopwatch) -> None:
    consumer = AIOKafkaConsumer(
        name, bootstrap_servers=servers, group_id=_group(), auto_offset_reset="earliest"
    )
    async with consumer:
        while not watch.done.is_set():
            for records in (await consumer.getmany(timeout_ms=200, max_records=_BATCH)).values():
                for record in records:
                    WorkloadEvent.model_validate_json(record.value)
                    await watch.call(1)


async def raw_confluent(servers: str, name: str, watch: DeliveryStopwatch) -> None:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": _group(), "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([name])
    while not watch.done.is_set():
        for message in consumer.consume(_BATCH, timeout=0.2):
            WorkloadEvent.model_validate_json(message.value() or b"")
            await watch.call(1)
    consumer.close()


@dataclass(frozen=True)
class DeliveryArm:
    run: Callable[[str, str, DeliveryStopwatch], Awaitable[None]]
    durability: str


ARMS = {
    "gyre on": DeliveryArm(gyre_on, "at least once: watermark, every second"),
    "gyre on_batch": DeliveryArm(gyre_on_batch, "at least once: watermark, every second"),
    "faststream default": DeliveryArm(faststream_default, "at most once: acknowledged first"),
    "faststream batch": DeliveryArm(
        faststream_batch, "at least once: commit a batch, no dead letters"
    ),
    "raw aiokafka": DeliveryArm(raw_aiokafka, "auto-commit every 5 s: may lose and repeat"),
    "raw confluent-kafka": DeliveryArm(raw_confluent, "auto-commit every 5 s: may lose and repeat"),
}


def _group() -> str:
    return f"bench-{uuid4()}"


def main() -> None:
    arm, servers, name, count, handler = sys.argv[1:]
    logging.basicConfig(level=logging.CRITICAL)

    async def run() -> None:
        watch = DeliveryStopwatch(int(count), waits=handler != "no-op")
        await ARMS[arm].run(servers, name, watch)
        print(json.dumps(watch.result))

    asyncio.run(run())


if __name__ == "__main__":
    main()
