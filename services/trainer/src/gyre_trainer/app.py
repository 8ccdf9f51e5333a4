"""Wires the release controller to Kafka and gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gyre_common.app import App, run
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import now
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.releases.builtin import built_in_artifacts

from gyre_trainer.kafka_releases import KafkaReleaseLog
from gyre_trainer.release_book import ReleaseBook, Signature
from gyre_trainer.rpc import register
from gyre_trainer.service import ReleaseController
from gyre_trainer.settings import TrainerSettings


@asynccontextmanager
async def create_app(settings: TrainerSettings) -> AsyncIterator[App]:
    """The controller with the pen in its hand; losing it ends the process."""
    await ensure_topics(settings.kafka_servers, [RELEASE_CHANGED])
    async with KafkaReleaseLog(settings.kafka_servers) as releases:
        controller = ReleaseController(releases, ReleaseBook(now))
        await controller.start(built_in_artifacts(now()), Signature(actor="gyre"))
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(releases.until_superseded())
            yield App(rpc=[register(controller)])
            watch.cancel()


def main() -> None:
    """Run until told to stop."""
    run(TrainerSettings, create_app)


if __name__ == "__main__":
    main()
