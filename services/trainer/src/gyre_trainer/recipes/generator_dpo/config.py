"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping

from pydantic import Field

from gyre_trainer.language_models.config import PreferenceConfig


class GeneratorDpoConfig(PreferenceConfig):
    """`beta` is how dear it is to leave the reference. `label_smoothing` is the probability that a
    pair is the wrong way round, for all pairs alike, which then count by the trust in them; without
    it each pair has its own, by that trust, and all count alike.

    Learning rates are a tenth and a twentieth of those of `sft`: DPO moves far on few pairs. The
    full one is the highest that the paper's authors use, the low-rank one what is common.
    """

    beta: float = Field(default=0.1, gt=0, le=10)
    label_smoothing: float | None = Field(default=None, ge=0, lt=0.5)
    low_rank_learning_rate: float = Field(default=5e-5, gt=0)
    learning_rate: float = Field(default=1e-6, gt=0)

    def wrong_and_weight(self, trust: float) -> tuple[float, float]:
        """Of a pair on which so much trust rests, from 0 to 1: how likely it is the wrong way
        round, and what it counts. Trust is twice the probability that it is right, less one, so
        that without smoothing of its own the gradient begins as the trust says.
        """
        if self.label_smoothing is None:
            return (1 - trust) / 2, 1.0
        return self.label_smoothing, trust


def variants_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What a run with these settings trains."""
    return GeneratorDpoConfig.from_settings(settings).variants()
