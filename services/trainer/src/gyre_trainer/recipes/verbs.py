"""A verb as a process: its result is there once it is whole, so that one killed is run again."""

import argparse
import asyncio
import logging
import sys
from importlib import import_module
from pathlib import Path

from gyre_common.errors import GyreError
from gyre_common.settings import load_settings

from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import COMPARE, EXPORT, PREPARE, TRAIN
from gyre_trainer.settings import TrainerSettings
from gyre_trainer.training.launching import (
    die_with_parent,
    lower_priority,
    run_in_group,
    training_command,
    training_environment,
)


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
    if options.verb == TRAIN:
        folder.temporary.mkdir(parents=True, exist_ok=True)
        command = training_command(module, folder.path, options.variant, workers=options.deepspeed)
        environment = training_environment(options.deepspeed or 1)
        return run_in_group(command, {**environment, "TMPDIR": str(folder.temporary)})
    try:
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


if __name__ == "__main__":
    sys.exit(main())
