"""Wires the telemetry service to Kafka, ClickHouse and its readers."""

from functools import partial

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.bus.dead_letters import open_dead_letters
from gyre_common.bus.held_records import skip

from gyre_telemetry.clickhouse import ClickHouseSink, column_types, open_clickhouse
from gyre_telemetry.clickhouse_history import ClickHouseHistory
from gyre_telemetry.clickhouse_redaction import ClickHouseRedaction
from gyre_telemetry.dead_letters import DeadLetterDesk
from gyre_telemetry.handlers import build_handlers
from gyre_telemetry.history_reader import HistoryReader
from gyre_telemetry.migrations import default_folder, migrate, read_migrations
from gyre_telemetry.rpc import DeadLetterRpc, TelemetryRpc
from gyre_telemetry.service import Telemetry
from gyre_telemetry.settings import TelemetrySettings


async def create_app(settings: TelemetrySettings, enter: Enter) -> App:
    """The schema first, then the topics."""
    servers, password = settings.kafka_servers, settings.clickhouse_password.get_secret_value()
    migrations = read_migrations(settings.migrations or default_folder())
    client = await enter(
        open_clickhouse(settings.clickhouse_url, user=settings.clickhouse_user, password=password)
    )
    await migrate(client, migrations)
    types = await column_types(client)
    sink = ClickHouseSink(client, types)
    bus = Bus(servers, service=settings.service, replica=settings.replica)
    records, wait = settings.insert_records, settings.insert_wait
    build_handlers(bus, Telemetry(sink), records=records, wait=wait)
    reader = HistoryReader(ClickHouseHistory(client))
    redaction = ClickHouseRedaction(client, types)
    desk = DeadLetterDesk(partial(open_dead_letters, servers), partial(skip, servers))
    await enter(bus)
    rpc = [TelemetryRpc(reader, redaction), DeadLetterRpc(desk)]
    return App(rpc=rpc, bus=bus, ready={"clickhouse": sink.reachable})


def main() -> None:
    """Run until told to stop."""
    run(TelemetrySettings, create_app)


if __name__ == "__main__":
    main()
