"""Logs of the local system stay bounded, and the line that tells why something died is found."""

import json
from pathlib import Path

import pytest
from gyre_local import log_files


def test_a_log_keeps_the_run_before_and_stays_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "service.log"
    log.write_text("first run")
    log_files.rotate(log)
    assert log_files.previous(log).read_text() == "first run"
    monkeypatch.setattr(log_files, "LIMIT_BYTES", 10)
    with log.open("a") as writer:
        writer.write("far too long a line")
        writer.flush()
        log_files.bound(log)
        writer.write("next")
    assert log.read_text() == "next"
    assert log_files.previous(log).read_text() == "far too long a line"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("started\nError: port in use\n\tat x.Y(Z)\nbye\n", "Error: port in use"),
        ('{"message": "error: no topic", "level": "ERROR"}\n', "error: no topic"),
        (
            json.dumps({"message": "crashed", "exc_info": "  +-+---\n    | KeyError: 1\n    +---"}),
            "crashed: KeyError: 1",
        ),
        (
            'gyre-judge: no model\n{"message": "Future exception was never retrieved"}',
            "gyre-judge: no model",
        ),
        ("just this\n\n", "just this"),
        ("", ""),
    ],
)
def test_the_telling_line_of_a_log_is_found(tmp_path: Path, text: str, line: str) -> None:
    log = tmp_path / "x.log"
    log.write_text(text)
    assert log_files.cause_line(log) == line
