"""Wires the collector and the runs to Kafka, the releases, the store and gRPC."""

from functools import partial

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.training import TRAINING_FINISHED, TRAINING_PROGRESSED, TRAINING_STARTED
from gyre_common.releases.following import open_releases
from gyre_common.reward_input import PROMPT as JUDGE_PROMPT
from gyre_common.rpc import channel
from gyre_common.store import Shelf, Store

from gyre_trainer.data_sets.data_set_store import FOLDER as DATA_SETS
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.exporting import Exporting
from gyre_trainer.data_sets.frozen import Card
from gyre_trainer.data_sets.question_context import Render, render_for_judge
from gyre_trainer.forgetting import Forgetting, forget_periodically
from gyre_trainer.generator_calls import Generator
from gyre_trainer.handlers import build_handlers
from gyre_trainer.recipes import roles_read
from gyre_trainer.rpc import TrainerRpc
from gyre_trainer.runs.book import RunBook
from gyre_trainer.runs.conductor import Conductor, Tools
from gyre_trainer.runs.folder import RunFolders
from gyre_trainer.runs.kafka_history import TOPICS, read_history
from gyre_trainer.runs.registry import GrpcRegistry
from gyre_trainer.runs.starting import RunStarter
from gyre_trainer.segments import FOLDER as SEGMENTS
from gyre_trainer.segments import Collector, Segments, until_collected
from gyre_trainer.settings import TrainerSettings


async def create_app(settings: TrainerSettings, enter: Enter) -> App:
    """The collector and the runs, of which neither can hold up the other."""
    await ensure_topics(settings.kafka_servers, TOPICS)
    store = Store(settings.store_url)
    segments = Segments(Shelf(settings.store_url, SEGMENTS), records=settings.segment_records)
    releases = await enter(open_releases(settings.kafka_servers, required=roles_read()))
    controller = await enter(channel(settings.releases_address, key=settings.key))
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    build_handlers(
        bus, Collector(segments), records=settings.segment_records, seconds=settings.segment_seconds
    )
    bus.publishes(TRAINING_STARTED, TRAINING_PROGRESSED, TRAINING_FINISHED)
    await enter(bus)
    book = RunBook()
    book.apply(await read_history(settings.kafka_servers))
    book.apply(releases.states)
    releases.on_change(lambda change: book.apply([change]))
    registry = GrpcRegistry(releases, controller)
    current_window = partial(
        until_collected, settings.kafka_servers, segments, seconds=settings.collect_seconds
    )
    tools = Tools(
        starter=RunStarter(registry, current_window),
        folders=RunFolders(settings.runs, keep_newest=settings.runs_kept),
        registry=registry,
        workers=settings.train_processes,
    )
    conductor = await enter(Conductor(book, bus, tools))
    generator = Generator(await enter(channel(settings.generator_address, key=settings.key)))

    def render_for(card: Card) -> Render:
        if card["prompt"] == JUDGE_PROMPT:
            return render_for_judge
        return generator.render(card["prompt"], card["context_tokens"])

    data_sets = DataSetStore(store, Shelf(settings.store_url, DATA_SETS))
    exporting = Exporting(data_sets, segments, render_for)
    forgetting = Forgetting(
        segments,
        data_sets,
        tools.folders,
        current_window=current_window,
        without_runs=conductor.without_runs,
    )
    return App(
        rpc=[TrainerRpc(conductor, store, data_sets, exporting, forgetting)],
        bus=bus,
        tasks=[partial(forget_periodically, forgetting, days=settings.facts_days)],
    )


def main() -> None:
    """Run until told to stop."""
    run(TrainerSettings, create_app)


if __name__ == "__main__":
    main()
