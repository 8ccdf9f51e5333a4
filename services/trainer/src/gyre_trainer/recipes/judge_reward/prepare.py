"""Verb `prepare`: freezes pairs of answers, of which people preferred one, with what was read."""

from functools import partial

from gyre_common import reward_input
from gyre_common.model_folders import ModelFolders
from gyre_common.store import Shelf, Store

from gyre_trainer.data_sets.answer_joining import Wanted
from gyre_trainer.data_sets.answers import AnswersKind, answer_texts
from gyre_trainer.data_sets.preference_freezing import freeze_preferences
from gyre_trainer.data_sets.question_context import render_for_judge
from gyre_trainer.language_models.inputs import LanguageModelRunFiles, write_samples
from gyre_trainer.language_models.prepare import (
    freeze_and_store,
    mark_prepared,
    sample_of,
    trainable_base,
    write_inputs,
)
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import PREPARE
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.settings import TrainerSettings


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """`prepared.json` is last. Raises FailedPrecondition: too few pairs, or a base that cannot be
    trained; Retryable: the store is away.
    """
    spec, files = folder.spec(), LanguageModelRunFiles(folder)
    config = JudgeRewardConfig.from_settings(spec.settings)
    base = trainable_base(spec)
    folder.progress(PREPARE, message="checking the base model")
    models = ModelFolders(Store(settings.store_url), settings.model_cache)
    base_folder = await retry_while_away(lambda: models.folder(base), seconds=STORE_SECONDS)
    segments = Segments(Shelf(settings.store_url, FOLDER))
    frozen = await freeze_and_store(
        folder,
        segments,
        settings,
        partial(freeze_preferences, kind=AnswersKind.COMPARISONS),
        wanted=Wanted(reward_input.PROMPT, config.longest, restricted=config.restricted),
        liked_weight=1.0,
    )
    folder.progress(PREPARE, message="writing the pairs")
    texts = await retry_while_away(
        lambda: answer_texts(frozen, segments, render_for_judge), seconds=STORE_SECONDS
    )
    write_samples(files.samples, [sample_of(row, each) for row, each in texts])
    write_inputs(files, frozen, base=base, base_folder=base_folder, prompt=reward_input.PROMPT)
    mark_prepared(folder, frozen)
