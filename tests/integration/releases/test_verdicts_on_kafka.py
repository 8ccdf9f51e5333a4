"""A verdict on a real broker: whoever is killed while applying it, it is applied once."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from gyre_common.bus import Bus
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import new_id
from gyre_common.events.releases import RELEASE_CHANGED, ReleaseChanged
from gyre_common.events.topic import Topic
from gyre_common.events.training import TRAINING_FINISHED
from gyre_releases.book import ReleaseBook
from gyre_releases.handlers import build_handlers
from gyre_releases.kafka_log import KafkaReleaseLog
from gyre_releases.service import ReleaseController

from tests.eventually import eventually
from tests.fakes.probes import encoder_probes
from tests.unit.releases.release_builders import ANN, NOON, a_judged_run, an_artifact

pytestmark = pytest.mark.integration

PATIENT = 20.0

_DIES_BEFORE_THE_COMMIT = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
from tests.integration.releases.test_verdicts_on_kafka import consuming

async def hang(producer):
    print("sent", flush=True)
    await asyncio.Event().wait()

async def main(servers, topic, group):
    async with consuming(servers, topic, group, before=lambda: setattr(
        AIOKafkaProducer, "commit_transaction", hang
    )):
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


class Embedder:
    """Encodes with whatever it is asked for."""

    served_by = "embedder"

    async def try_version(self, role: str, version: str) -> None:
        return


@asynccontextmanager
async def consuming(
    servers: str, topic: str, group: str, before: Callable[[], None] = lambda: None
) -> AsyncIterator[ReleaseController]:
    """A release controller as its service wires it; `before` is called once it has started."""
    named: Topic[ReleaseChanged] = replace(RELEASE_CHANGED, name=topic)
    async with KafkaReleaseLog(servers, topic=named, timeout_seconds=PATIENT) as log:
        controller = ReleaseController(
            log, ReleaseBook(clock=lambda: NOON), encoder_probes(Embedder())
        )
        await controller.start({"query-encoder": (an_artifact("q1"),)}, ANN)
        await controller.register("query-encoder", an_artifact("votes", run="r1"), ANN)
        before()
        bus = Bus(servers, service="releases")
        build_handlers(bus, controller, group=group)
        async with bus:
            yield controller


async def test_a_controller_killed_while_it_applies_a_verdict_has_its_successor_apply_it_once(
    kafka_servers: str,
) -> None:
    topic, group = f"test-releases.{new_id()}.v1", f"releases-{new_id()}"
    await ensure_topics(kafka_servers, [replace(RELEASE_CHANGED, name=topic), TRAINING_FINISHED])
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _DIES_BEFORE_THE_COMMIT, kafka_servers, topic, group),
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    verdict = a_judged_run(an_artifact("votes", run="r1"), against={"query-encoder": "q1"})
    async with Bus(kafka_servers, service="trainer") as trainer:
        await trainer.publish(TRAINING_FINISHED, verdict)
        try:
            assert await asyncio.wait_for(victim.stdout.readline(), timeout=60) == b"sent\n"
        finally:
            victim.kill()
            await victim.wait()
        async with consuming(kafka_servers, topic, group) as controller:

            async def state() -> ReleaseChanged:
                (release,) = await controller.releases("query-encoder")
                return release

            assert (await state()).live == "q1"

            async def released() -> bool:
                return (await state()).live == "votes"

            await eventually(released, timeout=60)
            await trainer.publish(TRAINING_FINISHED, verdict)  # a replay
            generation = (await state()).generation
            assert generation == 3
            judged = (await state()).artifact("votes")
    assert judged is not None
    assert judged.evidence["outcome"] == "released"
