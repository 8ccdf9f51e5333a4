"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping

from gyre_trainer.language_models.config import LanguageModelConfig


class GeneratorSftConfig(LanguageModelConfig):
    """It adds none of its own."""


def variants_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What a run with these settings trains."""
    return GeneratorSftConfig.from_settings(settings).variants()
