"""Collectors killed at random points, and two at once, keep every offset; readers see it once."""

import asyncio
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED
from gyre_common.store import Shelf
from gyre_trainer.segments import Segments, until_collected

from tests.builders import a_feedback
from tests.faults.killing import kill_points, kill_when, kills_wanted, running

pytestmark = [pytest.mark.faults, pytest.mark.integration]

KILLS = kills_wanted(1)
VOTES_A_KILL = 1_500

_COLLECTOR = Path(__file__).with_name("crashing_collector.py")


@pytest.mark.timeout(90 + 30 * KILLS)
async def test_a_collector_killed_at_random_points_keeps_every_offset_once(
    kafka_servers: str, tmp_path: Path
) -> None:
    await ensure_topics(
        kafka_servers, [INTERACTION_COMPLETED, INTERACTION_JUDGED, FEEDBACK_RECEIVED]
    )
    votes = VOTES_A_KILL * (KILLS + 1)
    vote_events = await _vote(kafka_servers, votes)
    segments = Segments(Shelf(f"file://{tmp_path}/store", "segments"))
    group = f"crashing-{uuid4().hex[:8]}"
    for kill_at in kill_points(KILLS, votes):
        async with _collector(kafka_servers, tmp_path, group) as process:
            await kill_when(process, partial(_reached, segments, kill_at))
    async with (
        _collector(kafka_servers, tmp_path, group),
        _collector(kafka_servers, tmp_path, group),  # one takes partitions from the other
    ):
        window = await until_collected(kafka_servers, segments, group=group, seconds=60)
    read: dict[int, list[int]] = defaultdict(list)
    ids: list[str] = []
    for number, facts in enumerate([f async for f in segments.facts(window, EVERY_TENANT)]):
        read[number] = [fact.offset for fact in facts.feedback]
        ids += [fact.feedback_id for fact in facts.feedback]
    assert sorted(ids) == sorted(vote_events)
    for offsets in read.values():
        assert offsets == list(range(len(offsets)))


async def _reached(segments: Segments, count: int) -> bool:
    return sum(end - first for first, end in (await segments.durable()).values()) >= count


async def _vote(servers: str, count: int) -> list[str]:
    events = [a_feedback(interaction_id=uuid4(), feedback_id=uuid4()) for _ in range(count)]
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        await asyncio.gather(
            *[
                await producer.send(
                    FEEDBACK_RECEIVED.name, event.to_json(), FEEDBACK_RECEIVED.key(event).encode()
                )
                for event in events
            ]
        )
    return [str(event.feedback_id) for event in events]


def _collector(
    servers: str, folder: Path, group: str
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    store = f"file://{folder}/store"
    return running(_COLLECTOR, servers, store, group, log=folder / "collector.log")
