"""How a training is started: the command and its environment. No torch in here."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path


def plain_command(module: str, folder: Path, variant: str) -> list[str]:
    """The training program in this interpreter, one process."""
    return [sys.executable, "-m", module, "--run", str(folder), "--variant", variant]


def training_command(module: str, folder: Path, variant: str, *, workers: int) -> list[str]:
    """DeepSpeed's launcher with `workers` on this machine, at most one for each GPU."""
    return [
        str(Path(sys.executable).parent / "deepspeed"),
        "--num_accelerators",
        str(min(workers, _gpus() or workers)),
        "--master_port",
        str(_free_port()),
        "--no_local_rank",
        "--log_level",
        "error",
        "--module",
        module,
        "--run",
        str(folder),
        "--variant",
        variant,
    ]


def training_environment(
    workers: int, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """`environment`, and what the workers need beside it.

    Without a GPU, DeepSpeed is told to use the CPU, and the workers share the cores.
    """
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    needed = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    if not _gpus():
        needed["DS_ACCELERATOR"] = "cpu"
    return {**needed, **environment}


def _gpus() -> int:
    """How many this machine has that torch could use, without importing torch."""
    return sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia*"))


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
