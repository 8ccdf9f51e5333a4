"""Wires the release controller to Kafka, the embedder and gRPC."""

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import now
from gyre_common.events.releases import RELEASE_CHANGED, Roles
from gyre_common.releases.builtin import shipped_artifacts
from gyre_common.rpc import channel
from gyre_common.signature import Signature

from gyre_releases.book import ReleaseBook
from gyre_releases.grpc_probes import GrpcEncoderProbe, GrpcGeneratorProbe
from gyre_releases.handlers import build_handlers
from gyre_releases.kafka_log import KafkaReleaseLog
from gyre_releases.rpc import ReleaseRpc
from gyre_releases.service import ReleaseController
from gyre_releases.settings import ReleasesSettings
from gyre_releases.version_trial import Probes


async def create_app(settings: ReleasesSettings, enter: Enter) -> App:
    """The controller as the only writer of releases: losing that ends the process."""
    await ensure_topics(settings.kafka_servers, [RELEASE_CHANGED])
    log = await enter(KafkaReleaseLog(settings.kafka_servers))
    embedder = await enter(channel(settings.embedder_address, key=settings.key))
    generator = await enter(channel(settings.generator_address, key=settings.key))
    encoders, answers = GrpcEncoderProbe(embedder), GrpcGeneratorProbe(generator)
    probes: Probes = {
        Roles.DOCUMENT_ENCODER: encoders,
        Roles.QUERY_ENCODER: encoders,
        Roles.GENERATOR: answers,
        Roles.ANSWER_PROMPT: answers,
    }
    controller = ReleaseController(log, ReleaseBook(now), probes)
    await controller.start(shipped_artifacts(now()), Signature(actor="gyre"))
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    build_handlers(bus, controller)
    await enter(bus)
    return App(rpc=[ReleaseRpc(controller)], bus=bus, tasks=[log.wait_until_superseded])


def main() -> None:
    """Run until told to stop."""
    run(ReleasesSettings, create_app)


if __name__ == "__main__":
    main()
