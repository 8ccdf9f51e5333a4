"""Wires the feedback collector to Kafka and gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gyre_common.app import App, run
from gyre_common.bus import Bus

from gyre_feedback_collector.handlers import build_handlers
from gyre_feedback_collector.rpc import register
from gyre_feedback_collector.service import FeedbackCollector
from gyre_feedback_collector.settings import FeedbackCollectorSettings


@asynccontextmanager
async def create_app(settings: FeedbackCollectorSettings) -> AsyncIterator[App]:
    """The collector with its producer connected."""
    bus = Bus(settings.kafka_servers, service=settings.service)
    build_handlers(bus)
    async with bus:
        yield App(rpc=[register(FeedbackCollector(bus))], bus=bus)


def main() -> None:
    """Run until told to stop."""
    run(FeedbackCollectorSettings, create_app)


if __name__ == "__main__":
    main()
