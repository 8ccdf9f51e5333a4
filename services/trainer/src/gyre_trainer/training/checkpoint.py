"""Keeps a training on disk so that it can go on from any of its steps, bit for bit."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from deepspeed import DeepSpeedEngine
from gyre_common.errors import FailedPrecondition, Retryable

from gyre_trainer.training.position import Position
from gyre_trainer.training.workers import Workers

_KEEP_LAST = 2
_PARTIAL = ".partial-"
_STEP = "step-"


class Checkpoints:
    """The last two checkpoints of a variant. One that is there is whole.

    `belongs_to` says what they are of (settings, data); one of something else is refused.
    """

    def __init__(
        self,
        folder: Path,
        engine: DeepSpeedEngine,
        workers: Workers,
        belongs_to: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._workers = workers
        self._belongs_to = dict(belongs_to) | {"processes": str(workers.count)}

    def save(self, position: Position) -> None:
        """Keep weights, optimiser, random state and position; forget the one before the last.

        Raises:
            Retryable: the disk is full or read-only; the checkpoint before this one stands.
        """
        partial = f"{_PARTIAL}{position.step:08d}"
        try:
            self._engine.save_checkpoint(
                str(self._folder),
                tag=partial,
                client_state={"position": asdict(position), "belongs_to": self._belongs_to},
                save_latest=False,
                exclude_frozen_parameters=True,
            )
            torch.save(_random_state(), self._folder / partial / self._random_file())
            self._workers.wait()
            if self._workers.first:
                self._finish(partial, position.step)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(self._folder / partial, ignore_errors=True)
            raise Retryable(
                f"cannot write a checkpoint to {self._folder}: {_cause(error)} — "
                "make room and start the run again, it goes on from the last one"
            ) from error
        self._workers.wait()

    def resume(self) -> Position:
        """Go back to the last one; the beginning where there is none.

        Raises:
            FailedPrecondition: it is of other settings or data, or is damaged.
        """
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
            random = torch.load(saved[-1] / self._random_file(), weights_only=False)
        except (OSError, RuntimeError, EOFError, KeyError) as error:
            raise FailedPrecondition(
                f"checkpoint {saved[-1]} cannot be read: {_cause(error)} — remove it to go on from "
                "the one before"
            ) from error
        self._check(state["belongs_to"], saved[-1])
        _restore(random)
        return Position(**state["position"])

    def _check(self, stored: Mapping[str, str], path: Path) -> None:
        for name, value in self._belongs_to.items():
            if stored.get(name) != value:
                raise FailedPrecondition(
                    f"checkpoint {path} was made with other {name}: remove {self._folder} to "
                    "begin again"
                )

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

    def _random_file(self) -> str:
        return f"random-{self._workers.rank}.pt"


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_STEP}*"))


def _random_state() -> dict[str, Any]:
    device = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), "device": device}


def _restore(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    for each in state["device"]:
        torch.cuda.set_rng_state(each)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cause(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
