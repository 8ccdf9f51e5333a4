"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping

from pydantic import Field

from gyre_trainer.language_models.config import PreferenceConfig


class GeneratorKtoConfig(PreferenceConfig):
    """`beta` is how dear it is to leave the reference. `desirable_weight` and `undesirable_weight`
    are λ_D and λ_U of the paper (arXiv:2402.01306, section 4.2), which wants λ_D n_D / (λ_U n_U)
    between 1 and 4/3: where they are not set, that is 1, and the one of the more frequent kind is
    1 too. A batch has two samples at least, as the others' answers say how far the model has moved.
    """

    beta: float = Field(default=0.1, gt=0, le=10)
    desirable_weight: float | None = Field(default=None, gt=0, le=1000)
    undesirable_weight: float | None = Field(default=None, gt=0, le=1000)
    batch: int = Field(default=8, ge=2, le=4096)
    low_rank_learning_rate: float = Field(default=5e-5, gt=0)
    learning_rate: float = Field(default=1e-6, gt=0)

    def lambdas(self, desirable: float, undesirable: float) -> tuple[float, float]:
        """λ_D and λ_U, where the answers of either kind have so much weight together."""
        most = max(desirable, undesirable)
        balanced = [most / each if each else 1.0 for each in (desirable, undesirable)]
        given = (self.desirable_weight, self.undesirable_weight)
        first, second = (
            own if setting is None else setting
            for setting, own in zip(given, balanced, strict=True)
        )
        return first, second


def variants_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """What a run with these settings trains."""
    return GeneratorKtoConfig.from_settings(settings).variants()
