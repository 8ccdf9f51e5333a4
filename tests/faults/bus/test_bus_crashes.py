"""A consumer killed at random points loses nothing and doubles nothing."""

import asyncio
import logging
import sqlite3
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from gyre_common.bus import Record
from gyre_common.bus.compacted import records_up_to_now
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import derived_id, new_id
from gyre_common.events.topic import Topic

from tests.bus_contract import MessageSent, message_topic
from tests.eventually import eventually
from tests.faults.killing import kill_points, kill_when, kills_wanted, running

pytestmark = [pytest.mark.faults, pytest.mark.integration]

log = logging.getLogger(__name__)

KILLS = kills_wanted(2)
LISTENERS = 40
TENANTS = 3
EVENTS_A_KILL = 500

_CONSUMER = Path(__file__).with_name("crashing_consumer.py")


@pytest.mark.timeout(60 + 30 * KILLS)
@pytest.mark.parametrize("turns", ["in-order", "by-tenant"])
async def test_a_consumer_killed_at_random_points_loses_and_doubles_nothing(
    kafka_servers: str, tmp_path: Path, turns: str
) -> None:
    unique = uuid4().hex[:8]
    source, copies = (
        message_topic(f"messages.sent-{unique}.v1"),
        message_topic(f"things.noted-{unique}.v1"),
    )
    await ensure_topics(kafka_servers, [source, copies])
    notes = _notes(tmp_path / "notes.sqlite")
    events = EVENTS_A_KILL * (KILLS + 1)
    causes = await _send_messages(kafka_servers, source, events)

    for kill_at in kill_points(KILLS, events):
        async with _consumer(kafka_servers, source, copies, tmp_path, turns) as process:
            await kill_when(process, partial(_reached, notes, kill_at))
    async with _consumer(kafka_servers, source, copies, tmp_path, turns) as process:
        await eventually(partial(_reached, notes, events), 60)
        process.terminate()

    _assert_in_order(notes)
    rows = dict(notes.execute("SELECT event_id, writes FROM notes"))
    assert set(rows) == {str(cause) for cause in causes}
    followed = await _ids(kafka_servers, copies)
    expected = {derived_id(cause, "crashing/on_message_sent") for cause in causes}
    assert set(followed) == expected
    repeated = sum(rows.values()) - events
    log.info("%d kills, %d events, %d handled again", KILLS, events, repeated)
    assert repeated < events


def _notes(path: Path) -> sqlite3.Connection:
    notes = sqlite3.connect(path, isolation_level=None, timeout=10)
    notes.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE notes (
            event_id TEXT PRIMARY KEY, listener TEXT, ordinal INTEGER, writes INTEGER DEFAULT 1
        );
        CREATE TABLE log (id INTEGER PRIMARY KEY, listener TEXT, ordinal INTEGER);
        """
    )
    return notes


def _count(notes: sqlite3.Connection) -> int:
    (count,) = notes.execute("SELECT count(*) FROM notes").fetchone()
    return int(count)


def _reached(notes: sqlite3.Connection, count: int) -> bool:
    return _count(notes) >= count


def _assert_in_order(notes: sqlite3.Connection) -> None:
    """A repetition goes back to an earlier event of its key; nothing ever jumps ahead."""
    deliveries: dict[str, list[int]] = defaultdict(list)
    for listener, ordinal in notes.execute("SELECT listener, ordinal FROM log ORDER BY id"):
        deliveries[listener].append(ordinal)
    for ordinals in deliveries.values():
        assert ordinals[0] == 0
        assert all(after <= before + 1 for before, after in pairwise(ordinals))


async def _send_messages(servers: str, topic: Topic[MessageSent], count: int) -> list[UUID]:
    causes = [new_id() for _ in range(count)]
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        futures = []
        for number, cause in enumerate(causes):
            own = number % LISTENERS
            listener = f"t{own % TENANTS}/l{own}"
            event = MessageSent(listener=listener, ordinal=number // LISTENERS)
            headers = [("ce_id", str(cause).encode())]
            futures.append(
                await producer.send(topic.name, event.to_json(), listener.encode(), headers=headers)
            )
        await asyncio.gather(*futures)
    return causes


def _consumer(
    servers: str, source: Topic[MessageSent], copies: Topic[MessageSent], folder: Path, turns: str
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    database, log = str(folder / "notes.sqlite"), folder / "consumer.log"
    return running(_CONSUMER, servers, source.name, copies.name, database, turns, log=log)


async def _ids(servers: str, topic: Topic[MessageSent]) -> list[UUID]:
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=servers, auto_offset_reset="earliest")
    async with consumer:
        return [
            Record(MessageSent(listener=""), raw, "").event_id
            async for raw in records_up_to_now(consumer, consumer.assignment())
        ]
