"""The verbs of a run in their order, each a child process and the file that marks it done."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from gyre_trainer.recipes.recipe import Recipe
from gyre_trainer.runs.folder import RunFolder

PREPARE, TRAIN, EXPORT, COMPARE = "prepare", "train", "export", "compare"
WAITING = "waiting"
"""The stage before the first verb, while another run has the machine."""


@dataclass(frozen=True)
class Verb:
    """One child process of a run. `mark` is the file that it writes last."""

    name: str
    mark: Path
    command: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether it need not run (again)."""
        return self.mark.exists()


def verbs_of(recipe: Recipe, folder: RunFolder, *, workers: int) -> list[Verb]:
    """Each variant is trained by a process of its own; the export chooses one."""

    def verb(name: str, mark: Path, *more: str, label: str = "") -> Verb:
        program = (sys.executable, "-m", "gyre_trainer.recipes.verbs", name)
        recipe_and_run = ("--recipe", recipe.package, "--run", str(folder.path))
        parent = ("--parent", str(os.getpid()))
        return Verb(label or name, mark, (*program, *recipe_and_run, *parent, *more))

    launch = ("--deepspeed", str(workers)) if recipe.deepspeed else ()
    trainings = [
        verb(
            TRAIN,
            folder.variant(variant) / "result.json",
            *("--variant", variant, *launch),
            label=f"{TRAIN} {variant}",
        )
        for variant in recipe.variants
    ]
    return [
        verb(PREPARE, folder.prepared_file),
        *trainings,
        verb(EXPORT, folder.candidate_file),
        verb(COMPARE, folder.verdict_file),
    ]
