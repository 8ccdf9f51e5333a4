"""What happened to runs is read back whole, in order, whatever else is on the topics."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import Unavailable
from gyre_common.events.event import new_id
from gyre_common.events.training import RunOutcome
from gyre_trainer.runs import kafka_history
from gyre_trainer.runs.book import RunBook
from gyre_trainer.runs.kafka_history import TOPICS, read_history

from tests.unit.trainer.run_fakes import NOON
from tests.unit.trainer.test_run_book import finished, progressed, started

pytestmark = pytest.mark.integration


async def test_a_trainer_that_starts_knows_every_run(
    kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = tuple(replace(topic, name=f"test-{new_id()}-{topic.name}") for topic in TOPICS)
    monkeypatch.setattr(kafka_history, "TOPICS", topics)
    await ensure_topics(kafka_servers, topics)
    started_topic, progressed_topic, finished_topic = (topic.name for topic in topics)
    again = started(minute=9)
    over = finished(RunOutcome.INTERRUPTED).model_copy(
        update={"finished_at": NOON + timedelta(minutes=5)}
    )
    later = progressed("full", 3).model_copy(update={"at": NOON + timedelta(minutes=10)})
    async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as producer:
        for topic, event in (
            (started_topic, started()),
            (started_topic, again),
            (finished_topic, over),
        ):
            await producer.send_and_wait(topic, event.to_json())
        await producer.send_and_wait(progressed_topic, b"not an event")
        await producer.send_and_wait(progressed_topic, later.to_json())
    book = RunBook()
    book.apply(await read_history(kafka_servers))
    run = book.run(UUID(int=1), "default")
    assert (run.state, run.stage, run.step) == ("running", "full", 3)


async def test_without_kafka_it_says_so(unused_tcp_port: int) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await read_history(f"127.0.0.1:{unused_tcp_port}")
