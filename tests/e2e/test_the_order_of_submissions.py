"""What a producer sends last stays, also where it lets Kafka choose the partition."""

import json

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from gyre_client import Addresses, AsyncClient, Caller
from gyre_common.events.documents import DOCUMENT_ACCEPTED, DOCUMENT_CHUNKED, DOCUMENT_SUBMITTED

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STAGES = (
    ("ingestor", DOCUMENT_SUBMITTED),
    ("ingestor", DOCUMENT_ACCEPTED),
    ("embedder", DOCUMENT_CHUNKED),
)
NAMES = [f"unkeyed-{number}" for number in range(20)]


async def everything_is_handled(consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> bool:
    """Stage by stage: a record is committed once what follows from it is written."""
    for service, topic in STAGES:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        ends = await consumer.end_offsets(partitions)
        offsets = await admin.list_consumer_group_offsets(f"{service}.{topic.name}")
        if any(
            end and (each not in offsets or offsets[each].offset < end)
            for each, end in ends.items()
        ):
            return False
    return True


async def test_of_two_versions_without_a_key_the_later_one_stays(system: System) -> None:
    servers = system.ports.kafka_servers
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        # A millisecond is as well as the broker tells two of a document apart.
        for version in ("first", "second"):
            for name in NAMES:
                document = {"tenant": "unkeyed", "document_id": name, "text": f"The {version}."}
                value = json.dumps({**document, "title": version}).encode()
                await producer.send_and_wait(DOCUMENT_SUBMITTED.name, value)

    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
            await eventually(lambda: everything_is_handled(consumer, admin), timeout=120)
    finally:
        await admin.close()

    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    async with AsyncClient(addresses, Caller(tenant="unkeyed")) as gyre:
        titles = {each.document_id: each.title async for each in gyre.documents.list()}
    assert titles == dict.fromkeys(NAMES, "second")
