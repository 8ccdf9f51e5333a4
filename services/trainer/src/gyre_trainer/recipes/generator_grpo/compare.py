"""Verb `compare`: lets live and the candidate answer the held-out questions; writes the verdict."""

from gyre_trainer.language_models.compare import compare_answers
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `compare_answers` does."""
    config = GeneratorGrpoConfig.from_settings(folder.spec().settings)
    await compare_answers(folder, settings, config)
