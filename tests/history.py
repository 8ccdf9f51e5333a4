"""History as the telemetry service writes it, straight into ClickHouse: any time, any number."""

from collections.abc import Iterable
from uuid import uuid4

from gyre_common.events.event import Event, now
from gyre_local.secrets import CLICKHOUSE_PASSWORD, Secret
from gyre_telemetry.clickhouse import ClickHouseSink, open_clickhouse
from gyre_telemetry.service import Telemetry
from gyre_telemetry.translation import TRANSLATIONS, Origin

from tests.system import System

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
"""Of everything that is recorded here."""

_ROWS = {topic.model: rows_of for topic, rows_of in TRANSLATIONS}


async def record(system: System, events: Iterable[Event]) -> None:
    """Returns once they can be read; no other service hears of them."""
    password = Secret.of(system.home, CLICKHOUSE_PASSWORD).read()
    async with open_clickhouse(
        system.ports.clickhouse_url, user="default", password=password
    ) as client:
        telemetry = Telemetry(await ClickHouseSink.open(client))
        await telemetry.record(
            row
            for event in events
            for row in _ROWS[type(event)](event, Origin(uuid4(), now(), TRACE, offset=0))
        )
