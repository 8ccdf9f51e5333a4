"""Verb `export`: what was learned becomes a version's files, with a card, in the store."""

from gyre_trainer.language_models.export import export_candidate
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `export_candidate` does."""
    config = GeneratorDpoConfig.from_settings(folder.spec().settings)
    await export_candidate(folder, settings, config)
