"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping

from pydantic import Field

from gyre_trainer.language_models.config import LanguageModelConfig


class GeneratorSftConfig(LanguageModelConfig):
    """`liked_weight` is what a liked answer counts beside one that somebody wrote."""

    liked_weight: float = Field(default=0.5, ge=0, le=1)


def variants_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What a run with these settings trains."""
    return GeneratorSftConfig.from_settings(settings).variants()
