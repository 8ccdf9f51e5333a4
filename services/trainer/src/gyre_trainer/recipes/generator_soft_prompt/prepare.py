"""Verb `prepare`: freezes what people wrote and liked, with the prompts as they were."""

from gyre_trainer.data_sets.answer_freezing import freeze_answers
from gyre_trainer.language_models.prepare import prepare_samples
from gyre_trainer.recipes.generator_soft_prompt.config import GeneratorSoftPromptConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `prepare_samples` does."""
    config = GeneratorSoftPromptConfig.from_settings(folder.spec().settings)
    await prepare_samples(folder, settings, config, freeze_answers)
