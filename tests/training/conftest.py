"""What the training tests share."""

import os
from collections import defaultdict
from pathlib import Path

import pytest

# Before torch and DeepSpeed are imported: the tests are about the CPU, one thread a process.
os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.training.tiny_generators import a_language_model
from tests.training.tiny_runs import a_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder to start from; leave it as it is."""
    return a_base(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="session")
def tiny_language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random language model to start from; leave it as it is."""
    return a_language_model(tmp_path_factory.mktemp("llm") / "model")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of ZeRO stages: how far a step's loss is off at most, where that was tried."""
    cells: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties:
                if name == "zero":
                    row, column, off = value
                    cells[row][column] = off
    columns = sorted({each for row in cells.values() for each in row}, key=lambda each: each[::-1])
    if columns:
        terminalreporter.section("largest difference of a step's loss from ZeRO 0 ×1")
        terminalreporter.write_line(f"{'':34}" + "".join(f"{each:>12}" for each in columns))
    for row, values in cells.items():
        texts = (f"{values[each]:.0e}" if each in values else "–" for each in columns)
        terminalreporter.write_line(f"{row:34}" + "".join(f"{each:>12}" for each in texts))
