"""How a training is started: the command and its environment. No torch in here."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path


def training_command(folder: Path, variant: str, *, processes: int) -> list[str]:
    """DeepSpeed's launcher with `processes` workers on this machine."""
    return [
        str(Path(sys.executable).parent / "deepspeed"),
        "--num_accelerators",
        str(processes),
        "--master_port",
        str(_free_port()),
        "--no_local_rank",
        "--log_level",
        "error",
        "--module",
        "gyre_trainer.train",
        "--run",
        str(folder),
        "--variant",
        variant,
    ]


def training_environment(processes: int, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`given`, and what the workers need beside it.

    Without a GPU, DeepSpeed is told to use the CPU, and the workers share the cores.
    """
    threads = str(max(1, (os.cpu_count() or 1) // processes))
    found = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    if not has_gpu():
        found["DS_ACCELERATOR"] = "cpu"
    return {**found, **given}


def has_gpu() -> bool:
    """Tell whether this machine has one that torch could use, without importing torch."""
    return Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
