"""Wires releases, the collector and the runs to Kafka, the store and gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gyre_common.app import App, run
from gyre_common.bus import Bus
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import now
from gyre_common.events.releases import RELEASE_CHANGED
from gyre_common.events.training import TRAINING_FINISHED, TRAINING_PROGRESSED, TRAINING_STARTED
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.rpc import channel
from gyre_common.store import Shelf, Store

from gyre_trainer.data_sets import FOLDER as DATA_SETS
from gyre_trainer.data_sets import DataSets
from gyre_trainer.handlers import Batching, build_handlers
from gyre_trainer.releases.book import ReleaseBook, Signature
from gyre_trainer.releases.grpc_encoder_probe import GrpcEncoderProbe
from gyre_trainer.releases.kafka_log import KafkaReleaseLog
from gyre_trainer.rpc import register
from gyre_trainer.runs.book import RunBook
from gyre_trainer.runs.conductor import Conductor, Tools
from gyre_trainer.runs.diary import Diary
from gyre_trainer.runs.folders import RunFolders
from gyre_trainer.runs.kafka_history import TOPICS, read_history
from gyre_trainer.runs.processes import PhaseProcesses
from gyre_trainer.runs.reports import Reports
from gyre_trainer.runs.settlement import Settlement
from gyre_trainer.runs.starting import Beginnings
from gyre_trainer.segments import FOLDER as SEGMENTS
from gyre_trainer.segments import Collector, Segments, Window, until_collected
from gyre_trainer.service import ReleaseController
from gyre_trainer.settings import TrainerSettings


@asynccontextmanager
async def create_app(settings: TrainerSettings) -> AsyncIterator[App]:
    """The controller with the pen in its hand, losing which ends the process; beside it the
    collector and the runs, of which neither can hold it up.
    """
    await ensure_topics(settings.kafka_servers, [RELEASE_CHANGED, *TOPICS])
    store = Store(settings.store_url)
    segments = Segments(Shelf(settings.store_url, SEGMENTS), records=settings.segment_records)
    async with AsyncExitStack() as stack:
        releases = await stack.enter_async_context(KafkaReleaseLog(settings.kafka_servers))
        embedder = await stack.enter_async_context(
            channel(settings.embedder_address, key=settings.key)
        )
        controller = ReleaseController(releases, ReleaseBook(now), GrpcEncoderProbe(embedder))
        await controller.start(built_in_artifacts(now()), Signature(actor="gyre"))
        bus = Bus(settings.kafka_servers, service=settings.service)
        batching = Batching(settings.segment_records, settings.segment_seconds)
        build_handlers(bus, Collector(segments), batching)
        bus.publishes(TRAINING_STARTED, TRAINING_PROGRESSED, TRAINING_FINISHED)
        await stack.enter_async_context(bus)
        tools = _tools(settings, store, segments, controller)
        conductor = await stack.enter_async_context(await _conductor(settings, bus, tools))
        data_sets = DataSets(store, Shelf(settings.store_url, DATA_SETS))
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(releases.until_superseded())
            yield App(
                rpc=[register(controller, conductor, Reports(store), data_sets)],
                ready={"kafka": bus.healthy},
            )
            watch.cancel()


async def _conductor(settings: TrainerSettings, bus: Bus, tools: Tools) -> Conductor:
    book = RunBook()
    book.apply(await read_history(settings.kafka_servers))
    return Conductor(book, Diary(book, bus), tools)


def _tools(
    settings: TrainerSettings, store: Store, segments: Segments, controller: ReleaseController
) -> Tools:
    async def collected() -> Window:
        return await until_collected(
            settings.kafka_servers, segments, seconds=settings.collect_seconds
        )

    return Tools(
        beginnings=Beginnings(controller, collected),
        folders=RunFolders(settings.runs, kept=settings.runs_kept),
        processes=PhaseProcesses(),
        settlement=Settlement(controller, store),
        workers=settings.train_processes,
    )


def main() -> None:
    """Run until told to stop."""
    run(TrainerSettings, create_app)


if __name__ == "__main__":
    main()
