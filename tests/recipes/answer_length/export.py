"""Verb `export`: live's settings with the number that was learned."""

import json

from gyre_common.releases.builtin import digest_of_settings
from gyre_trainer.runs.folder import ExportedCandidate, RunFolder, write_json
from gyre_trainer.settings import TrainerSettings

from tests.recipes.answer_length import WORDS
from tests.recipes.answer_length.pausing import pause


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """A version that is settings alone."""
    spec = folder.spec()
    words = json.loads((folder.variant("only") / "result.json").read_text())["words"]
    learned = {**spec.live[spec.role].settings, WORDS: str(round(words))}
    pause(folder, "export")
    write_json(
        folder.candidate_file,
        ExportedCandidate(
            version=spec.version, digest=digest_of_settings(learned), settings=learned
        ),
    )
