"""Log lines of many processes, and tails of files that grow, shrink and are replaced."""

from pathlib import Path

from gyre_cli.commands.logs import Tail, as_text, last_lines, parse

JSON_LINE = (
    '{"time": "2026-01-05T09:30:00.5+00:00", "level": "WARNING", "logger": "x", '
    '"message": "waiting", "for": "Kafka"}'
)


def test_a_json_line_is_shown_as_time_level_message_and_the_rest() -> None:
    text = as_text(parse("trainer", JSON_LINE), width=8).plain
    assert text == "trainer   09:30:00 WARNING waiting for=Kafka"


def test_any_other_line_is_shown_as_it_is() -> None:
    for raw in ("[2026] INFO started", "[1, 2]", "null", '{"half": '):
        assert as_text(parse("kafka", raw), width=5).plain == f"kafka  {raw}"


def test_programs_get_the_fields() -> None:
    assert parse("trainer", JSON_LINE)["for"] == "Kafka"
    assert parse("kafka", "plain") == {"process": "kafka", "message": "plain"}


def test_the_last_lines_are_found_from_the_end(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {n}\n" for n in range(20_000)))
    lines, end = last_lines(log, 2)
    assert (lines, end) == (["line 19998", "line 19999"], log.stat().st_size)
    assert last_lines(log, 0)[0] == []


def test_a_line_that_is_still_being_written_is_left_for_the_tail(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("whole\nhal")
    lines, end = last_lines(log, 5)
    tail = Tail(log, end)
    assert (lines, list(tail.read())) == (["whole"], [])
    log.write_text("whole\nhalf\n")
    assert list(tail.read()) == ["half"]


def test_a_tail_starts_over_when_the_file_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("a long first line\n")
    tail = Tail(log)
    assert list(tail.read()) == ["a long first line"]
    log.write_text("new\n")
    assert list(tail.read()) == ["new"]
    log.unlink()
    assert list(tail.read()) == []
