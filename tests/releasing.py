"""Makes a version of the query encoder known to a running system, as the trainer would."""

import os
import signal
from pathlib import Path

from gyre_common.events.event import EVERY_TENANT, now
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import keep_model
from gyre_common.releases.builtin import ENCODER_VERSION
from gyre_common.store import Store
from gyre_common.testing.eventually import eventually
from gyre_trainer.releases.book import ReleaseBook, Signature
from gyre_trainer.releases.kafka_log import KafkaReleaseLog
from gyre_trainer.service import ReleaseController

from tests.system import System

BY = Signature(actor="test", reason="a version to swap with")


class _NobodyToAsk:
    """Implements the EncoderProbe port: registering tries nothing."""

    async def encode(self, role: str, version: str) -> None:
        raise AssertionError("nothing is promoted here")


async def register_encoder(system: System, version: str, model: Path) -> None:
    """Keep the model in the system's store and register it; returns once the trainer knows it.

    There is one pen for releases: it is taken from the trainer, which is then started again, as its
    supervisor does with every trainer that loses it.
    """
    kept = await keep_model(Store(f"file://{system.home}/store"), model)
    artifact = Artifact(
        version=version,
        digest=kept.digest,
        uri=kept.uri,
        fits=ENCODER_VERSION,
        registered_at=now(),
    )
    async with KafkaReleaseLog(system.ports.kafka_servers) as log:
        controller = ReleaseController(log, ReleaseBook(now), _NobodyToAsk())
        await controller.start({}, BY)
        await controller.register(EVERY_TENANT, Roles.QUERY_ENCODER, artifact, BY)
    trainer = system.process("trainer")
    assert trainer.identity is not None
    os.kill(trainer.identity.pid, signal.SIGTERM)

    def is_back() -> bool:
        return system.process("trainer").restarts > trainer.restarts and system.state().ready

    await eventually(is_back, 60, every=0.1)
