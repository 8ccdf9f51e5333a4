"""How a training is started, and tied to the trainer that started it. No torch in here."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

NICENESS = 10
_PR_SET_PDEATHSIG = 1
_GRACE = 5


def training_command(module: str, folder: Path, variant: str, *, workers: int) -> list[str]:
    """DeepSpeed's launcher, at most one worker a GPU; with 0 workers this interpreter."""
    options = ["--run", str(folder), "--variant", variant]
    if not workers:
        return [sys.executable, "-m", module, *options]
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free_port = probe.getsockname()[1]
    launcher = str(Path(sys.executable).parent / "deepspeed")
    count = f"--num_accelerators={min(workers, _gpus() or workers)}"
    quietly = ["--no_local_rank", "--log_level=error"]
    return [launcher, count, f"--master_port={free_port}", *quietly, "--module", module, *options]


def training_environment(workers: int) -> dict[str, str]:
    """This process's, with a share of the cores, and the CPU where there is no GPU."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    needed = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    if not _gpus():
        needed["DS_ACCELERATOR"] = "cpu"
    return {**needed, **os.environ}


def _gpus() -> int:
    """How many this machine has that torch could use, without importing torch."""
    return sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia*"))


def lower_priority() -> None:
    """Give way to whoever serves."""
    os.nice(NICENESS)


def die_with_parent(parent: int) -> None:
    """SIGTERM when the process `parent` dies; exit where it is gone. Where there is no prctl(2), a
    verb outlives a trainer that was killed, and its files are not used.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent and os.getppid() != parent:  # it died before we asked
        sys.exit(128 + signal.SIGTERM)


def run_in_group(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Returns the exit status. SIGTERM goes to the whole group; what lingers is killed."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    with subprocess.Popen(command, env=dict(environment)) as process:
        signal.signal(signal.SIGTERM, _end_all)
        return process.wait()


def _end_all(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(os.getpgrp(), signal.SIGKILL))
    signal.alarm(_GRACE)
    os.killpg(os.getpgrp(), signal.SIGTERM)
