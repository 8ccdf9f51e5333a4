"""Verb `export`: what was learned becomes a version's files, with a card, in the store."""

from dataclasses import replace

from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.export import FORMS, export_candidate
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `export_candidate` does."""
    config = GeneratorGrpoConfig.from_settings(folder.spec().settings)
    await export_candidate(folder, settings, config, FROM_REWARDS)


FROM_REWARDS = replace(
    FORMS[Variant.LOW_RANK],
    learned_from=("rewards of answers that it wrote itself", "questions, of minus the mean reward"),
)
"""An adapter."""
