"""A record that is sent again counts as what it was, and nobody can use that to come first."""

import pytest
from gyre_common.bus.record import event_id, event_time
from gyre_common.bus.replaying import REPLAY_OF, first_place, replay_headers

from tests.fakes.bus import StoredRecord


def a_record(*headers: tuple[str, bytes], offset: int = 9, partition: int = 1) -> StoredRecord:
    return StoredRecord("tea.v1", partition, offset, 2_000, b"k", b"{}", headers)


def sent_again(origin: StoredRecord, *, offset: int) -> StoredRecord:
    headers = tuple(replay_headers(origin))
    return StoredRecord(
        origin.topic, origin.partition, offset, 3_000, origin.key, origin.value, headers
    )


def test_id_time_and_place_are_those_of_the_first_time_however_often_it_is_sent() -> None:
    origin = a_record(("odd", b"\xff"), ("ce_id", b"\xff"))
    again = sent_again(origin, offset=20)
    once_more = sent_again(again, offset=30)
    assert once_more.headers == again.headers
    for record in (again, once_more):
        assert event_id(record) == event_id(origin)
        assert event_time(record) == event_time(origin)
        assert first_place(record) == first_place(origin)


@pytest.mark.parametrize(
    "claim",
    [
        b"tea.v1/1/9/2000",
        b"tea.v1/1/900/2000",
        b"tea.v1/1/3/2001",
        b"tea.v1/0/3/99999999999999999999",
        b"other.v1/1/3/1000",
        b"tea.v1/1/-3/1000",
        b"tea.v1/1/3",
        b"tea.v1/1/" + b"3" * 5_000 + b"/1000",
        "tea.v1/1/²/1000".encode(),
        b"\xff",
        b"",
    ],
)
def test_who_claims_no_earlier_place_of_the_topic_stands_where_it_stands(claim: bytes) -> None:
    record = a_record((REPLAY_OF, claim))
    assert (first_place(record).partition, first_place(record).offset) == (1, 9)


def test_an_earlier_place_counts_on_any_partition() -> None:
    for claim, place in ((b"tea.v1/1/8/2000", (1, 8)), (b"tea.v1/0/80/1999", (0, 80))):
        first = first_place(a_record((REPLAY_OF, claim)))
        assert (first.partition, first.offset) == place
