"""Verb `compare`: the live generator answers held-out questions with either prompt; the verdict."""

from gyre_common.events.releases import Roles

from gyre_trainer.language_models.compare import Judging, compare_versions
from gyre_trainer.recipes.prompt_few_shot.config import FewShotConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `compare_versions` does."""
    spec = folder.spec()
    config = FewShotConfig.from_settings(spec.settings)
    generator = spec.live[Roles.GENERATOR].version
    prompts = {"live": spec.live[Roles.ANSWER_PROMPT].version, "candidate": spec.version}
    sides = {
        side: {Roles.GENERATOR.value: generator, Roles.ANSWER_PROMPT.value: prompt}
        for side, prompt in prompts.items()
    }
    await compare_versions(
        folder,
        settings,
        sides,
        Judging(
            answer_tokens=config.answer_tokens, margin=config.margin, stop_early=config.stop_early
        ),
    )
