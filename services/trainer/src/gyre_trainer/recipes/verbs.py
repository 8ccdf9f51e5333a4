"""A verb as a process: its result is there once it is whole, so that one killed is run again."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

from gyre_common.errors import FailedPrecondition, GyreError
from gyre_common.settings import load_settings

from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import COMPARE, EXPORT, PREPARE, TRAIN
from gyre_trainer.settings import TrainerSettings, TrainingLauncher
from gyre_trainer.training.launching import (
    Nodes,
    die_with_parent,
    environment_of_nodes,
    lower_priority,
    run_in_group,
    training_command,
    training_environment,
)
from gyre_trainer.training.orders import ordered, read_failure

_LOOK_SECONDS = 0.5


def main() -> int:
    """Run one verb; a failure that Gyre knows is one line on stderr, `error: what: what to do`."""
    parser = argparse.ArgumentParser(prog="python -m gyre_trainer.recipes.verbs")
    parser.add_argument("verb", choices=(PREPARE, TRAIN, EXPORT, COMPARE))
    parser.add_argument("--recipe", required=True, help="the recipe's package")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--variant", default="", help="of `train`: which way of training")
    parser.add_argument("--deepspeed", type=int, default=0, help="of `train`: so many workers")
    parser.add_argument("--parent", type=int, default=0, help="end when this process is gone")
    options = parser.parse_args()
    lower_priority()
    die_with_parent(options.parent)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    folder = RunFolder(options.run.absolute())
    module = f"{options.recipe}.{options.verb}"
    try:
        if options.verb == TRAIN:
            return _train(folder, module, options.variant, workers=options.deepspeed)
        verb = getattr(import_module(module), options.verb)
        asyncio.run(verb(folder, load_settings(TrainerSettings)))
    except (GyreError, ExceptionGroup) as error:
        cause: Exception = error
        while isinstance(cause, ExceptionGroup):  # a task group wraps even a single failure
            cause = cause.exceptions[0]
        if not isinstance(cause, GyreError):
            raise
        sys.stderr.write(f"error: {failure_line(cause, folder.path.name)}\n")
        return 1
    return 0


def _train(folder: RunFolder, module: str, variant: str, *, workers: int) -> int:
    """On this machine, or on the nodes that the settings name. Returns the exit status."""
    settings = load_settings(TrainerSettings)
    folder.temporary.mkdir(parents=True, exist_ok=True)
    if workers and settings.training_launcher is TrainingLauncher.NONE:
        return _wait_for_nodes(folder, module, variant)
    if workers and settings.training_hostfile:
        if shutil.which("pdsh") is None:
            raise FailedPrecondition(
                "pdsh is not installed, which starts workers on the nodes of "
                "GYRE_TRAINING_HOSTFILE: install it, or have each node start its own "
                f"(GYRE_TRAINING_LAUNCHER={TrainingLauncher.NONE})"
            )
        with ordered(folder, module, variant) as order:
            nodes = Nodes(settings.training_hostfile.absolute())
            command = training_command(module, folder.path, variant, nodes=nodes, order=order.token)
            return run_in_group(command, environment_of_nodes(folder.temporary / "environment"))
    command = training_command(module, folder.path, variant, workers=workers)
    environment = training_environment(workers or 1)
    return run_in_group(command, {**environment, "TMPDIR": str(folder.temporary)})


def _wait_for_nodes(folder: RunFolder, module: str, variant: str) -> int:
    """Until they are done, or cannot train it. Returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    mark = folder.variant(variant) / "result.json"
    folder.progress(variant, message="waits for nodes that train it")
    with ordered(folder, module, variant) as order:
        while not mark.exists():
            if line := read_failure(folder, order.token):
                sys.stderr.write(f"error: {line}\n")
                return 1
            time.sleep(_LOOK_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
