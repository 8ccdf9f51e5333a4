"""The checker sees each way in which a promise is broken, and nothing in a history without one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.harness.checker import Commit, Entry, Holdings, Live, judge
from tests.faults.harness.history import Act, Kind

SINK = {"sink": (Kind.SUBMIT, Kind.VOTE, Kind.ANSWER)}


def an_act(number: int, kind: Kind = Kind.SUBMIT, key: str = "k", *, promised: bool = True) -> Act:
    return Act(
        kind=kind,
        tenant="t",
        key=key,
        id=f"a{number}",
        value=f"v{number}",
        at=float(number),
        acknowledged_at=number + 0.5 if promised else None,
    )


def an_entry(act: Act, *, order: int, at: float = 0.0, writer: str = "w1") -> Entry:
    return Entry(
        store="sink",
        kind=act.kind,
        tenant=act.tenant,
        key=act.key,
        act=act.id,
        id=f"row of {act.id}",
        order=order,
        value=act.value,
        at=at or act.at + 1,
        writer=writer,
        topic="topic",
    )


HISTORY = [an_act(number) for number in range(4)]
LOG = [an_entry(act, order=number * 10) for number, act in enumerate(HISTORY)]
CLEAN = Holdings(log=LOG, stores=SINK)


def broken(holdings: Holdings, history: list[Act] = HISTORY) -> dict[str, list[str]]:
    return judge(history, holdings).broken


def test_what_was_promised_and_is_there_is_clean() -> None:
    verdict = judge(HISTORY, CLEAN)
    assert verdict.clean
    assert (verdict.acknowledged, verdict.unknown, verdict.handled_again) == (4, 0, 0)


def test_an_acknowledged_act_that_is_in_no_store_is_lost() -> None:
    assert list(broken(replace(CLEAN, log=LOG[:3]))) == ["lost"]


def test_an_act_without_a_promise_may_have_happened_or_not() -> None:
    history = [*HISTORY[:3], an_act(3, promised=False)]
    assert judge(history, CLEAN).clean
    assert judge(history, replace(CLEAN, log=LOG[:3])).clean


def test_a_record_handled_again_is_no_duplicate() -> None:
    verdict = judge(HISTORY, replace(CLEAN, log=[*LOG[:3], LOG[1], LOG[2], LOG[3]]))
    assert verdict.clean
    assert verdict.handled_again == 2


def test_an_act_under_two_ids_is_doubled() -> None:
    again = replace(LOG[3], id="another row")
    assert list(broken(replace(CLEAN, log=[*LOG, again]))) == ["duplicated"]


def test_a_row_that_is_there_twice_is_doubled() -> None:
    assert list(broken(replace(CLEAN, rows=[LOG[0], LOG[0]]))) == ["duplicated"]


def test_a_record_that_jumps_ahead_in_its_key_is_out_of_order() -> None:
    log = [LOG[0], LOG[2], LOG[1], LOG[3]]
    assert list(broken(replace(CLEAN, log=log))) == ["reordered"]


def test_a_repetition_that_leaves_one_out_is_out_of_order() -> None:
    assert list(broken(replace(CLEAN, log=[*LOG, LOG[0], LOG[2]]))) == ["reordered"]


def test_a_reader_may_go_on_where_another_one_was() -> None:
    others = [replace(entry, writer="w2") for entry in LOG]
    log = [LOG[0], LOG[1], others[1], others[2], LOG[1], others[3]]
    assert judge(HISTORY, replace(CLEAN, log=log)).clean


def test_keys_have_no_order_among_each_other() -> None:
    history = [an_act(0, key="a"), an_act(1, key="b")]
    log = [an_entry(history[1], order=1), an_entry(history[0], order=0)]
    assert judge(history, Holdings(log=log, stores=SINK)).clean


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: replace(entry, act="a9"),
        lambda entry: replace(entry, value="v9"),
        lambda entry: replace(entry, key="other"),
    ],
)
def test_what_nobody_sent_is_a_phantom(change: Callable[[Entry], Entry]) -> None:
    rows = [change(replace(LOG[3], id="row"))]
    assert "phantoms" in broken(replace(CLEAN, rows=rows))


def test_a_commit_that_goes_back_is_seen() -> None:
    log = [replace(entry, at=0.5) for entry in LOG]
    commits = [
        Commit(group="g", topic="topic", partition=0, offset=offset, at=9.0) for offset in (11, 1)
    ]
    assert list(broken(replace(CLEAN, log=log, commits=commits))) == ["commits_back"]


def test_a_commit_before_the_work_is_seen() -> None:
    commit = Commit(group="g", topic="topic", partition=0, offset=21, at=2.5)
    assert list(broken(replace(CLEAN, commits=[commit]))) == ["commits_ahead"]
    assert judge(HISTORY, replace(CLEAN, commits=[replace(commit, at=3.5)])).clean


def test_what_is_written_after_a_handover_is_seen() -> None:
    assert list(broken(replace(CLEAN, given_up={"w1": 3.5}))) == ["after_handover"]
    assert judge(HISTORY, replace(CLEAN, given_up={"w1": 4.0})).clean


def test_an_answer_by_a_version_that_was_not_live_is_seen() -> None:
    answer = an_act(100, Kind.ANSWER)
    row = replace(an_entry(answer, order=0), versions=("generator=2",))
    live = [
        Live(version="generator=1", since=0.0, until=50.0),
        Live(version="generator=2", since=200.0),
    ]
    holdings = Holdings(rows=[row], live=live, stores=SINK)
    assert list(broken(holdings, [answer])) == ["never_live"]
    earlier = [*live, Live(version="generator=2", since=99.0, until=100.2)]
    assert judge([answer], replace(holdings, live=earlier)).clean


def test_a_vote_that_is_in_no_fact_trained_nothing() -> None:
    vote = an_act(0, Kind.VOTE)
    holdings = Holdings(rows=[an_entry(vote, order=0)], facts=[], stores=SINK)
    assert list(broken(holdings, [vote])) == ["untrained"]
    assert judge([vote], replace(holdings, facts=[vote.id])).clean


def test_poison_belongs_into_the_dead_letters_and_nothing_else_does() -> None:
    history = [replace(HISTORY[0], poison=True), *HISTORY[1:]]
    log = LOG[1:]
    assert judge(history, replace(CLEAN, log=log, parked=["a0"])).clean
    assert list(broken(replace(CLEAN, log=log), history)) == ["lost"]
    assert list(broken(replace(CLEAN, parked=["a1"]))) == ["lost"]
    assert judge(HISTORY, replace(CLEAN, parked=["a1"], bugs=["a1"])).clean


def test_a_key_that_shows_an_earlier_value_is_out_of_order() -> None:
    assert list(broken(Holdings(latest={("t", "k"): "v2"}))) == ["reordered"]
    assert judge(HISTORY, Holdings(latest={("t", "k"): "v3"})).clean


def test_a_key_that_shows_nothing_is_lost_unless_it_was_deleted() -> None:
    assert list(broken(Holdings(latest={}))) == ["lost"]
    deleted = [*HISTORY, an_act(9, Kind.DELETE)]
    assert judge(deleted, Holdings(latest={})).clean
    assert list(broken(Holdings(latest={("t", "k"): "v3"}), deleted)) == ["reordered"]


def test_a_key_that_nobody_wrote_is_a_phantom() -> None:
    latest = {("t", "k"): "v3", ("t", "other"): "v1"}
    assert list(broken(Holdings(latest=latest))) == ["phantoms"]


def test_either_of_two_acts_at_the_same_time_may_be_the_last() -> None:
    long_one = replace(HISTORY[2], acknowledged_at=3.2)
    history = [*HISTORY[:2], long_one, HISTORY[3]]
    for value in ("v2", "v3"):
        assert judge(history, Holdings(latest={("t", "k"): value})).clean


def test_a_verdict_says_what_is_broken() -> None:
    text = str(judge(HISTORY, replace(CLEAN, log=LOG[:3])))
    assert "BROKEN" in text
    assert "submit a3 of t/k is not in sink" in text
