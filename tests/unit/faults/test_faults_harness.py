"""Histories survive a kill, schedules repeat, and reports say what happened."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from tests.faults.harness.checker import Verdict
from tests.faults.harness.history import Act, HistoryWriter, Kind, read_history
from tests.faults.harness.report import Outcome, Progress, Report
from tests.faults.harness.schedule import Fault, FaultKind, Plan, printed, schedule

AN_ACT = Act(kind=Kind.VOTE, tenant="t", key="k", id="a1", value="v", at=1.0)
PLANS = [
    Plan(FaultKind.KILL, 12, ["ingestor", "embedder", "kafka", "judge"]),
    Plan(FaultKind.STOP, 3, ["judge"], duration=4.0),
]


def test_an_act_is_read_once_with_its_promise(tmp_path: Path) -> None:
    promised = replace(AN_ACT, acknowledged_at=2.0)
    with HistoryWriter(tmp_path / "one") as history:
        history.write(AN_ACT, replace(AN_ACT, id="a2", at=0.5))
        history.write(promised)
    assert read_history([tmp_path / "one"]) == [replace(AN_ACT, id="a2", at=0.5), promised]


def test_half_a_line_of_a_killed_client_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history"
    line = replace(AN_ACT, id="a2").to_json()
    path.write_text(f"{AN_ACT.to_json()}\n{line[:20]}")
    with HistoryWriter(path) as history:
        history.write(replace(AN_ACT, id="a3"))
    assert [act.id for act in read_history([path])] == ["a1", "a3"]


def test_an_act_sent_again_was_promised_when_it_first_was(tmp_path: Path) -> None:
    with HistoryWriter(tmp_path / "one") as history:
        history.write(replace(AN_ACT, acknowledged_at=2.0))
        history.write(replace(AN_ACT, at=5.0))
    assert read_history([tmp_path / "one"]) == [replace(AN_ACT, acknowledged_at=2.0)]


def test_a_seed_gives_one_schedule() -> None:
    assert schedule(7, 1000, PLANS) == schedule(7, 1000, PLANS)
    assert schedule(7, 1000, PLANS) != schedule(8, 1000, PLANS)


def test_every_target_comes_as_often_as_the_others() -> None:
    kills = [f.target for f in schedule(7, 1000, PLANS) if f.kind is FaultKind.KILL]
    assert {kills.count(target) for target in kills} == {3}


def test_faults_come_in_order_and_while_there_is_work() -> None:
    faults = schedule(7, 1000, PLANS)
    assert faults == sorted(faults)
    assert all(50 <= fault.at <= 950 for fault in faults)
    assert all(2.0 <= f.duration <= 6.0 for f in faults if f.kind is FaultKind.STOP)


def test_more_of_one_kind_leaves_the_others_where_they_were() -> None:
    more = schedule(7, 1000, [replace(PLANS[0], count=20), PLANS[1]])
    assert [f for f in more if f.kind is FaultKind.STOP] == [
        f for f in schedule(7, 1000, PLANS) if f.kind is FaultKind.STOP
    ]


def test_faults_without_a_target_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to hit"):
        schedule(7, 1000, [Plan(FaultKind.CUT, 1, [])])


def test_a_printed_schedule_says_what_is_not_run() -> None:
    text = printed(7, schedule(7, 1000, PLANS), {FaultKind.CLOCK: "no libfaketime"})
    assert "seed 7: 15 faults: 12 kill, 3 stop" in text
    assert "not run  clock: no libfaketime" in text


def a_report(verdict: Verdict) -> Report:
    fault = Fault(100, FaultKind.KILL, "consumer")
    outcome = Outcome(fault=fault, started=1.0, ended=1.5, in_flight=3, recovered_in=0.25)
    return Report(
        title="A run",
        command="python -m it --seed 7",
        seed=7,
        seconds=10.0,
        verdict=verdict,
        outcomes=[outcome, replace(outcome, in_flight=0, recovered_in=2.0)],
        not_run={FaultKind.CLOCK: "no libfaketime"},
        figures={"records/s": "1200"},
    )


def test_a_report_has_the_counts_the_faults_and_the_time_line(tmp_path: Path) -> None:
    path = a_report(Verdict(acknowledged=5)).write(tmp_path / "out")
    text = path.read_text()
    assert "# A run: passed" in text
    assert "| acknowledged | 5 |" in text
    assert "| kill | 2 | 1 | 2.0 s |" in text
    assert "| clock | not run | – | no libfaketime |" in text
    assert "| 1.0 | kill consumer | 0.5 s | 3 | 0.2 s |" in text
    page = path.with_suffix(".html").read_text()
    assert page.count("<rect") == 4


def test_a_report_names_what_is_broken_and_escapes_it() -> None:
    report = a_report(Verdict(lost=["<b>a3</b> is not in sink"]))
    assert not report.passed
    assert "- <b>a3</b> is not in sink" in report.to_markdown()
    assert "&lt;b&gt;a3&lt;/b&gt;" in report.to_html()


def test_a_run_that_proves_nothing_has_not_passed() -> None:
    report = replace(a_report(Verdict()), problems=["a kill had no work in flight"])
    assert not report.passed
    assert "- a kill had no work in flight" in report.to_markdown()


def test_progress_is_a_line_at_times() -> None:
    screen = StringIO()
    progress = Progress(10, screen)
    for done in range(11):
        progress.show(done, 2)
    [line] = screen.getvalue().splitlines()
    assert "0 of 10     2 faults" in line
