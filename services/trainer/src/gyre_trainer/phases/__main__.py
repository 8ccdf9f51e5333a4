"""The edge of a phase's process: arguments in, exit status and one clear line out."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gyre_common.errors import GyreError
from gyre_common.settings import load_settings

from gyre_trainer.launching import training_command, training_environment
from gyre_trainer.phases.export import export
from gyre_trainer.phases.gate import gate
from gyre_trainer.phases.lifeline import be_modest_and_mortal, keep
from gyre_trainer.phases.prepare import prepare
from gyre_trainer.runs.failures import told
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings

EXIT_OK, EXIT_FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one phase; a failure that Gyre knows is one line on stderr, `error: what: what to do`."""
    given = _parser().parse_args(arguments)
    be_modest_and_mortal(given.parent)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    folder = RunFolder(given.run.absolute())
    try:
        return _PHASES[given.phase](folder, given)
    except (GyreError, ExceptionGroup) as error:
        cause = _only_cause(error)
        if not isinstance(cause, GyreError):
            raise
        sys.stderr.write(f"error: {told(cause, folder.path.name)}\n")
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gyre_trainer.phases")
    parser.add_argument("phase", choices=sorted(_PHASES))
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--variant", default="", help="of `train`: which way of training")
    parser.add_argument("--processes", type=int, default=1, help="of `train`: how many workers")
    parser.add_argument("--parent", type=int, default=0, help="end when this process is gone")
    return parser


def _prepare(folder: RunFolder, given: argparse.Namespace) -> int:
    asyncio.run(prepare(folder, load_settings(TrainerSettings)))
    return EXIT_OK


def _train(folder: RunFolder, given: argparse.Namespace) -> int:
    command = training_command(folder.path, given.variant, processes=given.processes)
    folder.temporary.mkdir(exist_ok=True)
    environment = training_environment(given.processes)
    return keep(command, {**environment, "TMPDIR": str(folder.temporary)})


def _export(folder: RunFolder, given: argparse.Namespace) -> int:
    asyncio.run(export(folder, load_settings(TrainerSettings)))
    return EXIT_OK


def _gate(folder: RunFolder, given: argparse.Namespace) -> int:
    asyncio.run(gate(folder, load_settings(TrainerSettings)))
    return EXIT_OK


_PHASES: dict[str, Callable[[RunFolder, argparse.Namespace], int]] = {
    "prepare": _prepare,
    "train": _train,
    "export": _export,
    "gate": _gate,
}


def _only_cause(error: Exception) -> Exception:
    # A task group wraps even a single failure.
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
