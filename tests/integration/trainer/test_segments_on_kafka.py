"""The collector on a real broker: all that is said becomes facts, once, in whatever order."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.bus import Bus, Delivery
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import FailedPrecondition, Retryable, Unavailable
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED
from gyre_common.store import Shelf
from gyre_trainer.data_sets.joining import Joined
from gyre_trainer.handlers import build_handlers
from gyre_trainer.segments import Collector, Segments, Window, until_collected
from gyre_trainer.segments.parquet import FEEDBACK, parquet_bytes

from tests.builders import CHUNK_ID, a_feedback, a_verdict, an_interaction
from tests.eventually import eventually

pytestmark = pytest.mark.integration

QUICK = Delivery(commit_every=0.1, retry_first=0.05, retry_longest=0.2)


@pytest.fixture
async def servers(kafka_servers: str) -> str:
    await ensure_topics(
        kafka_servers, [INTERACTION_COMPLETED, INTERACTION_JUDGED, FEEDBACK_RECEIVED]
    )
    return kafka_servers


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(f"file://{tmp_path}", "segments")


@asynccontextmanager
async def collecting(servers: str, segments: Segments, group: str) -> AsyncIterator[Bus]:
    bus = Bus(servers, service="test", delivery=QUICK)
    build_handlers(bus, Collector(segments), seconds=0.1, group=group)
    async with bus:
        yield bus


async def joined(segments: Segments, window: Window, tenant: str) -> Joined:
    joined_facts = Joined()
    async for facts in segments.facts(window, tenant):
        joined_facts.add(facts)
    return joined_facts


async def test_feedback_that_comes_before_its_interaction_is_joined_and_nothing_is_kept_twice(
    servers: str, shelf: Shelf
) -> None:
    tenant, group = f"t-{uuid4().hex[:8]}", f"trainer-{uuid4().hex[:8]}"
    segments = Segments(shelf, merge_at=3)
    ids = [uuid4() for _ in range(40)]
    for half in (ids[:20], ids[20:]):  # the second collector goes on where the first one ended
        async with collecting(servers, segments, group) as bus:
            for one in half:
                vote = a_feedback(
                    tenant=tenant,
                    interaction_id=one,
                    feedback_id=uuid4(),
                    kind=FeedbackKind.CHUNK,
                    target=str(CHUNK_ID),
                )
                await bus.publish(FEEDBACK_RECEIVED, vote)
            for one in half:
                about = {"tenant": tenant, "interaction_id": one}
                await bus.publish(INTERACTION_COMPLETED, an_interaction(**about))
                await bus.publish(INTERACTION_JUDGED, a_verdict(**about))
            window = await until_collected(servers, segments, group=group, seconds=30)
    joined_facts = await joined(segments, window, tenant)
    assert Counter(UUID(e.interaction.interaction_id) for e in joined_facts.examples) == Counter(
        ids
    )
    assert all(len(example.opinions) == 1 for example in joined_facts.examples)
    assert joined_facts.judged == len(ids)
    assert joined_facts.dropped.total() == 0


async def test_a_store_that_is_full_makes_collecting_wait_and_costs_nothing(
    servers: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, group = f"t-{uuid4().hex[:8]}", f"trainer-{uuid4().hex[:8]}"
    segments = Segments(shelf)
    tries = 0

    async def full(name: str, data: bytes) -> None:
        nonlocal tries
        tries += 1
        raise Retryable("cannot write to the store: No space left on device")

    async with collecting(servers, segments, group) as bus:
        await until_collected(servers, segments, group=group, seconds=30)
        with monkeypatch.context() as patched:
            patched.setattr(shelf, "put", full)
            for _ in range(5):
                await bus.publish(FEEDBACK_RECEIVED, a_feedback(tenant=tenant, feedback_id=uuid4()))
            await eventually(lambda: tries > 2)
            with pytest.raises(Unavailable, match="5 records are not collected yet"):
                await until_collected(servers, segments, group=group, seconds=0.5)
            assert bus.healthy()
        window = await until_collected(servers, segments, group=group, seconds=30)
    feedback_facts = [f async for facts in segments.facts(window, tenant) for f in facts.feedback]
    assert len({fact.feedback_id for fact in feedback_facts}) == len(feedback_facts) == 5


async def test_a_record_that_cannot_be_read_is_parked_and_holds_nobody_up(
    servers: str, shelf: Shelf
) -> None:
    group = f"trainer-{uuid4().hex[:8]}"
    segments = Segments(shelf)
    async with collecting(servers, segments, group):
        async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
            await producer.send_and_wait(FEEDBACK_RECEIVED.name, b"{not json", partition=5)
        await until_collected(servers, segments, group=group, seconds=30)


async def test_a_store_that_knows_more_than_kafka_belongs_to_another_kafka(
    servers: str, shelf: Shelf
) -> None:
    segments = Segments(shelf)
    name = f"{FEEDBACK_RECEIVED.name}/0/000000000000-009999999999.parquet"
    await shelf.put(name, parquet_bytes(FEEDBACK.table([])))
    with pytest.raises(FailedPrecondition, match="the topic was made anew"):
        await until_collected(servers, segments)


async def test_a_kafka_that_is_away_is_said_so(shelf: Shelf) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable, match="does not answer"):
            await until_collected("127.0.0.1:1", Segments(shelf))
