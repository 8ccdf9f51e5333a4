"""Wires the release controller to Kafka, the embedder and gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gyre_common.app import App, run
from gyre_common.bus import Bus
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import now
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.rpc import channel
from gyre_common.signature import Signature

from gyre_releases.book import ReleaseBook
from gyre_releases.grpc_encoder_probe import GrpcEncoderProbe
from gyre_releases.handlers import build_handlers
from gyre_releases.kafka_log import KafkaReleaseLog
from gyre_releases.rpc import register
from gyre_releases.service import ReleaseController
from gyre_releases.settings import ReleasesSettings


@asynccontextmanager
async def create_app(settings: ReleasesSettings) -> AsyncIterator[App]:
    """The controller as the only writer of releases: losing that ends the process."""
    await ensure_topics(settings.kafka_servers, [RELEASE_CHANGED])
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(KafkaReleaseLog(settings.kafka_servers))
        embedder = await stack.enter_async_context(
            channel(settings.embedder_address, key=settings.key)
        )
        controller = ReleaseController(log, ReleaseBook(now), GrpcEncoderProbe(embedder))
        await controller.start(built_in_artifacts(now()), Signature(actor="gyre"))
        bus = Bus(settings.kafka_servers, service=settings.service)
        build_handlers(bus, controller)
        await stack.enter_async_context(bus)
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(log.wait_until_superseded())
            yield App(rpc=[register(controller)], bus=bus)
            watch.cancel()


def main() -> None:
    """Run until told to stop."""
    run(ReleasesSettings, create_app)


if __name__ == "__main__":
    main()
