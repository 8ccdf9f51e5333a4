"""Runs as commands ask for them: begin, follow until the end, stop."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from gyre.trainer.v1 import trainer_pb2
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from gyre_common.errors import FailedPrecondition, GyreError, Unavailable
from gyre_common.rpc import call, stream
from gyre_local.control import running_state
from gyre_local.setup import PROJECT

from gyre_cli.command import Cli
from gyre_cli.rpc import connected

RUNNING = "running"
GOOD = frozenset({"released", "passed"})

_PACKAGES_MISSING = "training-packages-missing"
_START_SECONDS = 60.0
_WATCH_SECONDS = 7 * 24 * 3600.0
_AWAY_SECONDS = 60.0
_PAUSE = 1.0
_ROOT = PROJECT.parents[1]

Told = Callable[[trainer_pb2.Run], None]


@asynccontextmanager
async def trainer(cli: Cli) -> AsyncIterator[TrainerServiceStub]:
    """The trainer's stub."""
    settings = cli.settings
    async with connected(TrainerServiceStub, settings.trainer_address, settings) as stub:
        yield stub


async def begin(
    cli: Cli, stub: TrainerServiceStub, request: trainer_pb2.StartRunRequest
) -> trainer_pb2.Run:
    """Start a run. The first one on a local system installs what training needs.

    Raises what StartRun does; FailedPrecondition when the packages cannot be installed.
    """
    try:
        return await _start(stub, request)
    except FailedPrecondition as error:
        if error.code != _PACKAGES_MISSING or running_state(cli.settings.home) is None:
            raise
    await asyncio.to_thread(_install, cli)
    return await _start(stub, request)


async def _start(stub: TrainerServiceStub, request: trainer_pb2.StartRunRequest) -> trainer_pb2.Run:
    reply = await call(stub.StartRun, request, timeout=_START_SECONDS)
    run: trainer_pb2.Run = reply.run
    return run


async def follow(stub: TrainerServiceStub, run_id: str, told: Told) -> trainer_pb2.Run:
    """The run when it has ended; each change is told. A trainer that is away is waited for."""
    last_heard = time.monotonic()
    while True:
        try:
            async for run in _watched(stub, run_id):
                last_heard = time.monotonic()
                told(run)
                if run.state != RUNNING:
                    return run
        except Unavailable:
            if time.monotonic() - last_heard > _AWAY_SECONDS:
                raise
        await asyncio.sleep(_PAUSE)


async def _watched(stub: TrainerServiceStub, run_id: str) -> AsyncIterator[trainer_pb2.Run]:
    request = trainer_pb2.WatchRunRequest(run_id=run_id)
    async with aclosing(stream(stub.WatchRun, request, timeout=_WATCH_SECONDS)) as replies:
        async for reply in replies:
            yield reply.run


def check(run: trainer_pb2.Run) -> None:
    """Raises GyreError with the reason, when the run did not make a version that passed."""
    if run.state not in (*GOOD, RUNNING):
        raise GyreError(f"run {run.run_id} {run.state}: {run.message}")


def _install(cli: Cli) -> None:
    """The trainer finds them without a restart: each phase of a run is a new process."""
    cli.out.note(
        "installing what training needs (PyTorch, DeepSpeed: about 6 GB on disk, once) by "
        "`make setup-train`",
        style="bold",
    )
    made = subprocess.run(
        ("make", "--no-print-directory", "setup-train"),
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        last = (made.stdout.strip().splitlines() or ["no word why"])[-1]
        raise FailedPrecondition(f"`make setup-train` failed ({last}): run it by hand")
