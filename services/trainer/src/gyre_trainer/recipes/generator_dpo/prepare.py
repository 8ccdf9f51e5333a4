"""Verb `prepare`: freezes pairs of answers, of which people preferred one, with the prompts."""

from functools import partial

from gyre_trainer.data_sets.answers import AnswersKind
from gyre_trainer.data_sets.preference_freezing import freeze_preferences
from gyre_trainer.language_models.prepare import prepare_samples
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `prepare_samples` does."""
    config = GeneratorDpoConfig.from_settings(folder.spec().settings)
    freeze = partial(freeze_preferences, kind=AnswersKind.PAIRS)
    await prepare_samples(folder, settings, config, freeze)
