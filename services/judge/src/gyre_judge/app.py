"""Wires the judge to Kafka, the releases and gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gyre_common.app import App, run
from gyre_common.bus import Bus
from gyre_common.events.releases import Roles
from gyre_common.releases.following import open_releases

from gyre_judge.handlers import build_handlers
from gyre_judge.rpc import register
from gyre_judge.service import Judge
from gyre_judge.settings import JudgeSettings


@asynccontextmanager
async def create_app(settings: JudgeSettings) -> AsyncIterator[App]:
    """The judge, consuming; leaving finishes what was started."""
    async with open_releases(settings.kafka_servers, required=[Roles.JUDGE]) as releases:
        bus = Bus(settings.kafka_servers, service=settings.service)
        judge = Judge(releases, bus)
        build_handlers(bus, judge)
        async with bus:
            yield App(rpc=[register(judge)], bus=bus)


def main() -> None:
    """Run until told to stop."""
    run(JudgeSettings, create_app)


if __name__ == "__main__":
    main()
