"""From the topics to the sink, over the bus in memory."""

from collections.abc import Sequence

from gyre_common.errors import Poison, Unavailable
from gyre_common.events import ALL_TOPICS
from gyre_common.events.documents import DOCUMENT_CHUNKED, DOCUMENT_SUBMITTED
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED
from gyre_common.events.interactions import INTERACTION_COMPLETED
from gyre_common.events.training import TRAINING_PROGRESSED
from gyre_telemetry.handlers import build_handlers
from gyre_telemetry.service import TableRow, Telemetry

from tests.builders import EXAMPLES, a_feedback, an_interaction
from tests.fakes.bus import MemoryBus


class FakeSink:
    """Keeps rows in lists; can be down, and can refuse a word."""

    def __init__(self) -> None:
        self.inserts: list[tuple[str, list[TableRow]]] = []
        self.down_for = 0
        self.refuses = ""

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        if self.down_for:
            self.down_for -= 1
            raise Unavailable("ClickHouse is down")
        if self.refuses and any(self.refuses in str(row) for row in rows):
            raise Poison(f"{self.refuses} does not fit")
        self.inserts.append((table, list(rows)))

    def rows(self, table: str) -> list[TableRow]:
        return [row for name, rows in self.inserts if name == table for row in rows]


def telemetry_on(bus: MemoryBus) -> FakeSink:
    sink = FakeSink()
    build_handlers(bus, Telemetry(sink), records=100, wait=0.01)
    return sink


LEFT_OUT = (DOCUMENT_SUBMITTED, TRAINING_PROGRESSED, INDEX_REBUILD_PROGRESSED)
"""A raw zone, and what is only to be watched while it lasts."""


async def test_the_example_of_every_topic_becomes_rows() -> None:
    async with MemoryBus() as bus:
        sink = telemetry_on(bus)
        for topic in ALL_TOPICS:
            sink.inserts.clear()
            await bus.deliver(topic, EXAMPLES[topic.name])
            assert bool(sink.inserts) == (topic not in LEFT_OUT), topic.name
        assert not bus.parked


async def test_events_that_come_together_are_one_insert() -> None:
    async with MemoryBus() as bus:
        sink = telemetry_on(bus)
        await bus.deliver(FEEDBACK_RECEIVED, *(a_feedback(comment=str(i)) for i in range(20)))
        assert [len(rows) for _, rows in sink.inserts] == [20]


async def test_an_outage_of_the_sink_delays_but_never_loses_a_row() -> None:
    async with MemoryBus() as bus:
        sink = telemetry_on(bus)
        sink.down_for = 3
        await bus.deliver(INTERACTION_COMPLETED, an_interaction())
        assert len(sink.rows("interactions")) == 1
        assert len(sink.rows("retrieved_chunks")) == 1
        assert not bus.parked


async def test_a_row_that_never_fits_is_parked_alone() -> None:
    async with MemoryBus() as bus:
        sink = telemetry_on(bus)
        sink.refuses = "unfit"
        comments = ["a", "b", "unfit", "c", "d"]
        await bus.deliver(FEEDBACK_RECEIVED, *(a_feedback(comment=c) for c in comments))
        recorded = {row.values["comment"] for row in sink.rows("feedback")}
        assert recorded == {"a", "b", "c", "d"}
        assert len(bus.parked) == 1


async def test_a_tombstone_makes_no_row() -> None:
    async with MemoryBus() as bus:
        sink = telemetry_on(bus)
        await bus.deliver_raw(DOCUMENT_CHUNKED, (b"default/tea.md", None, ()))
        assert not sink.inserts
        assert not bus.parked
