"""Verb `prepare`: freezes what people liked or wrote, and what they disliked or corrected."""

from functools import partial

from gyre_trainer.data_sets.answers import AnswersKind
from gyre_trainer.data_sets.preference_freezing import freeze_preferences
from gyre_trainer.language_models.prepare import prepare_samples
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `prepare_samples` does."""
    config = GeneratorKtoConfig.from_settings(folder.spec().settings)
    freeze = partial(freeze_preferences, kind=AnswersKind.LABELLED)
    await prepare_samples(folder, settings, config, freeze)
