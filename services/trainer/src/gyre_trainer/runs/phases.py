"""The phases of a run in their order, and the file that tells that each is done."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from gyre_trainer.recipes.recipe import Recipe
from gyre_trainer.runs.folder import RunFolder

PREPARE, TRAIN, EXPORT, GATE = "prepare", "train", "export", "gate"
WAITING = "waiting"
"""The stage before the first phase, while another run has the machine."""


@dataclass(frozen=True)
class Phase:
    """One process of a run. `mark` is the file that it writes last."""

    name: str
    mark: Path
    command: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether it need not run (again)."""
        return self.mark.exists()


def phases_of(recipe: Recipe, folder: RunFolder, *, processes: int) -> list[Phase]:
    """Each variant is trained by a process of its own; the export chooses one."""

    def phase(name: str, mark: Path, *more: str, label: str = "") -> Phase:
        program = (sys.executable, "-m", "gyre_trainer.phases", name)
        where = ("--run", str(folder.path), "--parent", str(os.getpid()))
        return Phase(label or name, mark, (*program, *where, *more))

    workers = ("--processes", str(processes))
    trainings = [
        phase(
            TRAIN,
            folder.variant(variant) / "result.json",
            *("--variant", variant, *workers),
            label=f"{TRAIN} {variant}",
        )
        for variant in recipe.variants
    ]
    return [
        phase(PREPARE, folder.prepared_file),
        *trainings,
        phase(EXPORT, folder.candidate_file),
        phase(GATE, folder.report),
    ]
