"""A verb is a program with one clear last line; what is gone from the corpus teaches nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_trainer.recipes.query_encoder import QUERY_ENCODER
from gyre_trainer.recipes.query_encoder.prepare import check_enough
from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import Prepared, RunFolder, write_json

from tests.unit.trainer.run_fakes import DIGEST, a_spec


def verb(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    recipe = ("--recipe", QUERY_ENCODER.package)
    return subprocess.run(
        [sys.executable, "-m", "gyre_trainer.recipes.verbs", name, *recipe, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_what_stops_a_verb_is_its_last_line(tmp_path: Path) -> None:
    ended = verb("prepare", "--run", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"error: {tmp_path} holds no run.json")


def test_after_a_failure_that_passes_the_way_on_is_told() -> None:
    full = Retryable("cannot write to file:///store: No space left on device")
    assert failure_line(full, "0199") == (
        "cannot write to file:///store: No space left on device; once that is mended, "
        "`gyre train --resume 0199` goes on from where it was"
    )
    assert (
        failure_line(FailedPrecondition("the votes are\none-sided"), "0199")
        == "the votes are one-sided"
    )


def test_a_verb_whose_trainer_is_gone_does_not_begin(tmp_path: Path) -> None:
    ended = verb("compare", "--run", str(tmp_path), "--parent", "1")
    assert ended.returncode == 128 + signal.SIGTERM
    assert ended.stderr == ""


def gone(pid: int) -> None:
    """Wait until it is; what nobody has buried yet counts as gone."""
    try:
        process = psutil.Process(pid)
        deadline = time.monotonic() + 15
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"process {pid} still runs"
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        return


_PARENT = """
import subprocess, sys, os, time
code = "import os, sys, time; from gyre_trainer.training import launching as group;"
code += "group.lower_priority(); group.die_with_parent(int(sys.argv[1]));"
code += "print(os.getpid(), os.nice(0), flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())])
time.sleep(600)
"""


def test_a_verb_dies_with_the_trainer_and_gives_way_to_others() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        pid, niceness = map(int, trainer.stdout.readline().split())
        assert niceness >= 10
        trainer.send_signal(signal.SIGKILL)
    gone(pid)


_LAUNCHER = """
import pathlib, subprocess, sys
from gyre_trainer.training.launching import run_in_group
worker = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
worker += "time.sleep(600)"
launcher = "import subprocess, sys; "
launcher += f"subprocess.call([sys.executable, '-c', {worker!r}, *sys.argv[1:]])"
run_in_group([sys.executable, "-c", launcher, sys.argv[1]], {})
"""


def test_a_launcher_that_is_told_to_end_ends_its_workers(tmp_path: Path) -> None:
    pid_file = tmp_path / "worker"
    with subprocess.Popen([sys.executable, "-c", _LAUNCHER, str(pid_file)]) as keeper:
        deadline = time.monotonic() + 60
        while not (pid_file.exists() and pid_file.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(20)
    gone(int(pid_file.read_text()))


def test_too_few_questions_after_deletions_say_so() -> None:
    with pytest.raises(FailedPrecondition, match=r"1 of 120 questions are left.*needs 100"):
        check_enough(1, 120, "demo")
    check_enough(100, 120, "demo")


def test_a_run_folder_gives_back_what_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(FailedPrecondition, match="the verb that writes it has not been run"):
        folder.prepared()
    write_json(folder.spec_file, a_spec(window={"feedback.received.v1/0": (0, 9)}))
    assert folder.spec() == a_spec(window={"feedback.received.v1/0": (0, 9)})
    prepared = Prepared(data_set=DIGEST, note="2 questions taught nothing")
    write_json(folder.prepared_file, prepared)
    assert folder.prepared() == prepared
    folder.prepared_file.write_text("{")
    with pytest.raises(FailedPrecondition, match="is damaged"):
        folder.prepared()
