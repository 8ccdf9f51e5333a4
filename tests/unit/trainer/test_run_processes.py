"""A verb is a process group: nothing of it is left behind, and its last words are passed on."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from gyre_trainer.runs.folder import ProgressLine, RunFolder
from gyre_trainer.runs.verbs import Follower, Verb, VerbFailed, run_verb

from tests.eventually import eventually

_SPAWNS = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def a_verb(folder: RunFolder, program: str, *arguments: str) -> Verb:
    return Verb("train full", folder.path / "mark", (sys.executable, "-c", program, *arguments))


async def test_a_verb_is_done_when_its_mark_is_there(folder: RunFolder) -> None:
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
    await run_verb(a_verb(folder, program, str(folder.path / "mark")), folder)


async def test_its_last_clear_line_becomes_the_reason(folder: RunFolder) -> None:
    program = "import sys; sys.exit('noise\\nerror: too few votes: collect more\\nmore noise')"
    with pytest.raises(VerbFailed, match=r"^too few votes: collect more$"):
        await run_verb(a_verb(folder, program), folder)


async def test_what_an_earlier_try_said_is_not_said_again(folder: RunFolder) -> None:
    first = "import sys; sys.stderr.write('error: once\\n'); sys.exit(1)"
    with pytest.raises(VerbFailed, match="once"):
        await run_verb(a_verb(folder, first), folder)
    with pytest.raises(VerbFailed, match="train full ended with status 3"):
        await run_verb(a_verb(folder, "import sys; sys.exit(3)"), folder)


async def test_an_end_without_the_mark_is_a_failure_even_with_status_0(folder: RunFolder) -> None:
    with pytest.raises(VerbFailed, match="ended without writing mark, its last file"):
        await run_verb(a_verb(folder, "pass"), folder)


async def test_a_killed_launcher_takes_its_workers_along_and_is_named(folder: RunFolder) -> None:
    worker = folder.path / "worker"
    running = asyncio.create_task(run_verb(a_verb(folder, _SPAWNS, str(worker)), folder))
    pid = int(await eventually(lambda: worker.exists() and worker.read_text()))
    launcher = psutil.Process(pid).parent()
    assert launcher is not None
    os.kill(launcher.pid, signal.SIGKILL)
    with pytest.raises(VerbFailed, match=r"was killed by SIGKILL.*can be resumed"):
        await running
    await eventually(lambda: not _runs(pid))


async def test_a_cancelled_verb_leaves_nothing_behind(folder: RunFolder) -> None:
    worker = folder.path / "worker"
    running = asyncio.create_task(run_verb(a_verb(folder, _SPAWNS, str(worker)), folder))
    pid = int(await eventually(lambda: worker.exists() and worker.read_text()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not _runs(pid))


async def test_a_verb_that_takes_longer_than_it_may_is_ended_and_says_so(
    folder: RunFolder,
) -> None:
    worker = folder.path / "worker"
    verb = replace(a_verb(folder, _SPAWNS, str(worker)), minutes=2 / 60)
    with pytest.raises(VerbFailed, match=r"^train full was stopped: .* verb_minutes"):
        await run_verb(verb, folder)
    pid = int(await eventually(lambda: worker.exists() and worker.read_text()))
    await eventually(lambda: not _runs(pid))


_STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path(sys.argv[2]).touch())
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


async def test_a_verb_that_is_cancelled_again_while_it_is_asked_to_end_is_gone_all_the_same(
    folder: RunFolder,
) -> None:
    ready, signal_file = folder.path / "ready", folder.path / "asked"
    running = asyncio.create_task(
        run_verb(a_verb(folder, _STUBBORN, str(ready), str(signal_file)), folder)
    )
    await eventually(lambda: ready.exists() and ready.read_text())
    stubborn = psutil.Process(int(ready.read_text()))
    running.cancel()
    await eventually(signal_file.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not _runs(stubborn.pid))


async def test_only_the_newest_line_of_a_stage_is_told_about_once_a_second(
    folder: RunFolder,
) -> None:
    lines: list[ProgressLine] = []

    async def tell(line: ProgressLine) -> None:
        lines.append(line)

    follower = Follower(folder.progress_file, tell)
    await follower.look()
    for step in range(5):
        folder.progress("full", step, 5)
    await follower.look()
    for step in range(5, 9):
        folder.progress("full", step, 9)
        await follower.look()
    with folder.progress_file.open("a") as file:
        file.write('{"half a li')
    assert [(line.stage, line.step) for line in lines] == [("full", 4)]
    await follower.look(last=True)
    assert [line.step for line in lines] == [4, 8]


async def test_a_new_stage_is_told_at_once_after_the_end_of_the_one_before(
    folder: RunFolder,
) -> None:
    lines: list[str] = []

    async def tell(line: ProgressLine) -> None:
        lines.append(f"{line.stage} {line.step}")

    follower = Follower(folder.progress_file, tell)
    folder.progress("full", 1, 9)
    await follower.look()
    folder.progress("full", 9, 9)
    folder.progress("low-rank", 1, 9)
    await follower.look()
    assert lines == ["full 1", "full 9", "low-rank 1"]


async def test_a_resumed_run_does_not_tell_its_old_progress_again(folder: RunFolder) -> None:
    lines: list[ProgressLine] = []

    async def tell(line: ProgressLine) -> None:
        lines.append(line)

    folder.progress("full", 9, 9)
    await Follower(folder.progress_file, tell).look(last=True)
    assert lines == []


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
