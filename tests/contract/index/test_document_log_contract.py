"""The newest record of a document, in memory and on Kafka."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from gyre_common.bus import Bus
from gyre_common.events.documents import DOCUMENT_ACCEPTED, by_document
from gyre_common.events.publisher import Publisher
from gyre_ingestor.document_log import DocumentLog
from gyre_ingestor.kafka_document_log import KafkaDocumentLog

from tests.builders import a_document_accepted
from tests.fakes.bus import MemoryBus
from tests.fakes.document_log import MemoryDocumentLog

Arm = tuple[DocumentLog, Publisher]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
async def arm(request: pytest.FixtureRequest) -> AsyncIterator[Arm]:
    """A log, and what writes to its topic."""
    if request.param == "memory":
        async with MemoryBus() as memory:
            yield MemoryDocumentLog(memory), memory
        return
    servers: str = request.getfixturevalue("kafka_servers")
    bus = Bus(servers, service="test")
    bus.publishes(DOCUMENT_ACCEPTED)
    async with bus:
        yield KafkaDocumentLog(servers), bus


async def test_the_newest_record_of_a_document_is_read_among_others(arm: Arm) -> None:
    log, publisher = arm
    tenant = f"t{uuid4().hex[:8]}"

    async def accept(document_id: str, title: str) -> None:
        event: Any = a_document_accepted(tenant=tenant, document_id=document_id, title=title)
        await publisher.publish(DOCUMENT_ACCEPTED, event)

    tea = by_document(a_document_accepted(tenant=tenant, document_id="tea.md"))
    assert await log.newest_of(tea, 0) is None
    for title in ("first", "second"):
        await accept("tea.md", title)
        for number in range(20):
            await accept(f"other-{number}.md", title)
    newest = await log.newest_of(tea, 0)
    assert newest is not None
    assert newest.document is not None
    assert newest.document.title == "second"
    assert await log.newest_of(tea, newest.offset) == newest
    assert await log.newest_of(tea, newest.offset + 1) is None
    await publisher.retire(DOCUMENT_ACCEPTED, tea)
    gone = await log.newest_of(tea, newest.offset)
    assert gone is not None
    assert gone.document is None
