"""Releases on a real broker: one pen, whole changes only, nothing half written is ever read."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from gyre_common.bus.topics import ensure_topics
from gyre_common.errors import Unavailable
from gyre_common.events.event import EVERY_TENANT, new_id
from gyre_common.events.releases import RELEASE_CHANGED, Artifact, ReleaseChanged
from gyre_common.events.topic import Topic
from gyre_common.signature import Signature
from gyre_releases.book import ReleaseBook
from gyre_releases.kafka_log import KafkaReleaseLog, Superseded
from gyre_releases.scope import ALL_TENANTS, ReleaseScope
from gyre_releases.service import ReleaseController

from tests.fakes.probes import encoder_probes

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANN = Signature(actor="ann")
ACME = ReleaseScope("acme", "acme")

PATIENT = 20.0
"""A broker that has just started makes its topic of transactions first."""

ReleaseTopic = Topic[ReleaseChanged]


class AcceptingProbe:
    """Encodes with whatever it is asked for."""

    served_by = "embedder"

    async def try_version(self, role: str, version: str) -> None:
        return


class UnusedProbe:
    """Judges are no encoders: no embedder is asked about them."""

    served_by = "embedder"

    async def try_version(self, role: str, version: str) -> None:
        raise AssertionError(f"asked about {role} {version}")


def an_artifact(version: str) -> Artifact:
    return Artifact(version=version, digest="sha256:" + "a" * 64, registered_at=NOON)


def a_release(
    role: str = "judge", generation: int = 1, live: str = "j1", *, tenant: str = EVERY_TENANT
) -> ReleaseChanged:
    artifacts = tuple(map(an_artifact, ("j1", "j2", "j3")))
    return ReleaseChanged(
        tenant=tenant,
        role=role,
        generation=generation,
        live=live,
        artifacts=artifacts,
        reason="shipped",
        actor="gyre",
        changed_at=NOON,
    )


@pytest.fixture
async def topic(kafka_servers: str) -> ReleaseTopic:
    """A release topic of this test's own."""
    topic = replace(RELEASE_CHANGED, name=f"test-releases.{new_id()}.v1")
    await ensure_topics(kafka_servers, [topic])
    return topic


@pytest.fixture(autouse=True)
def nothing_left_to_collect() -> Iterator[None]:
    """What a fenced producer leaves behind is told, with a traceback, when it is collected. If that
    happens while a module is being parsed, Python 3.11 fails (python/cpython#106905).
    """
    yield
    gc.collect()


@pytest.fixture
async def log(kafka_servers: str, topic: ReleaseTopic) -> AsyncIterator[KafkaReleaseLog]:
    async with KafkaReleaseLog(kafka_servers, topic=topic, timeout_seconds=PATIENT) as log:
        yield log


@pytest.fixture
async def another(kafka_servers: str, topic: ReleaseTopic) -> AsyncIterator[KafkaReleaseLog]:
    async with KafkaReleaseLog(kafka_servers, topic=topic, timeout_seconds=PATIENT) as log:
        yield log


async def test_what_was_appended_is_read_by_the_next_one_who_opens(
    log: KafkaReleaseLog, another: KafkaReleaseLog
) -> None:
    assert await log.open() == []
    await log.append((a_release(), a_release("retrieval")))
    await log.append((a_release(generation=2, live="j2"),))
    assert [(r.role, r.live) for r in await another.open()] == [
        ("judge", "j1"),
        ("retrieval", "j1"),
        ("judge", "j2"),
    ]


async def test_records_carry_the_role_as_key_and_a_cloudevents_envelope(
    log: KafkaReleaseLog, kafka_servers: str, topic: ReleaseTopic
) -> None:
    await log.open()
    await log.append((a_release(),))
    consumer = AIOKafkaConsumer(
        topic.name, bootstrap_servers=kafka_servers, auto_offset_reset="earliest"
    )
    async with consumer:
        record = await consumer.getone()
    assert record.key == b"*/judge"
    assert dict(record.headers)["ce_type"] == f"gyre.{topic.name}".encode()


