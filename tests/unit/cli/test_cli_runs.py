"""Starting the first run, showing one while it goes on, and reading a gate without numbers."""

import io
from pathlib import Path
from typing import Any

import pytest
from gyre.trainer.v1 import trainer_pb2
from gyre_cli.command import Cli
from gyre_cli.commands import runs
from gyre_cli.commands.runs import begin, gate_table, shown_progress
from gyre_cli.output import Output
from gyre_cli.settings import settings_for
from gyre_client import FailedPrecondition
from gyre_local import control
from rich.console import Console


class Refusing:
    """Refuses to start as long as the packages are missing."""

    def __init__(self, code: str = "training-packages-missing") -> None:
        self.installed = False
        self.code = code

    @property
    def runs(self) -> "Refusing":
        return self

    async def start(self, **request: Any) -> trainer_pb2.Run:
        if not self.installed:
            raise FailedPrecondition("training needs torch", code=self.code)
        return trainer_pb2.Run(run_id="r1")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(settings_for(home=tmp_path), Output(as_json=False))


def _something(home: Path) -> object:
    return object()


def _nothing(home: Path) -> None:
    return None


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "running_state", _something)


async def test_the_first_run_on_a_local_system_installs_what_training_needs(
    cli: Cli, local: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gyre: Any = Refusing()

    def install(the_cli: Cli, target: str, what: str) -> None:
        gyre.installed = target == "setup-train"

    monkeypatch.setattr(runs, "install", install)
    run = await begin(cli, gyre)
    assert run.run_id == "r1"


async def test_elsewhere_nothing_is_installed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "running_state", _nothing)
    with pytest.raises(FailedPrecondition, match="needs torch"):
        await begin(cli, Refusing())  # type: ignore[arg-type]


async def test_another_refusal_installs_nothing(cli: Cli, local: None) -> None:
    with pytest.raises(FailedPrecondition):
        await begin(cli, Refusing(code=""))  # type: ignore[arg-type]


def test_progress_without_a_terminal_is_a_line_a_change() -> None:
    out = Output(as_json=False)
    out.notes = Console(file=(printed_text := io.StringIO()), width=200)
    with shown_progress(out) as show:
        for step in (1, 2, 3, 60, 61):
            show(
                trainer_pb2.Run(
                    state="running", stage="full", step=step, steps=100, metrics={"loss": 1.25}
                )
            )
        show(trainer_pb2.Run(state="running", stage="gate", message="measuring"))
        show(trainer_pb2.Run(state="released", stage="gate", message="passed"))
    lines = [line.split() for line in printed_text.getvalue().splitlines()]
    assert [(line[0], line[2]) for line in lines[:2]] == [("full", "1/100"), ("full", "60/100")]
    assert lines[0][3:] == ["loss", "1.250"]
    assert lines[2:] == [["gate", "measuring"]]


def test_a_gate_that_could_not_tell_shows_what_is_missing() -> None:
    verdict = trainer_pb2.Verdict(
        metric="answers that people liked, of 100",
        decision="too small to tell",
        summary="too small to tell: new without questions",
        reasons=["the slice `new` has 0 different questions of the 50 that are needed to tell"],
        slices=[
            trainer_pb2.Slice(name="overall", examples=9, live=70, candidate=71, difference=1.0),
            trainer_pb2.Slice(name="new"),
        ],
    )
    console = Console(file=(printed_text := io.StringIO()), width=200)
    console.print(gate_table(verdict))
    lines = [line.split() for line in printed_text.getvalue().splitlines()]
    assert lines[1] == ["overall", "9", "70.0", "71.0", "+1.0", "–"]
    assert lines[2] == ["new", "0", "–", "–", "–", "–"]
    assert "gate: too small to tell" in printed_text.getvalue()
    assert "0 different questions of the 50" in printed_text.getvalue()
    assert "answers that people liked, of 100" in printed_text.getvalue()
