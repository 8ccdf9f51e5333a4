"""A plain Kafka producer that submits documents and watches them become searchable."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.system.corpora import CorpusPage

SUBMITTED = "documents.submitted.v1"
OUTCOMES = ("documents.indexed.v1", "documents.rejected.v1")


@dataclass
class KafkaSubmitter:
    """Submits pages under one tenant; `finished` maps a document to when its outcome was seen."""

    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    tenant: str
    finished: dict[str, float] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    async def submit(self, page: CorpusPage) -> float:
        """Returns the moment (monotonic seconds) at which the submission was handed over."""
        value = {
            "tenant": self.tenant,
            "document_id": page.document_id,
            "text": page.text,
            "media_type": page.media_type,
        }
        if page.title:
            value["title"] = page.title
        started = time.monotonic()
        key = f"{self.tenant}/{page.document_id}"
        await self.producer.send_and_wait(SUBMITTED, json.dumps(value).encode(), key.encode())
        return started

    async def submit_all(self, pages: Sequence[CorpusPage], timeout: float) -> float:
        """Seconds from the first submission to the last outcome. Raises TimeoutError."""
        started = time.monotonic()
        for batch in (pages[n : n + 100] for n in range(0, len(pages), 100)):
            await asyncio.gather(*map(self.submit, batch))
        await self.wait_for([page.document_id for page in pages], timeout)
        return time.monotonic() - started

    async def wait_for(self, document_ids: Sequence[str], timeout: float) -> None:
        """Until every document was indexed or rejected. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not all(key in self.finished for key in document_ids):
                batch = await self.consumer.getmany(timeout_ms=200)
                now = time.monotonic()
                for records in batch.values():
                    for record in records:
                        event = json.loads(record.value)
                        if event["tenant"] == self.tenant:
                            self.finished[event["document_id"]] = now
                            if record.topic == OUTCOMES[1]:
                                self.rejected[event["document_id"]] = event["code"]


@asynccontextmanager
async def submitter(
    servers: str, tenant: str, *, fetch_wait_ms: int = 20
) -> AsyncIterator[KafkaSubmitter]:
    """Connects a producer, and a consumer that stands at the end of the outcome topics. It sees an
    outcome at once; the broker answers it every `fetch_wait_ms` where there is none, which costs a
    twentieth of a core of each at 20.
    """
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=2)
    consumer = AIOKafkaConsumer(
        *OUTCOMES, bootstrap_servers=servers, fetch_max_wait_ms=fetch_wait_ms
    )
    await producer.start()
    try:
        await consumer.start()
        try:
            await consumer.seek_to_end()
            for partition in consumer.assignment():
                await consumer.position(partition)  # so that the end is that of this moment
            yield KafkaSubmitter(producer, consumer, tenant)
        finally:
            await consumer.stop()
    finally:
        await producer.stop()
