"""Verb `prepare`: freezes what people wrote and liked, and brings the reward model."""

from gyre_common.model_folders import ModelFolders
from gyre_common.store import Store

from gyre_trainer.data_sets.answer_freezing import freeze_answers
from gyre_trainer.language_models.inputs import folder_digest
from gyre_trainer.language_models.prepare import prepare_samples
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.recipes.generator_grpo.reward_model import (
    RewardFiles,
    reward_file,
    reward_version,
)
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.runs.verbs import PREPARE
from gyre_trainer.settings import TrainerSettings


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `reward_version` and `prepare_samples` do."""
    spec = folder.spec()
    config = GeneratorGrpoConfig.from_settings(spec.settings)
    reward = reward_version(spec)
    folder.progress(PREPARE, message="checking the reward model")
    models = ModelFolders(Store(settings.store_url), settings.model_cache)
    path = await retry_while_away(lambda: models.folder(reward), seconds=STORE_SECONDS)
    files = RewardFiles(version=reward.version, folder=str(path), digest=folder_digest(path))
    write_json(reward_file(folder), files)
    await prepare_samples(folder, settings, config, freeze_answers)
