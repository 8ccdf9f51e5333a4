"""Who waits for a skip sees it, whatever happens meanwhile."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition
from gyre_common.bus import held_records
from gyre_common.bus.breaker import Scope
from gyre_common.bus.held_records import HeldRecord, Holding, from_metadata
from gyre_common.bus.holds import Held
from gyre_common.bus.partition import Partition
from gyre_common.bus.record import UnreadValue

from tests.bus_contract import QUICK
from tests.eventually import eventually
from tests.fakes.bus import StoredRecord

PLACE = TopicPartition("t", 0)


class Work:
    """As much of a scheduler as `Holding` needs; it notes what is to go on."""

    group = "g"
    delivery = replace(QUICK, damaged_every=0)

    def __init__(self) -> None:
        self.skipped: list[Held] = []
        self.given_up: list[Held] = []

    def log_fields(self, **more: object) -> dict[str, object]:
        return more

    def skip(self, held: Held) -> None:
        self.skipped.append(held)

    def give_up(self, held: Held) -> None:
        self.given_up.append(held)


class Consumer:
    async def committed(self, place: TopicPartition) -> int:
        return 1

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def seek(self, place: TopicPartition, offset: int) -> None:
        pass


class Kafka:
    """`end` is that of the dead letters, `committed` what stands beside the committed offset;
    `skip` and `copy` come when they are set.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.end = 10
        self.committed: list[HeldRecord] = []
        self.failures: list[Exception] = []
        self.skip = asyncio.Event()
        self.copy = asyncio.Event()
        self.waited_for: list[HeldRecord] = []
        monkeypatch.setattr(held_records, "_PAUSE_AFTER_FAILURE", 0)
        monkeypatch.setattr(held_records, "held_by", self._held_by)
        monkeypatch.setattr(held_records, "_dlq_end", self._dlq_end)
        monkeypatch.setattr(held_records, "_wait_for_skip", self._wait_for_skip)
        monkeypatch.setattr(held_records, "read_first", self._read_first)

    async def _held_by(self, *_: object) -> list[HeldRecord]:
        return self.committed

    async def _dlq_end(self, *_: object) -> int:
        return self.end

    async def _wait_for_skip(self, _: str, record: HeldRecord) -> None:
        self.waited_for.append(record)
        if self.failures:
            raise self.failures.pop()
        await self.skip.wait()

    async def _read_first(self, *_: object) -> None:
        await self.copy.wait()


def a_held_one(offset: int, *, tenant: bytes = b"", value: bytes = b"v") -> Held:
    partition = Partition(PLACE.topic, PLACE.partition)
    partition.add(StoredRecord("t", 0, offset, 0, b"k", value), None, 0.0, tenant)
    pending = partition.take()
    assert pending is not None
    partition.put_back(pending)
    return Held(pending, "broken", Scope.TENANT if tenant else None)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    return Kafka(monkeypatch)


async def test_a_skip_counts_after_whatever_error(kafka: Kafka) -> None:
    work: Any = Work()
    consumer: Any = Consumer()
    kafka.failures = [ValueError("a record of a shape that nobody knows")]
    held = a_held_one(3)
    Holding("nowhere:1", "g.t", work).hold(held, consumer)
    kafka.skip.set()
    await eventually(lambda: work.skipped == [held])


async def test_tenants_of_a_partition_that_is_read_again_are_held_as_before(kafka: Kafka) -> None:
    work: Any = Work()
    consumer: Any = Consumer()
    holding = Holding("nowhere:1", "g.t", work)
    tenant = a_held_one(2, tenant=b"acme")
    damaged = UnreadValue("damaged", first=5, batch=b"", damaged=True)
    held = a_held_one(5, value=damaged)
    holding.hold(tenant, consumer)
    holding.hold(held, consumer)
    await eventually(lambda: len(from_metadata(holding.note(PLACE, 2)[1])) == 2)
    kafka.copy.set()
    await eventually(lambda: work.given_up == [held])
    resume_at, note = holding.note(PLACE, None)
    kafka.committed = from_metadata(note)
    assert (resume_at, [each.offset for each in kafka.committed]) == (1, [2])
    kafka.end, kafka.copy = 12, asyncio.Event()
    holding.hold(a_held_one(2, tenant=b"acme"), consumer)
    await eventually(lambda: len(kafka.waited_for) == 3)
    assert (kafka.waited_for[-1].offset, kafka.waited_for[-1].dlq_offset) == (2, 10)
    kafka.skip.set()
    await eventually(lambda: work.skipped)
    assert tenant not in work.skipped
    assert holding.note(PLACE, 3) == (None, "")


async def test_a_tenant_whose_record_was_handled_when_read_again_is_held_no_more(
    kafka: Kafka,
) -> None:
    work: Any = Work()
    consumer: Any = Consumer()
    holding = Holding("nowhere:1", "g.t", work)
    holding.hold(a_held_one(2, tenant=b"acme"), consumer)
    holding.hold(
        a_held_one(5, value=UnreadValue("damaged", first=5, batch=b"", damaged=True)), consumer
    )
    await eventually(lambda: len(from_metadata(holding.note(PLACE, 2)[1])) == 2)
    kafka.copy.set()
    await eventually(lambda: work.given_up)
    assert from_metadata(holding.note(PLACE, 2)[1])
    assert holding.note(PLACE, 3) == (None, "")
