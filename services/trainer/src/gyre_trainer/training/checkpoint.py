"""Keeps a training on disk so that it can go on from any of its steps, bit for bit."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from deepspeed import DeepSpeedEngine
from gyre_common.errors import FailedPrecondition, Retryable

from gyre_trainer.training.workers import StepReport, Workers

LONGEST_SECONDS = 120.0
"""CPU-seconds of a process that an end at any moment may cost, whatever the number of steps."""

_KEEP_LAST = 2
_PARTIAL = ".partial-"
_STEP = "step-"


@dataclass
class Position:
    """Where a training stands: steps done, what they cost, the loss of each."""

    step: int = 0
    tokens: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    def add(self, report: StepReport, seconds: float) -> None:
        """One more step is done."""
        self.step += 1
        self.tokens += report.tokens
        self.cpu_seconds += report.cpu_seconds
        self.seconds += seconds
        self.losses.append(report.loss)


class Checkpoints:
    """The last two of a variant, each whole; `belongs_to` names the settings and data."""

    def __init__(
        self, folder: Path, engine: DeepSpeedEngine, workers: Workers, belongs_to: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._workers = workers
        self._belongs_to = dict(belongs_to) | {"processes": str(workers.count)}
        self._random_file = f"random-{workers.rank}.pt"
        self._saved_cpu_seconds = 0.0

    def is_due(self, position: Position, *, every: int) -> bool:
        """Whether it is time to save: every so many steps, or where steps are long. All processes
        agree, as CPU-seconds are those of them together.
        """
        spent = position.cpu_seconds - self._saved_cpu_seconds
        return position.step % every == 0 or spent >= LONGEST_SECONDS * self._workers.count

    def save(self, position: Position) -> None:
        """Raises Retryable when the disk is full or read-only; then the one before this stands."""
        partial = f"{_PARTIAL}{position.step:08d}"
        try:
            self._engine.save_checkpoint(
                str(self._folder),
                tag=partial,
                client_state={"position": asdict(position), "belongs_to": self._belongs_to},
                save_latest=False,
                exclude_frozen_parameters=True,
            )
            device = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
            random = {"torch": torch.get_rng_state(), "device": device}
            torch.save(random, self._folder / partial / self._random_file)
            self._workers.wait()
            if self._workers.first:
                self._finish(partial, position.step)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(self._folder / partial, ignore_errors=True)
            raise Retryable(
                f"cannot write a checkpoint to {self._folder}: {_cause(error)} — "
                "make room and start the run again, it goes on from the last one"
            ) from error
        self._saved_cpu_seconds = position.cpu_seconds
        self._workers.wait()

    def resume(self) -> Position:
        """The last, or the beginning. Raises FailedPrecondition: damaged or of other settings."""
        if self._workers.first and self._folder.is_dir():
            for partial in self._folder.glob(f"{_PARTIAL}*"):
                shutil.rmtree(partial, ignore_errors=True)
        self._workers.wait()
        saved = _steps(self._folder)
        if not saved:
            return Position()
        try:
            _, state = self._engine.load_checkpoint(
                str(self._folder), tag=saved[-1].name, load_module_strict=False
            )
            random = torch.load(saved[-1] / self._random_file, weights_only=False)
        except (OSError, RuntimeError, EOFError, KeyError) as error:
            raise FailedPrecondition(
                f"checkpoint {saved[-1]} cannot be read: {_cause(error)} — remove it to go on from "
                "the one before"
            ) from error
        for name, value in self._belongs_to.items():
            if state["belongs_to"].get(name) != value:
                raise FailedPrecondition(
                    f"checkpoint {saved[-1]} was made with other {name}: remove {self._folder} to "
                    "begin again"
                )
        torch.set_rng_state(random["torch"])
        for each in random["device"]:
            torch.cuda.set_rng_state(each)
        position = Position(**state["position"])
        self._saved_cpu_seconds = position.cpu_seconds
        return position

    def _finish(self, partial: str, step: int) -> None:
        folder = self._folder / partial
        for path in folder.iterdir():
            _sync(path)
        _sync(folder)
        final = self._folder / f"{_STEP}{step:08d}"
        if final.exists():
            shutil.rmtree(final)
        folder.rename(final)
        _sync(self._folder)
        for old in _steps(self._folder)[:-_KEEP_LAST]:
            shutil.rmtree(old, ignore_errors=True)


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_STEP}*"))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cause(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
