"""Runs as commands begin them: the first one on a local system installs what training needs."""

import asyncio
import subprocess
from typing import TYPE_CHECKING, Any

from gyre_client.errors import FailedPrecondition, GyreError
from gyre_client.runs import RUNNING
from gyre_local.control import running_state
from gyre_local.setup import PROJECT

from gyre_cli.command import Cli

if TYPE_CHECKING:
    from gyre.trainer.v1.trainer_pb2 import Run
    from gyre_client import AsyncClient

GOOD = frozenset({"released", "passed"})

_PACKAGES_MISSING = "training-packages-missing"
_ROOT = PROJECT.parents[1]


async def begin(cli: Cli, gyre: "AsyncClient", **request: Any) -> "Run":
    """Start a run, as `Runs.start` takes it.

    Raises what that does; FailedPrecondition when the packages cannot be installed.
    """
    try:
        return await gyre.runs.start(**request)
    except FailedPrecondition as error:
        if error.code != _PACKAGES_MISSING or running_state(cli.settings.home) is None:
            raise
    await asyncio.to_thread(_install, cli)
    return await gyre.runs.start(**request)


def check(run: "Run") -> None:
    """Raises GyreError with the reason, when the run did not make a version that passed."""
    if run.state not in (*GOOD, RUNNING):
        raise GyreError(f"run {run.run_id} {run.state}: {run.message}")


def _install(cli: Cli) -> None:
    """The trainer finds them without a restart: each verb of a run is a new process."""
    cli.out.note(
        "installing what training needs (PyTorch, DeepSpeed: about 6 GB on disk, once) by "
        "`make setup-train`",
        style="bold",
    )
    result = subprocess.run(
        ("make", "--no-print-directory", "setup-train"),
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        last = (result.stdout.strip().splitlines() or ["no word why"])[-1]
        raise FailedPrecondition(f"`make setup-train` failed ({last}): run it by hand")
