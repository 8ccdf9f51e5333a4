"""Wires the feedback collector to Kafka and gRPC."""

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus

from gyre_feedback_collector.handlers import build_handlers
from gyre_feedback_collector.rpc import FeedbackRpc
from gyre_feedback_collector.service import FeedbackCollector
from gyre_feedback_collector.settings import FeedbackCollectorSettings


async def create_app(settings: FeedbackCollectorSettings, enter: Enter) -> App:
    """The collector with its producer connected."""
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    build_handlers(bus)
    await enter(bus)
    return App(rpc=[FeedbackRpc(FeedbackCollector(bus))], bus=bus)


def main() -> None:
    """Run until told to stop."""
    run(FeedbackCollectorSettings, create_app)


if __name__ == "__main__":
    main()
