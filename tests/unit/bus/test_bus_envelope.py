"""Headers: what is written, and what is made of outsiders' odd ones."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from gyre_common.bus import Record
from gyre_common.bus.dead_letters import cause_of, headers_with, read_cause
from gyre_common.bus.envelope import headers_for, text_header
from gyre_common.errors import Poison
from gyre_common.events.documents import DOCUMENT_SUBMITTED
from gyre_common.events.event import Event, new_id

from tests.fakes.bus import StoredRecord

Headers = tuple[tuple[str, bytes], ...]


def a_record(
    *headers: tuple[str, bytes], offset: int = 7, key: bytes | None = b"k"
) -> Record[Event]:
    raw = StoredRecord("messages.sent.v1", 3, offset, 1_700_000_000_123, key, b"{}", headers)
    return Record(Event(), raw, "g/on_told")


def test_an_events_id_and_time_travel_in_the_headers() -> None:
    event_id = new_id()
    record = a_record(*headers_for(DOCUMENT_SUBMITTED, event_id, "ingestor"))
    assert record.event_id == event_id
    assert abs((datetime.now(UTC) - record.time).total_seconds()) < 5


def test_without_an_id_the_place_of_the_record_gives_one_that_stays_the_same() -> None:
    assert a_record().event_id == a_record().event_id
    assert a_record().event_id != a_record(offset=8).event_id


def test_an_outside_id_that_is_no_uuid_counts_within_its_source() -> None:
    first = a_record(("ce_id", b"1"), ("ce_source", b"/a"))
    again = a_record(("ce_id", b"1"), ("ce_source", b"/a"), offset=8)
    other = a_record(("ce_id", b"1"), ("ce_source", b"/b"))
    assert first.event_id == again.event_id
    assert first.event_id != other.event_id


@pytest.mark.parametrize(
    "time",
    [
        *(b"yesterday", b"\xff", b"2026-01-01T00:00:00", b""),
        *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2026-02-29T00:00:00Z"),
        *(b"2016-12-31T23:59:60Z", b"10000-01-01T00:00:00Z", b"2026-01-01T00:00:00+99:00"),
    ],
)
def test_a_time_that_cannot_be_read_gives_way_to_the_records_own(time: bytes) -> None:
    record = a_record(("ce_time", time))
    assert record.time == record.timestamp == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)


@pytest.mark.parametrize("milliseconds", [-1, -(2**63), 2**63 - 1])
def test_a_record_of_no_time_has_one_of_the_calendar(milliseconds: int) -> None:
    raw = StoredRecord("messages.sent.v1", 3, 7, milliseconds, b"k", b"{}")
    record = Record(Event(), raw, "g/on_sent")
    assert record.time.year in (1970, 9999)


def test_a_time_elsewhere_is_read_as_utc() -> None:
    record = a_record(("ce_time", b"2026-01-01T02:00:00+02:00"))
    assert record.time == datetime(2026, 1, 1, tzinfo=UTC)


def test_bytes_that_are_not_utf_8_are_shown_and_never_raise() -> None:
    record = a_record(("odd", b"\xff"), ("traceparent", b"\xff"), ("ce_id", b"\xff"), key=b"\xff")
    assert record.headers["odd"] == "\\xff"
    assert record.key == "\\xff"
    assert text_header(record.raw.headers, "traceparent") is None
    assert isinstance(record.event_id, UUID)


def test_the_last_of_several_headers_counts() -> None:
    first, last = new_id(), new_id()
    record = a_record(("ce_id", str(first).encode()), ("ce_id", str(last).encode()))
    assert record.event_id == last


def test_a_dead_letter_tells_its_cause_and_keeps_its_own_headers() -> None:
    raw = a_record(("odd", b"\xff"), ("odd", b"2")).raw
    cause = cause_of(raw, Poison("line\none \ud800"), attempts=4, group="g")
    headers = headers_with(raw.headers, cause)
    assert headers[:2] == [("odd", b"\xff"), ("odd", b"2")]
    read = read_cause(headers)
    assert read is not None
    assert (read.kind, read.error, read.attempts, read.group) == ("poison", "Poison", 4, "g")
    assert (read.topic, read.partition, read.offset) == ("messages.sent.v1", 3, 7)
    assert read.message == "line one ?"
    assert read.parked_at == cause.parked_at


def test_a_letter_parked_again_tells_only_the_latest_cause() -> None:
    raw = a_record(("own", b"1")).raw
    once = headers_with(raw.headers, cause_of(raw, Poison("first"), attempts=1, group="g"))
    again = StoredRecord("x", 0, 0, 0, None, None, tuple(once))
    twice = headers_with(again.headers, cause_of(again, Poison("second"), attempts=1, group="g"))
    assert len(twice) == len(once)
    read = read_cause(twice)
    assert read is not None
    assert read.message == "second"


def test_a_record_that_was_not_parked_by_us_has_no_cause() -> None:
    assert read_cause([("gyre-dlq-offset", b"many")]) is None
    assert read_cause([]) is None
