"""Several nodes train together: the curve of one, stopped and gone on with, and who may write."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from gyre_common.errors import Conflict, FailedPrecondition
from gyre_trainer.language_models.config import Variant
from gyre_trainer.recipes.generator_sft.train import train
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.training.launching import hosts_of
from gyre_trainer.training.orders import (
    NotShared,
    Order,
    check_shared,
    has_lapsed,
    order_file,
    ordered,
    standing_order,
)

from tests.training.kubernetes_job import Pod
from tests.training.matrix import LONG
from tests.training.tiny_generators import TinyRun, a_run
from tests.training.tiny_runs import never

pytestmark = pytest.mark.timeout(900)
PATIENCE_SECONDS = 400
RUN = "00000000-0000-7000-8000-000000000001"
TWO_NODES = "127.0.0.1 slots=1\n127.0.0.2 slots=1\n"

# In place of pdsh, which needs ssh: a shell for each host, in a process group of its own.
PDSH = f"""#!{sys.executable}
import os, pathlib, signal, subprocess, sys
hosts, words = sys.argv[5].split(","), sys.argv[7:]
started = pathlib.Path(os.environ["PDSH_STARTED"])
if words[0].startswith("pkill"):
    for line in started.read_text().split():
        os.killpg(int(line), signal.SIGTERM)
    sys.exit()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
