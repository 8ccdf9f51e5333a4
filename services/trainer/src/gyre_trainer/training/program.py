"""The verb `train` of a recipe as a program of its own: options, stop signal, exit status."""

import argparse
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from gyre_common.errors import GyreError

from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.workers import Workers, end_with_launcher, stop_signal

_STOPPED = 143  # as a shell tells SIGTERM

V = TypeVar("V", bound=StrEnum)
Train = Callable[[RunFolder, V, Callable[[], bool]], None]
"""Trains a variant in a run's folder until it is done, or somebody wants it to stop."""


class Stopped(GyreError):
    """Somebody asked the training to end before it was done."""


def run_training(train: Train[V], variants: type[V]) -> None:
    """Read `--run FOLDER --variant VARIANT` and train. A failure is one line, `error: …`, and exit
    status 1.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--variant", type=variants, choices=tuple(variants), required=True)
    options = parser.parse_args()
    stop = stop_signal()
    end_with_launcher()
    try:
        train(RunFolder(options.run), options.variant, stop)
        Workers.leave()
    except GyreError as error:
        if isinstance(error, Stopped):
            Workers.leave()
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"error: {failure_line(error, options.run.absolute().name)}\n")
        sys.exit(_STOPPED if isinstance(error, Stopped) else 1)
