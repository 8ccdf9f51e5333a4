"""The verb `train` of a recipe as a program of its own: options, stop signal, exit status."""

import argparse
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from gyre_common.errors import GyreError

from gyre_trainer.runs.failures import AWAY, failure_line
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.orders import NotShared, check_shared, has_lapsed, tell_failure
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
    parser.add_argument("--order", default="", help="of several nodes: the token of what to obey")
    options = parser.parse_args()
    stop = stop_signal()
    end_with_launcher()
    folder, first = RunFolder(options.run.absolute()), os.environ.get("RANK", "0") == "0"
    try:
        if options.order:
            stop = _obeying(folder, options.order, stop, first=first)
        if first:
            folder.progress(options.variant, message="reading the model, and measuring it as it is")
        train(folder, options.variant, stop)
        Workers.leave()
    except GyreError as error:
        if isinstance(error, Stopped):
            Workers.leave()
        line = failure_line(error, folder.path.name)
        if first or isinstance(error, NotShared):
            sys.stderr.write(f"error: {line}\n")
        if first and options.order and not isinstance(error, (Stopped, *AWAY)):
            tell_failure(folder, options.order, line)
        sys.exit(_STOPPED if isinstance(error, Stopped) else 1)


def _obeying(
    folder: RunFolder, token: str, stop: Callable[[], bool], *, first: bool
) -> Callable[[], bool]:
    """Stops for the order's end as well, which the first process looks for. Raises NotShared."""
    check_shared(folder, token)
    if not first:
        return stop
    lapsed = has_lapsed(folder, token)
    return lambda: stop() or lapsed()
