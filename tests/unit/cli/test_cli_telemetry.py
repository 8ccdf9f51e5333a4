"""`gyre telemetry` as people type it, against a system that answers."""

from tests.unit.cli.test_cli_talks import Shell, gyre, served_system, system
from tests.unit.client.fake_system import FakeSystem

__all__ = ["gyre", "served_system", "system"]


def test_a_rebuild_is_followed_goes_on_and_shows_rows_before_and_after(
    gyre: Shell, system: FakeSystem
) -> None:
    system.starts, system.fails = 0, ""
    assert "no tables were filled anew yet" in gyre("telemetry", "status")[0]
    out, _ = gyre("telemetry", "rebuild")
    assert "finished" in out
    [line] = [each for each in out.splitlines() if "feedback" in each]
    assert line.split() == ["feedback", "3", "3"]
    assert system.starts == 2
    assert gyre.json("telemetry", "status")["rows_after"] == {"feedback": 3, "interactions": 2}
    assert "removed" in gyre("telemetry", "drop")[0]
    assert "no rebuild is under way" in gyre("telemetry", "drop", code=1)[1]


def test_new_tables_that_wait_and_one_that_nobody_works_on_say_what_to_do(
    gyre: Shell, system: FakeSystem
) -> None:
    system.starts, system.fails = 1, ""
    assert "`gyre telemetry rebuild` goes on" in gyre("telemetry", "status")[0]
    assert "make them live with" in gyre("telemetry", "rebuild", "--no-swap")[0]


def test_a_rebuild_that_fails_says_why(gyre: Shell, system: FakeSystem) -> None:
    system.starts, system.fails = 0, "the new table feedback has 2 rows, and the old one had 3"
    assert system.fails in gyre("telemetry", "rebuild", code=1)[1].replace("\n", " ")
    system.fails = ""
