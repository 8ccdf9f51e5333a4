"""Lets a test stop a verb in its middle."""

import os
import time

from gyre_trainer.runs.folder import RunFolder

from tests.recipes.answer_length import Config


def pause(folder: RunFolder, verb: str) -> None:
    """Says that it is here, by its process id; where the run says so, waits to be let go."""
    (folder.path / f"in-{verb}").write_text(str(os.getpid()))
    if Config.from_settings(folder.spec().settings).pause_in == verb:
        while not (folder.path / "go").exists():
            time.sleep(0.01)
