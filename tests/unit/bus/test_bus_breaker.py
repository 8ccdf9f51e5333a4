"""For whom a breaker opens: one party, or everybody."""

from gyre_common.bus import Delivery
from gyre_common.bus.breaker import Breakers, Objection, Party

A, B, C = b"acme", b"bolt", b"coda"


def objections(breakers: Breakers, party: Party, count: int) -> list[Objection]:
    tries = [breakers.objection(party) for _ in range(count)]
    return [objection for objection in tries if objection is not None]


def test_scattered_dead_letters_do_not_stop_a_consumer() -> None:
    breakers = Breakers(Delivery(parked_streak=3, parked_window=20, parked_ratio=0.5))
    for _ in range(200):
        assert breakers.objection(A) is None
        breakers.handled(A, 2)


def test_good_records_in_between_end_a_streak() -> None:
    breakers = Breakers(Delivery(parked_streak=3, parked_window=1000))
    assert objections(breakers, A, 3) == []
    breakers.handled(A, 1)
    assert objections(breakers, A, 3) == []
    (objection,) = objections(breakers, A, 1)
    assert "3 records in a row" in objection.reason
    assert not objection.to_everybody


def test_one_party_never_opens_the_breaker_of_everybody() -> None:
    breakers = Breakers(Delivery(parked_streak=6, parked_window=20, parked_ratio=0.5))
    assert not any(each.to_everybody for each in objections(breakers, A, 500))
    assert not any(each.to_everybody for each in objections(breakers, B, 500))
    assert breakers.objection(C) is None


def test_good_records_of_others_do_not_close_the_breaker_of_one() -> None:
    breakers = Breakers(Delivery(parked_streak=3, parked_window=1000))
    for _ in range(3):
        assert breakers.objection(A) is None
        breakers.handled(B, 50)
    assert breakers.objection(A) is not None
    breakers.handled(A, 1)
    assert breakers.objection(A) is None


def test_several_parties_that_fail_open_it_for_everybody_until_one_record_is_handled() -> None:
    breakers = Breakers(Delivery(parked_streak=6, parked_window=1000))
    for party in (A, B, C):
        assert objections(breakers, party, 2) == []
    (objection,) = objections(breakers, b"another", 1)
    assert objection == Objection("6 records in a row could not be handled", to_everybody=True)
    breakers.handled(b"another", 1)
    assert breakers.objection(b"another") is None


def test_too_large_a_share_of_several_parties_opens_it_for_everybody() -> None:
    breakers = Breakers(Delivery(parked_streak=99, parked_window=24, parked_ratio=0.5))
    seen: list[Objection] = []
    for number in range(60):
        party = (b"a", b"b", b"c", b"d")[number % 4]
        seen += objections(breakers, party, 1)
        breakers.handled(b"good", 1 if number % 3 == 0 else 0)
    assert "of the last 24 records" in seen[0].reason
    assert seen[0].to_everybody


def test_who_never_fails_is_not_watched_and_nobody_is_for_ever() -> None:
    breakers = Breakers(Delivery(parked_window=10))
    assert not breakers.is_watching
    assert breakers.objection(A) is None
    assert breakers.is_watching
    breakers.handled(B, 20)
    breakers.handled(A, 20)
    assert not breakers.is_watching
    for number in range(5_000):
        assert breakers.objection(b"%d" % number) is None
        breakers.handled(b"good", 1)
    assert len(breakers._parties) <= 1_000
