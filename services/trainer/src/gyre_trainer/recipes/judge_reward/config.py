"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping

from pydantic import Field

from gyre_trainer.language_models.config import LanguageModelConfig


class JudgeRewardConfig(LanguageModelConfig):
    """`label_smoothing` is the probability that a pair is the wrong way round, for all pairs alike,
    which then count by the trust in them; without it each pair has its own, by that trust, and all
    count alike. `centering` is how dear it is for the rewards of a pair not to sum to 0.
    """

    label_smoothing: float | None = Field(default=None, ge=0, lt=0.5)
    centering: float = Field(default=0.01, ge=0, le=10)
    margin: float = Field(default=5.0, ge=0, le=100)
    low_rank_learning_rate: float = Field(default=2e-4, gt=0)
    learning_rate: float = Field(default=1e-5, gt=0)

    def wrong_and_weight(self, trust: float) -> tuple[float, float]:
        """Of a pair on which so much trust rests, from 0 to 1: how likely it is the wrong way
        round, and what it counts. Trust is twice the probability that it is right, less one.
        """
        if self.label_smoothing is None:
            return (1 - trust) / 2, 1.0
        return self.label_smoothing, trust


def variants_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What a run with these settings trains."""
    return JudgeRewardConfig.from_settings(settings).variants()