command = " ".join(words)
shells = [
    subprocess.Popen(
        ["sh", "-c", command.replace("%n", str(number))],
        process_group=0,
    )
    for number in range(len(hosts))
]
started.write_text(" ".join(str(each.pid) for each in shells))
sys.exit(max(abs(each.wait()) for each in shells))
"""


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A process group of which nothing is left behind."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def has_ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def has_failed(process: subprocess.Popen[str]) -> bool:
    return has_ended(process) and process.returncode != 0


def the_verb(run: TinyRun) -> list[str]:
    """As the trainer starts it."""
    program = [sys.executable, "-m", "gyre_trainer.recipes.verbs", "train"]
    recipe = ["--recipe", "gyre_trainer.recipes.generator_sft", "--variant", "low-rank"]
    return [*program, *recipe, "--run", str(run.folder.path), "--deepspeed", "1"]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def last_reported_step(run: TinyRun) -> int:
    return max(run.reported_steps(), default=0)


def trained_by(
    run: TinyRun, pods: Sequence[Pod], *, stop_at: int | None = None
) -> tuple[list[int], list[str]]:
    """How the trainer's verb and each pod ended, and what they said; at a certain step the verb is
    told to stop.
    """
    port = f"--master-port={free_port()}"
    with ExitStack() as stack:
        verb = stack.enter_context(started(the_verb(run), {"GYRE_TRAINING_LAUNCHER": "none"}))
        nodes = [
            stack.enter_context(started([*pod.command, port], pod.environment)) for pod in pods
        ]
        if stop_at is not None:
            until(lambda: last_reported_step(run) >= stop_at or any(map(has_failed, nodes)))
            verb.terminate()
        until(lambda: has_ended(verb) or any(map(has_failed, nodes)))
        verb.terminate()
        outputs = [each.communicate(timeout=PATIENCE_SECONDS)[1] for each in (verb, *nodes)]
    return [each.returncode for each in (verb, *nodes)], outputs


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path) -> tuple[float, ...]:
    """Of one process on one machine."""
    run = a_run(tmp_path_factory.mktemp("one") / "run", tiny_language_model)
    train(run.folder, Variant.LOW_RANK, never)
    return run.result().loss


def test_the_pods_of_a_job_obey_the_trainers_order_and_go_on_after_a_stop(
    tmp_path: Path, tiny_language_model: Path, curve: Sequence[float]
) -> None:
    """The first start is stopped by the trainer: the pods keep a checkpoint and end."""
    run = a_run(tmp_path / "runs" / RUN, tiny_language_model)
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    (nodes / "hostfile").write_text(TWO_NODES)
    volumes = {"gyre-home": tmp_path, "nodes": nodes}
    pods = [Pod(rank, volumes, RUN) for rank in (0, 1)]
    statuses, outputs = trained_by(run, pods, stop_at=2)
    assert 0 not in statuses, outputs
    assert list(run.folder.variant("low-rank").glob("checkpoints/step-*")), outputs
    statuses, outputs = trained_by(run, pods)
    assert statuses == [0, 0, 0], outputs
    assert not order_file(run.folder).exists()
    assert run.result().loss == pytest.approx(curve, abs=1e-4)
    assert [step for step in run.reported_steps() if step] == list(range(1, 10))


@pytest.mark.parametrize("stop", [False, pytest.param(True, marks=LONG)])
def test_a_hostfile_has_deepspeed_start_workers_on_each_node(
    tmp_path: Path, tiny_language_model: Path, curve: Sequence[float], stop: bool
) -> None:
    run = a_run(tmp_path / "run", tiny_language_model)
    hostfile, pdsh = tmp_path / "hostfile", tmp_path / "bin" / "pdsh"
    hostfile.write_text(TWO_NODES)
    pdsh.parent.mkdir()
    pdsh.write_text(PDSH)
    pdsh.chmod(0o755)
    environment = {
        "GYRE_TRAINING_HOSTFILE": str(hostfile),
        "PATH": f"{pdsh.parent}:{os.environ['PATH']}",
        "PDSH_STARTED": str(tmp_path / "started"),
    }
    if stop:
        with started(the_verb(run), environment) as verb:
            until(lambda: last_reported_step(run) >= 2)
            verb.terminate()
            assert verb.wait(PATIENCE_SECONDS) != 0
        assert list(run.folder.variant("low-rank").glob("checkpoints/step-*"))
    with started(the_verb(run), environment) as verb:
        _, output = verb.communicate(timeout=PATIENCE_SECONDS)
    assert verb.returncode == 0, output
    assert run.result().loss == pytest.approx(curve, abs=1e-4)
    assert run.reported_steps() == list(range(1, 10))


def test_what_the_first_node_says_of_a_failure_is_what_the_verb_says(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_language_model)
    (run.folder.path / "samples.jsonl").write_text("nonsense\n")
    hostfile = tmp_path / "hostfile"
    hostfile.write_text("127.0.0.1 slots=1\n")
    alone = [sys.executable, "-m", "gyre_trainer.training.node", "--run", str(run.folder.path)]
    alone += ["--hostfile", str(hostfile), "--node-rank", "0", "--master-port", str(free_port())]
    with (
        started(the_verb(run), {"GYRE_TRAINING_LAUNCHER": "none"}) as verb,
        started(alone, {}) as node,
    ):
        _, output = verb.communicate(timeout=PATIENCE_SECONDS)
        assert node.wait(PATIENCE_SECONDS) != 0
    assert verb.returncode == 1
    assert output.splitlines()[-1].startswith("error: ")
    assert "samples.jsonl has changed" in output


def test_without_pdsh_it_says_what_to_install(tmp_path: Path, tiny_language_model: Path) -> None:
    run = a_run(tmp_path / "run", tiny_language_model)
    hostfile = tmp_path / "hostfile"
    hostfile.write_text(TWO_NODES)
    environment = {"GYRE_TRAINING_HOSTFILE": str(hostfile), "PATH": str(tmp_path)}
    with started(the_verb(run), environment) as verb:
        _, output = verb.communicate(timeout=PATIENCE_SECONDS)
    assert verb.returncode == 1
    assert output.splitlines()[-1].startswith("error: pdsh is not installed")


def test_a_node_whose_folder_is_another_says_so(tmp_path: Path) -> None:
    there, elsewhere = RunFolder(tmp_path / "shared"), RunFolder(tmp_path / "own")
    with ordered(there, "module", "low-rank") as order:
        check_shared(there, order.token)
        with pytest.raises(NotShared, match=r"does not see the run at .*own: all nodes need"):
            check_shared(elsewhere, order.token, patience=0)
    assert standing_order(there) is None


def test_an_order_that_is_withdrawn_or_not_counted_in_ends_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    folder = RunFolder(tmp_path / "run")
    order = Order(token="one", count=1, module="module", variant="low-rank")
    write_json(order_file(folder), order)
    lapsed = has_lapsed(folder, "one")
    assert not lapsed()
    now = 59.0
    assert not lapsed()
    write_json(order_file(folder), order.model_copy(update={"count": 2}))
    now = 118.0
    assert not lapsed()
    now = 179.0
    assert lapsed()
    write_json(order_file(folder), order.model_copy(update={"token": "two"}))
    with pytest.raises(Conflict, match="was started again: this training ends"):
        lapsed()
    order_file(folder).unlink()
    assert lapsed()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("one slots=2\ntwo\n", "line 2 .* names no `HOST slots=N`"),
        ("one slots=2\n\none slots=1\n", "line 3 .* names one again"),
        ("one slots=0\n", "line 1 .* names no `HOST slots=N`"),
        ("# none\n", "names no node: write one line a node"),
    ],
)
def test_a_hostfile_that_is_wrong_is_told_by_its_line(
    tmp_path: Path, lines: str, message: str
) -> None:
    path = tmp_path / "hostfile"
    path.write_text(lines)
    with pytest.raises(FailedPrecondition, match=message):
        hosts_of(path)


def test_a_hostfile_names_nodes_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "hostfile"
    path.write_text("# the first is where they meet\ntwo slots=8\none  slots=4 # older\n")
    assert list(hosts_of(path).items()) == [("two", 8), ("one", 4)]
