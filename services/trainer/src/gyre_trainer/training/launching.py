"""How a training is started, and tied to the trainer that started it. No torch in here."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gyre_common.errors import FailedPrecondition

NICENESS = 10
_PR_SET_PDEATHSIG = 1
_GRACE = 5
_QUIET = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
_NODE_VARIABLES = ("OMP_NUM_THREADS", "DS_ACCELERATOR", "GLOO_SOCKET_IFNAME")
"""What nodes are told where it is set: the number of cores, and the network, are their own."""


MASTER_PORT = 29500
"""Where workers of several nodes meet, on the first: as DeepSpeed has it."""
_HOST = re.compile(r"(\S+)\s+slots=([1-9]\d{0,3})(\s*#.*)?")


@dataclass(frozen=True)
class Nodes:
    """Machines that train together. DeepSpeed starts workers on all of them, by pdsh and ssh; on
    this one alone where it has a `rank` among them.
    """

    hostfile: Path
    port: int = MASTER_PORT
    rank: int | None = None


def hosts_of(hostfile: Path) -> dict[str, int]:
    """How many workers each has, the first node first. Raises FailedPrecondition, naming the line
    that is wrong.
    """
    try:
        lines = hostfile.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FailedPrecondition(f"the hostfile {hostfile} cannot be read: {reason}") from error
    hosts: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _HOST.fullmatch(line.strip())
        if match is None or match[1] in hosts:
            problem = "names no `HOST slots=N`" if match is None else f"names {match[1]} again"
            raise FailedPrecondition(
                f"line {number} of the hostfile {hostfile} {problem}: write one line a node, with "
                "how many workers it has"
            )
        hosts[match[1]] = int(match[2])
    if not hosts:
        raise FailedPrecondition(
            f"the hostfile {hostfile} names no node: write one line a node, HOST slots=N"
        )
    return hosts


def training_command(
    module: str,
    folder: Path,
    variant: str,
    *,
    workers: int = 0,
    nodes: Nodes | None = None,
    order: str = "",
) -> list[str]:
    """DeepSpeed's launcher: for `nodes`, which obey an `order`; or for this machine, at most one
    worker a GPU. With neither nodes nor workers, this interpreter. Raises as `hosts_of`.
    """
    options = ["--run", str(folder), "--variant", variant, *(["--order", order] if order else [])]
    if nodes is not None:
        where = _on_nodes(nodes)
    elif workers:
        where = _here(workers)
    else:
        return [sys.executable, "-m", module, *options]
    launcher = str(Path(sys.executable).parent / "deepspeed")
    quietly = ["--no_local_rank", "--log_level=error"]
    return [launcher, *where, *quietly, "--module", module, *options]


def _here(workers: int) -> list[str]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free_port = probe.getsockname()[1]
    count = f"--num_accelerators={min(workers, _gpus() or workers)}"
    return [count, f"--master_port={free_port}"]


def _on_nodes(nodes: Nodes) -> list[str]:
    first = next(iter(hosts_of(nodes.hostfile)))
    common = [f"--hostfile={nodes.hostfile}", f"--master_addr={first}"]
    common += [f"--master_port={nodes.port}"]
    if nodes.rank is not None:
        return [*common, "--no_ssh", f"--node_rank={nodes.rank}"]
    # What workers say stays as it is (-N), also what a single node says. ssh tells what it lacks.
    return [*common, "--force_multi", "--no_ssh_check", "--launcher_args=-N"]


def training_environment(workers: int) -> dict[str, str]:
    """This process's, with a share of the cores, and the CPU where there is no GPU."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    needed = {"OMP_NUM_THREADS": threads, **_QUIET}
    if not _gpus():
        needed["DS_ACCELERATOR"] = "cpu"
    return {**needed, **os.environ}


def environment_of_nodes(environment_file: Path) -> dict[str, str]:
    """This process's, and a file that tells DeepSpeed what of it the nodes get, beside what
    concerns Python and NCCL. Raises OSError.
    """
    own = {name: os.environ[name] for name in _NODE_VARIABLES if name in os.environ}
    lines = [f"{name}={value}\n" for name, value in (_QUIET | own).items()]
    environment_file.write_text("".join(lines), encoding="utf-8")
    return {**os.environ, "DS_ENV_FILE": str(environment_file.absolute())}


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
