"""Dead letters are replayed and dropped: as they were, once, and by those that match."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gyre_common.bus.dead_letters import Verdict, cause_of, headers_with, stub_of
from gyre_common.bus.record import event_id, event_time
from gyre_common.bus.replaying import first_place
from gyre_common.errors import InvalidInput, NotFound, Poison
from gyre_telemetry.dead_letter_filter import LetterFilter
from gyre_telemetry.dead_letter_replay import Decided, Outcome
from gyre_telemetry.dead_letter_watch import DeadLetterWatch
from gyre_telemetry.dead_letters import DeadLetterDesk

from tests.fakes.bus import StoredRecord
from tests.fakes.dead_letters import MemoryDeadLetters

TOPIC = "tea.v1"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVERYTHING = LetterFilter(since=datetime(2000, 1, 1, tzinfo=UTC))


async def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("nothing is held here")


@pytest.fixture
def log() -> MemoryDeadLetters:
    return MemoryDeadLetters()


@pytest.fixture
def desk(log: MemoryDeadLetters) -> DeadLetterDesk:
    return DeadLetterDesk(log.opened, never, compacted=frozenset({"compacted.v1"}))


def a_record(
    log: MemoryDeadLetters, value: bytes = b"{}", *, key: bytes = b"acme/1", **about: Any
) -> StoredRecord:
    """One that was sent to its topic."""
    about = {"topic": TOPIC, "partition": 2, "headers": (("odd", b"\xff"),), **about}
    return log.add(
        StoredRecord(
            about["topic"],
            about["partition"],
            0,
            int(NOON.timestamp() * 1000),
            key,
            value,
            about["headers"],
        )
    )


def parked(
    log: MemoryDeadLetters, raw: StoredRecord, message: str = "not JSON", **changes: Any
) -> StoredRecord:
    """Its dead letter."""
    cause = replace(cause_of(raw, Poison(message), attempts=1, group="g"), **changes)
    headers = tuple(headers_with(raw.headers, cause))
    return log.add(StoredRecord(f"{raw.topic}.dlq", 0, 0, 0, raw.key, raw.value, headers))


async def decided(
    desk: DeadLetterDesk,
    verdict: Verdict,
    *offsets: int,
    chosen: LetterFilter | None = None,
    topic: str = TOPIC,
) -> Sequence[Decided]:
    """All pages of it."""
    chosen = chosen or LetterFilter()
    results: list[Decided] = []
    start: int | None = None
    while start != 0:
        page, start = await desk.decide(
            verdict, topic, offsets=offsets, chosen=chosen, actor="ann", reason="mended"
        )
        results += page
        chosen = replace(chosen, start=start)
    return results


async def replayed(desk: DeadLetterDesk, *offsets: int, **about: Any) -> list[Outcome]:
    return [one.outcome for one in await decided(desk, Verdict.REPLAYED, *offsets, **about)]


async def waiting(desk: DeadLetterDesk, topic: str = TOPIC) -> int:
    return {one.topic: one.count for one in await desk.waiting()}[f"{topic}.dlq"]


async def test_a_letter_is_sent_to_its_place_with_bytes_key_headers_and_ids(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    raw = a_record(log, b"\xff{")
    letter = parked(log, raw)
    assert await replayed(desk, letter.offset) == [Outcome.REPLAYED]
    first, again = log.records(TOPIC)
    assert first == raw
    assert (again.partition, again.key, again.value) == (raw.partition, raw.key, raw.value)
    assert again.headers[: len(raw.headers)] == raw.headers
    assert not [name for name, _ in again.headers if name.startswith("gyre-dlq-")]
    assert event_id(again) == event_id(raw)
    assert event_time(again) == event_time(raw) == NOON
    place = first_place(again)
    assert (place.partition, place.offset) == (raw.partition, raw.offset)


async def test_an_id_of_its_own_is_not_touched(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    headers = (("ce_id", b"7"), ("ce_source", b"/shop"), ("ce_time", b"2026-01-01T00:00:00Z"))
    raw = a_record(log, headers=headers)
    await replayed(desk, parked(log, raw).offset)
    again = log.records(TOPIC)[-1]
    assert again.headers[:-1] == headers
    assert event_id(again) == event_id(raw)


async def test_replaying_twice_sends_once_and_says_who_did_it_before(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    letter = parked(log, a_record(log))
    await replayed(desk, letter.offset)
    (again,) = await decided(desk, Verdict.REPLAYED, letter.offset)
    assert again.outcome is Outcome.ALREADY
    assert "replayed by ann at 20" in again.detail
    assert len(log.records(TOPIC)) == 2
    assert await waiting(desk) == 0


async def test_what_is_dropped_stays_and_is_counted_no_longer(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    letter, other = parked(log, a_record(log)), parked(log, a_record(log))
    assert (await decided(desk, Verdict.DROPPED, letter.offset))[0].outcome is Outcome.DROPPED
    assert len(log.records(TOPIC)) == 2
    assert await waiting(desk) == 1
    shown, _ = await desk.newest(TOPIC, 10, LetterFilter(), decided=False)
    assert [one.letter.offset for one in shown] == [other.offset]
    shown, _ = await desk.newest(TOPIC, 10, LetterFilter(), decided=True)
    dropped = shown[-1]
    assert dropped.letter.offset == letter.offset
    assert dropped.decision is not None
    assert (dropped.decision.actor, dropped.decision.reason) == ("ann", "mended")
    assert dropped.decision.verdict is Verdict.DROPPED


async def test_a_new_process_knows_what_was_decided(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    letter = parked(log, a_record(log))
    await decided(desk, Verdict.DROPPED, letter.offset)
    other = DeadLetterDesk(log.opened, never, compacted=frozenset())
    assert await waiting(other) == 0
    assert await replayed(other, letter.offset) == [Outcome.ALREADY]


@pytest.mark.parametrize(
    ("chosen", "matching"),
    [
        (LetterFilter(cause="JSON"), 2),
        (LetterFilter(cause="poison"), 3),
        (LetterFilter(cause="nothing of it"), 0),
        (LetterFilter(tenant="acme"), 2),
        (LetterFilter(tenant="beta"), 1),
        (LetterFilter(tenant="beta", cause="not json"), 0),
        (LetterFilter(since=NOON), 2),
        (LetterFilter(until=NOON), 1),
        (LetterFilter(since=NOON, until=NOON + timedelta(hours=1)), 1),
        (LetterFilter(cause="json", start=1), 1),
        (LetterFilter(cause="json", end=1), 1),
    ],
)
async def test_letters_are_chosen_by_cause_tenant_and_time(
    log: MemoryDeadLetters, desk: DeadLetterDesk, chosen: LetterFilter, matching: int
) -> None:
    parked(log, a_record(log, b"{"), parked_at=NOON - timedelta(hours=1))
    parked(log, a_record(log, b'{"tenant": "acme"}', key=b"x"), parked_at=NOON)
    beta = a_record(log, b'{"tenant": "beta"}')
    parked(log, beta, "an odd title", parked_at=NOON + timedelta(hours=2))
    assert (await desk.count(TOPIC, chosen)).count == matching
    shown, _ = await desk.newest(TOPIC, 10, chosen, decided=False)
    assert len(shown) == matching
    assert len(await replayed(desk, chosen=chosen)) == matching
    assert await waiting(desk) == 3 - matching
    assert (await desk.count(TOPIC, chosen)).count == 0


async def test_hundreds_are_gone_through_page_by_page_and_each_is_sent_once(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    for number in range(450):
        parked(log, a_record(log, str(number).encode()))
    page, left = await desk.decide(
        Verdict.REPLAYED, TOPIC, offsets=(), chosen=EVERYTHING, actor="ann", reason=""
    )
    assert (len(page), left) == (200, 200)
    assert len(await replayed(desk, chosen=EVERYTHING)) == 250
    again = log.records(TOPIC)[450:]
    assert [one.value for one in again] == [str(number).encode() for number in range(450)]


async def test_what_is_parked_meanwhile_is_not_meant(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    parked(log, a_record(log))
    counted = await desk.count(TOPIC, EVERYTHING)
    parked(log, a_record(log))
    chosen = replace(EVERYTHING, end=counted.end)
    assert await replayed(desk, chosen=chosen) == [Outcome.REPLAYED]
    assert await waiting(desk) == 1


async def test_the_newest_come_page_by_page(log: MemoryDeadLetters, desk: DeadLetterDesk) -> None:
    for _ in range(450):
        parked(log, a_record(log))
    offsets, end = [], None
    while end != 0:
        chosen = LetterFilter(end=end or 0)
        shown, end = await desk.newest(TOPIC, 200, chosen, decided=False)
        offsets += [one.letter.offset for one in shown]
    assert offsets == list(reversed(range(450)))


async def test_a_stub_is_replayed_from_where_its_record_still_lies(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    raw, gone = a_record(log, b"large"), a_record(log, b"older", partition=3)
    stubs = []
    for one in (raw, gone):
        stub = stub_of(one, cause_of(one, Poison("too large"), attempts=1, group="g"))
        stubs.append(log.add(StoredRecord(f"{TOPIC}.dlq", 0, 0, 0, stub[0], None, tuple(stub[2]))))
    log.forget(TOPIC, 3, before=1)
    outcomes = await replayed(desk, *(stub.offset for stub in stubs))
    assert outcomes == [Outcome.REPLAYED, Outcome.GONE]
    assert [one.value for one in log.records(TOPIC)] == [b"large", b"large", b"older"]
    assert await waiting(desk) == 1


async def test_on_a_compacted_topic_no_older_record_comes_behind_a_newer_one(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    topic = "compacted.v1"
    old = parked(log, a_record(log, b"old", topic=topic))
    newest = parked(log, a_record(log, b"new", topic=topic))
    outcomes = await replayed(desk, old.offset, newest.offset, topic=topic)
    assert outcomes == [Outcome.SUPERSEDED, Outcome.REPLAYED]
    assert [one.value for one in log.records(topic)] == [b"old", b"new", b"new"]


async def test_on_a_compacted_topic_what_was_removed_does_not_come_back(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    letter = parked(log, a_record(log, b"old", topic="compacted.v1"))
    log.forget("compacted.v1", 2, before=1)
    outcomes = await replayed(desk, letter.offset, topic="compacted.v1")
    assert outcomes == [Outcome.SUPERSEDED]


async def test_a_letter_without_a_time_has_that_of_its_record_or_comes_before_all_others(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    raw = a_record(log)
    letters = [parked(log, raw, timestamp=None) for _ in range(2)]
    await replayed(desk, letters[0].offset)
    log.forget(TOPIC, 2, before=1)
    await replayed(desk, letters[1].offset)
    _, dated, undated = log.records(TOPIC)
    assert (first_place(dated).timestamp, event_time(dated)) == (raw.timestamp, NOON)
    assert first_place(undated).timestamp == 0
    assert event_time(undated) > NOON


async def test_a_letter_that_names_another_topic_is_not_sent_there(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    forged = parked(log, a_record(log), topic="releases.changed.v1")
    (refused,) = await decided(desk, Verdict.REPLAYED, forged.offset)
    assert (refused.outcome, log.records("releases.changed.v1")) == (Outcome.REFUSED, [])
    assert await waiting(desk) == 1


async def test_a_letter_that_another_program_put_there_is_sent_by_its_key(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    foreign = log.add(StoredRecord(f"{TOPIC}.dlq", 0, 0, 0, b"k", b"v", ()))
    assert await replayed(desk, foreign.offset) == [Outcome.REPLAYED]
    (again,) = log.records(TOPIC)
    assert (again.key, again.value) == (b"k", b"v")
    assert await waiting(desk) == 0


async def test_an_offset_without_a_letter_is_said(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    letter = parked(log, a_record(log))
    await decided(desk, Verdict.DROPPED, letter.offset)
    assert await replayed(desk, 1, 7) == [Outcome.GONE, Outcome.GONE]


async def test_everything_is_never_meant_by_saying_nothing(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    parked(log, a_record(log))

    async def refused(verdict: Verdict = Verdict.REPLAYED, **about: Any) -> str:
        about = {"offsets": (), "chosen": LetterFilter(), "actor": "ann", "reason": "", **about}
        with pytest.raises(InvalidInput) as error:
            await desk.decide(verdict, TOPIC, **about)
        return str(error.value)

    assert "filter chooses nothing" in await refused()
    assert "filter chooses nothing" in await refused(chosen=LetterFilter(end=100))
    assert "offsets stand beside a filter" in await refused(offsets=[0], chosen=EVERYTHING)
    assert "actor is missing" in await refused(offsets=[0], actor=" ")
    assert "reason is missing" in await refused(Verdict.DROPPED, offsets=[0])
    assert "offsets are 101" in await refused(offsets=range(101))
    with pytest.raises(NotFound, match=r"no dead letters of nope: there are tea\.v1\.dlq"):
        await desk.count("nope", EVERYTHING)


async def test_the_topic_forgets_and_so_does_the_count(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    for _ in range(5):
        parked(log, a_record(log))
    await decided(desk, Verdict.DROPPED, 0)
    log.forget(f"{TOPIC}.dlq", 0, before=2)
    assert await waiting(desk) == 3
    assert await replayed(desk, 0) == [Outcome.GONE]


async def test_a_letter_that_waits_too_long_is_a_trouble_until_it_is_decided(
    log: MemoryDeadLetters, desk: DeadLetterDesk
) -> None:
    watch = DeadLetterWatch(desk, bound=timedelta(hours=24))
    young = parked(log, a_record(log))
    await watch.look()
    assert watch.troubles() == ()
    old = parked(log, a_record(log), parked_at=NOON)
    await decided(desk, Verdict.DROPPED, young.offset)
    await watch.look()
    (trouble,) = watch.troubles()
    assert "1 dead letters of tea.v1.dlq wait, the oldest since 2026-01-05 12:00" in trouble
    await decided(desk, Verdict.DROPPED, old.offset)
    await watch.look()
    assert watch.troubles() == ()
