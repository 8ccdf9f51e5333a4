"""Wires the telemetry service to Kafka, ClickHouse and its readers."""

from datetime import timedelta
from functools import partial

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.bus.dead_letters import open_dead_letters
from gyre_common.bus.held_records import skip
from gyre_common.events import ALL_TOPICS

from gyre_telemetry.clickhouse import ClickHouseSink, column_types, open_clickhouse
from gyre_telemetry.clickhouse_history import ClickHouseHistory
from gyre_telemetry.clickhouse_rebuild import ClickHouseTables
from gyre_telemetry.clickhouse_redaction import ClickHouseRedaction, redacted_as
from gyre_telemetry.dead_letter_watch import DeadLetterWatch
from gyre_telemetry.dead_letters import DESK_SECONDS, DeadLetterDesk
from gyre_telemetry.handlers import build_handlers
from gyre_telemetry.history_reader import HistoryReader
from gyre_telemetry.kafka_topics import KafkaTopics, topics_of_rows, translator
from gyre_telemetry.migrations import default_folder, migrate, read_migrations
from gyre_telemetry.rebuild import Rebuild
from gyre_telemetry.rpc import DeadLetterRpc, TelemetryRpc
from gyre_telemetry.service import Telemetry
from gyre_telemetry.settings import TelemetrySettings

_REBUILD_SECONDS = 3_600
"""An answer of ClickHouse over whole tables may take so long."""


async def create_app(settings: TelemetrySettings, enter: Enter) -> App:
    """The schema first, then the topics."""
    servers, password = settings.kafka_servers, settings.clickhouse_password.get_secret_value()
    migrations = read_migrations(settings.migrations or default_folder())
    opened = partial(
        open_clickhouse, settings.clickhouse_url, user=settings.clickhouse_user, password=password
    )
    client = await enter(opened())
    patient = await enter(opened(answer_seconds=_REBUILD_SECONDS))
    await migrate(client, migrations)
    types = await column_types(client)
    sink = ClickHouseSink(client, types)
    bus = Bus(servers, service=settings.service, replica=settings.replica)
    records, wait = settings.insert_records, settings.insert_wait
    build_handlers(bus, Telemetry(sink), records=records, wait=wait)
    reader = HistoryReader(ClickHouseHistory(client))
    redaction = ClickHouseRedaction(client, types)
    rebuild = Rebuild(
        ClickHouseTables(client, types, patient),
        KafkaTopics(servers, topics_of_rows()),
        translator(),
        redacted_as,
    )
    compacted = frozenset(topic.name for topic in ALL_TOPICS if topic.compacted)
    open_letters = partial(open_dead_letters, servers, within=DESK_SECONDS)
    desk = DeadLetterDesk(open_letters, partial(skip, servers), compacted=compacted)
    watch = DeadLetterWatch(desk, bound=timedelta(hours=settings.dead_letter_hours))
    await enter(bus)
    rpc = [TelemetryRpc(reader, redaction, rebuild), DeadLetterRpc(desk)]
    return App(
        rpc=rpc,
        bus=bus,
        ready={"clickhouse": sink.reachable},
        tasks=[rebuild.work, watch.run],
        troubles=lambda: [*rebuild.problems(), *watch.troubles()],
    )


def main() -> None:
    """Run until told to stop."""
    run(TelemetrySettings, create_app)


if __name__ == "__main__":
    main()
