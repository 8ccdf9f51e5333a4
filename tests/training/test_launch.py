"""Two processes under DeepSpeed's launcher: the same curve as one, and kill -9 at any time."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import pytest
import torch
from gyre_trainer.recipes.query_encoder import TRAIN_MODULE
from gyre_trainer.recipes.query_encoder.config import Variant
from gyre_trainer.recipes.query_encoder.inputs import QueryEncoderFiles
from gyre_trainer.recipes.query_encoder.train import train
from gyre_trainer.training.launching import training_command, training_environment

from tests.training.matrix import MATRIX
from tests.training.tiny_runs import TinyRun, a_run, never

pytestmark = pytest.mark.timeout(900)

LONG = {"epochs": 60 if MATRIX else 20, "checkpoint_every": 5, "rehearsal": 0.5}
KILLED_AT = (3, 17, 60, 101, 160) if MATRIX else (60,)
KILLED_LATE_AT = (239,) if MATRIX else ()
PATIENCE_SECONDS = 400


class Launched:
    """DeepSpeed's launcher and all that it started."""

    def __init__(self, run: TinyRun, processes: int) -> None:
        self._run = run
        self._launcher = psutil.Popen(
            training_command(TRAIN_MODULE, run.folder.path, "full", workers=processes),
            env=training_environment(processes) | {"OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self._family: dict[int, psutil.Process] = {}

    def until_step(self, step: int) -> None:
        until(lambda: max(self._run.reported_steps(), default=0) >= step)
        self._family = {each.pid: each for each in self._launcher.children(recursive=True)}

    def signal(self, number: int, *, launcher: bool, workers: bool) -> None:
        """To the launcher that was called, or to all that it started, or to both."""
        for each in (
            *([self._launcher] if launcher else []),
            *(self._family.values() if workers else []),
        ):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def kill_one_worker(self) -> None:
        leaves = [each for each in self._family.values() if not each.children()]
        leaves[0].kill()

    def wait_until_gone(self) -> tuple[int, str]:
        """Its exit status and what it said, once it and all that it started are gone."""
        _, output = self._launcher.communicate(timeout=PATIENCE_SECONDS)
        until(lambda: all(map(is_gone, self._family.values())))
        return self._launcher.returncode, output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it is left behind."""
        with suppress(psutil.NoSuchProcess):
            self._family |= {each.pid: each for each in self._launcher.children(recursive=True)}
        self.signal(signal.SIGKILL, launcher=True, workers=True)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finished(run: TinyRun, *, processes: int = 2) -> TinyRun:
    with Launched(run, processes) as launched:
        status, output = launched.wait_until_gone()
    assert status == 0, output
    return run


def assert_same(run: TinyRun, other: TinyRun) -> None:
    """Bit for bit."""
    assert run.outcome().loss == other.outcome().loss
    tuned = run.tuned()
    assert all(torch.equal(tuned[name], value) for name, value in other.tuned().items())
    assert run.outcome().validation == other.outcome().validation


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> TinyRun:
    """A run of two processes that nobody disturbed."""
    return finished(a_run(tmp_path_factory.mktemp("straight") / "run", tiny_base, **LONG))


def test_one_process_and_two_give_the_same_curve(
    tmp_path: Path, tiny_base: Path, straight: TinyRun
) -> None:
    alone = a_run(tmp_path / "alone", tiny_base, **LONG)
    train(alone.folder, Variant.FULL, never)
    assert alone.outcome().loss == pytest.approx(straight.outcome().loss, abs=1e-3)
    assert alone.outcome().loss[:20] == pytest.approx(straight.outcome().loss[:20], abs=1e-5)


def test_what_is_done_before_the_first_step_is_told(straight: TinyRun) -> None:
    [first, *_] = map(json.loads, straight.folder.progress_file.read_text().splitlines())
    assert (first["step"], first["message"]) == (0, "reading the model, and measuring it as it is")


def test_a_run_that_is_killed_again_and_again_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_base: Path, straight: TinyRun
) -> None:
    """First the launcher alone, whose workers must not linger; then all; SIGTERM; then nobody."""
    run = a_run(tmp_path / "run", tiny_base, **LONG)
    with Launched(run, 2) as launched:
        launched.until_step(8)
        launched.signal(signal.SIGKILL, launcher=True, workers=False)
        launched.wait_until_gone()
    kill_all_at(run, KILLED_AT)
    with Launched(run, 2) as launched:
        launched.until_step(max(run.reported_steps()) + 1)
        launched.signal(signal.SIGTERM, launcher=False, workers=True)
        _, output = launched.wait_until_gone()
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert "started again, it goes on" in line
    assert not (run.folder.variant("full") / "result.json").exists()
    kill_all_at(run, KILLED_LATE_AT)
    finished(run)
    assert_same(run, straight)


def kill_all_at(run: TinyRun, steps: Sequence[int]) -> None:
    for step in steps:
        with Launched(run, 2) as launched:
            launched.until_step(step)
            launched.signal(signal.SIGKILL, launcher=True, workers=True)
            launched.wait_until_gone()


@pytest.mark.skipif(not MATRIX, reason="the long matrix: make training")
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_each_zero_stage_resumes_on_two_processes(
    tmp_path: Path, tiny_base: Path, straight: TinyRun, stage: int
) -> None:
    run = a_run(tmp_path / "run", tiny_base, **LONG, zero_stage=stage)
    with Launched(run, 2) as launched:
        launched.until_step(30)
        launched.signal(signal.SIGKILL, launcher=True, workers=True)
        launched.wait_until_gone()
    finished(run)
    assert run.outcome().loss == pytest.approx(straight.outcome().loss, abs=1e-3)


@pytest.mark.skipif(not MATRIX, reason="the long matrix: make training")
def test_a_worker_that_is_killed_takes_its_sibling_and_the_launcher_along(
    tmp_path: Path, tiny_base: Path, straight: TinyRun
) -> None:
    run = a_run(tmp_path / "run", tiny_base, **LONG)
    with Launched(run, 2) as launched:
        launched.until_step(8)
        launched.kill_one_worker()
        status, _ = launched.wait_until_gone()
    assert status != 0
    finished(run)
    assert_same(run, straight)


def test_a_failure_is_one_line_and_exit_status_one(tmp_path: Path, tiny_base: Path) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    QueryEncoderFiles(run.folder).live.write_text("nonsense\n")
    command = [sys.executable, "-m", TRAIN_MODULE, "--run", str(run.folder.path)]
    completed = subprocess.run(
        [*command, "--variant", "full"], env=training_environment(1), capture_output=True, text=True
    )
    assert completed.returncode == 1
    assert completed.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in completed.stderr