async def test_a_second_controller_takes_the_pen_and_the_first_can_never_write_again(
    log: KafkaReleaseLog, another: KafkaReleaseLog
) -> None:
    first = ReleaseController(log, ReleaseBook(clock=lambda: NOON), encoder_probes(UnusedProbe()))
    await first.start({"judge": (an_artifact("j1"),)}, ANN)
    await first.start({"judge": (an_artifact("j2"),)}, ANN)
    second = ReleaseController(
        another, ReleaseBook(clock=lambda: NOON), encoder_probes(UnusedProbe())
    )
    await second.start({"judge": (an_artifact("j1"),)}, ANN)
    with pytest.raises(Superseded):
        await first.promote("judge", "j2", expected_generation=0, by=ANN)
    with pytest.raises(Superseded):
        await asyncio.wait_for(log.wait_until_superseded(), timeout=1)
    with pytest.raises(Superseded):
        await first.promote("judge", "j2", expected_generation=0, by=ANN)
    release = await second.promote("judge", "j2", expected_generation=2, by=ANN)
    assert (release.live, release.generation) == ("j2", 3)


_DIES_BEFORE_THE_COMMIT = """
import asyncio, sys
from dataclasses import replace
from aiokafka import AIOKafkaProducer
from gyre_common.events.releases import RELEASE_CHANGED, ReleaseChanged
from gyre_releases.kafka_log import KafkaReleaseLog

async def hang(producer):
    print("sent", flush=True)
    await asyncio.Event().wait()

async def main(servers, topic, *changes):
    AIOKafkaProducer.commit_transaction = hang
    log = KafkaReleaseLog(servers, topic=replace(RELEASE_CHANGED, name=topic), timeout_seconds=30)
    await log.open()
    await log.append(tuple(map(ReleaseChanged.model_validate_json, changes)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_controller_killed_between_write_and_commit_leaves_the_old_state(
    kafka_servers: str, topic: ReleaseTopic, log: KafkaReleaseLog, another: KafkaReleaseLog
) -> None:
    await log.open()
    await log.append((a_release(),))
    async with killed_writer(kafka_servers, topic, a_release(generation=2, live="j2")):
        assert await committed(kafka_servers, topic) == ["j1 #1"]
    assert [(r.live, r.generation) for r in await another.open()] == [("j1", 1)]
    await another.append((a_release(generation=2, live="j3"),))
    assert await committed(kafka_servers, topic) == ["j1 #1", "j3 #2"]


async def test_a_controller_killed_in_mid_write_leaves_no_half_of_a_tenants_change(
    kafka_servers: str, topic: ReleaseTopic, log: KafkaReleaseLog, another: KafkaReleaseLog
) -> None:
    """The encoder and its weights, of all and of a tenant, are four records of one change."""
    first = a_controller(log)
    await first.start(
        {"query-encoder": (an_artifact("q1"),), "retrieval": (an_artifact("hybrid"),)}, ANN
    )
    await first.register("query-encoder", passed("q2"), ANN, scope=ACME)
    await first.register("retrieval", passed("w2", fits="q2"), ANN, scope=ACME)
    states_before = await first.releases(scope=ReleaseScope("acme"))
    half_done = [
        state.model_copy(update={"generation": state.generation + 1, "live": version})
        for state, version in zip(states_before, ("q2", "w2"), strict=True)
    ]
    async with killed_writer(kafka_servers, topic, *half_done):
        pass
    second = a_controller(another)
    await second.start({}, ANN)
    assert await second.releases(scope=ReleaseScope("acme")) == states_before
    await promote(second, ACME)
    states_after = await second.releases(scope=ReleaseScope("acme"))
    assert [(c.tenant, c.role, c.live, c.generation) for c in states_after] == [
        ("acme", "query-encoder", "q2", 2),
        ("acme", "retrieval", "w2", 2),
    ]


async def test_a_second_controller_fences_the_first_in_what_tenants_have_too(
    log: KafkaReleaseLog, another: KafkaReleaseLog
) -> None:
    first, second = a_controller(log), a_controller(another)
    await first.start({"query-encoder": (an_artifact("q1"),)}, ANN)
    await first.register("query-encoder", passed("q2"), ANN, scope=ACME)
    await second.start({}, ANN)
    with pytest.raises(Superseded):
        await promote(first, ACME)
    with pytest.raises(Superseded):
        await first.register("query-encoder", passed("q3"), ANN, scope=ACME)
    assert (await second.state("acme", "query-encoder")).live == "q1"
    await promote(second, ACME)
    assert (await second.state("acme", "query-encoder")).live == "q2"


async def test_a_rollback_takes_a_moment_while_every_core_is_busy(log: KafkaReleaseLog) -> None:
    controller = a_controller(log)
    await controller.start({"query-encoder": (an_artifact("q1"),)}, ANN)
    await controller.register("query-encoder", passed("q2"), ANN)
    await promote(controller)
    async with AsyncExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            await stack.enter_async_context(busy())
        async with asyncio.timeout(10):
            release = await controller.rollback("query-encoder", expected_generation=0, by=ANN)
    assert release.live == "q1"


def a_controller(log: KafkaReleaseLog) -> ReleaseController:
    return ReleaseController(log, ReleaseBook(clock=lambda: NOON), encoder_probes(AcceptingProbe()))


async def promote(controller: ReleaseController, scope: ReleaseScope = ALL_TENANTS) -> None:
    await controller.promote("query-encoder", "q2", expected_generation=0, by=ANN, scope=scope)


def passed(version: str, *, fits: str | None = None) -> Artifact:
    return an_artifact(version).model_copy(update={"fits": fits, "evidence": {"gate": "passed"}})


@asynccontextmanager
async def killed_writer(
    servers: str, topic: ReleaseTopic, *changes: ReleaseChanged
) -> AsyncIterator[None]:
    """A controller that has written these and hangs before its commit; killed at the end."""
    values = [change.to_json().decode() for change in changes]
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _DIES_BEFORE_THE_COMMIT, servers, topic.name, *values),
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    try:
        assert await asyncio.wait_for(victim.stdout.readline(), timeout=30) == b"sent\n"
        yield
    finally:
        victim.send_signal(signal.SIGKILL)
        await victim.wait()


@asynccontextmanager
async def busy() -> AsyncIterator[None]:
    """A training job, as far as a core can tell: computes at low priority until it is killed."""
    job = await asyncio.create_subprocess_exec(
        *("nice", "-n", "10", sys.executable, "-c", "while True: pass")
    )
    try:
        yield
    finally:
        job.kill()
        await job.wait()


async def committed(servers: str, topic: ReleaseTopic) -> list[str]:
    """What every other service may see."""
    partition = TopicPartition(topic.name, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        batches = await consumer.getmany(partition, timeout_ms=2000)
    releases = [ReleaseChanged.model_validate_json(r.value) for r in batches.get(partition, [])]
    return [f"{release.live} #{release.generation}" for release in releases]


async def test_an_append_without_a_broker_is_unavailable_and_soon(unused_tcp_port: int) -> None:
    async with KafkaReleaseLog(f"127.0.0.1:{unused_tcp_port}", timeout_seconds=1) as log:
        with pytest.raises(Unavailable, match="is it up"):
            async with asyncio.timeout(5):
                await log.open()


async def test_a_record_that_is_no_release_is_skipped(
    log: KafkaReleaseLog, another: KafkaReleaseLog, kafka_servers: str, topic: ReleaseTopic
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka_servers) as stranger:
        await stranger.send_and_wait(topic.name, b'{"role": "judge"}', key=b"*/judge")
        await stranger.send_and_wait(topic.name, None, key=b"*/judge")
    assert await log.open() == []
    await log.append((a_release(),))
    assert len(await another.open()) == 1
