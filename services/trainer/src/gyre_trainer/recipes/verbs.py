"""A verb of a recipe as a process: `python -m gyre_trainer.recipes.verbs VERB --recipe PACKAGE …`.

A verb reads and writes files in the run's folder, and its result appears there only once it is
whole; so one that was killed is simply run again.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from gyre_common.errors import GyreError
from gyre_common.settings import load_settings

from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import COMPARE, EXPORT, PREPARE, TRAIN
from gyre_trainer.settings import TrainerSettings
from gyre_trainer.training.launching import plain_command, training_command, training_environment
from gyre_trainer.training.process_group import die_with_parent, lower_priority, run_in_group

EXIT_OK, EXIT_FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; a failure that Gyre knows is one line on stderr, `error: what: what to do`."""
    options = _parser().parse_args(arguments)
    lower_priority()
    die_with_parent(options.parent)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    folder = RunFolder(options.run.absolute())
    if options.verb == TRAIN:
        return _train(folder, options)
    try:
        verb = getattr(import_module(f"{options.recipe}.{options.verb}"), options.verb)
        asyncio.run(verb(folder, load_settings(TrainerSettings)))
    except (GyreError, ExceptionGroup) as error:
        cause = _only_cause(error)
        if not isinstance(cause, GyreError):
            raise
        sys.stderr.write(f"error: {failure_line(cause, folder.path.name)}\n")
        return EXIT_FAILED
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gyre_trainer.recipes.verbs")
    parser.add_argument("verb", choices=(PREPARE, TRAIN, EXPORT, COMPARE))
    parser.add_argument("--recipe", required=True, help="the recipe's package")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--variant", default="", help="of `train`: which way of training")
    parser.add_argument("--deepspeed", type=int, default=0, help="of `train`: so many workers")
    parser.add_argument("--parent", type=int, default=0, help="end when this process is gone")
    return parser


def _train(folder: RunFolder, options: argparse.Namespace) -> int:
    """DeepSpeed's launcher starts processes of its own; all of them share this one's group."""
    module = f"{options.recipe}.{TRAIN}"
    folder.temporary.mkdir(parents=True, exist_ok=True)
    command = plain_command(module, folder.path, options.variant)
    environment = training_environment(1)
    if options.deepspeed:
        command = training_command(module, folder.path, options.variant, workers=options.deepspeed)
        environment = training_environment(options.deepspeed)
    return run_in_group(command, {**environment, "TMPDIR": str(folder.temporary)})


def _only_cause(error: Exception) -> Exception:
    # A task group wraps even a single failure.
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
