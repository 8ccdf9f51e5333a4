"""Wires the judge to Kafka, the releases and gRPC."""

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.events.releases import Roles
from gyre_common.releases.following import open_releases

from gyre_judge.handlers import build_handlers
from gyre_judge.rpc import JudgeRpc
from gyre_judge.service import Judge
from gyre_judge.settings import JudgeSettings


async def create_app(settings: JudgeSettings, enter: Enter) -> App:
    """The judge, consuming."""
    releases = await enter(open_releases(settings.kafka_servers, required=[Roles.JUDGE]))
    bus = Bus(settings.kafka_servers, service=settings.service)
    judge = Judge(releases, bus)
    build_handlers(bus, judge)
    await enter(bus)
    return App(rpc=[JudgeRpc(judge)], bus=bus)


def main() -> None:
    """Run until told to stop."""
    run(JudgeSettings, create_app)


if __name__ == "__main__":
    main()
