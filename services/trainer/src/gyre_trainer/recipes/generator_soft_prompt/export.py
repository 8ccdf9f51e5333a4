"""Verb `export`: the base with the soft prompt in it becomes a version's files, in the store."""

from pathlib import Path

from gyre_trainer.language_models.export import WeightsForm, export_candidate
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.recipes.generator_soft_prompt.config import (
    GeneratorSoftPromptConfig,
    SoftPromptVariant,
)
from gyre_trainer.recipes.generator_soft_prompt.serving import write_with
from gyre_trainer.recipes.generator_soft_prompt.soft_prompt import SoftPrompt
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `export_candidate` does."""
    config = GeneratorSoftPromptConfig.from_settings(folder.spec().settings)
    await export_candidate(folder, settings, config, WITH_SOFT_PROMPT)


def _fill(data: RunData, learned: Path, into: Path) -> None:
    write_with(SoftPrompt.load(learned), data.base_folder, into)


WITH_SOFT_PROMPT = WeightsForm(SoftPromptVariant.SOFT_PROMPT, _fill)
"""A whole model."""
