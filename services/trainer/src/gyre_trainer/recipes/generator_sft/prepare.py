"""Verb `prepare`: freezes what people wrote and liked, with the prompts as they were."""

from functools import partial

from gyre_trainer.data_sets.answer_freezing import freeze_answers
from gyre_trainer.language_models.prepare import Teacher, prepare_samples
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `prepare_samples` does."""
    config = GeneratorSftConfig.from_settings(folder.spec().settings)
    freeze = partial(freeze_answers, teacher_weight=config.teacher_weight)
    teacher = Teacher(config.teacher, config.teacher_questions) if config.teacher else None
    await prepare_samples(folder, settings, config, freeze, teacher)
