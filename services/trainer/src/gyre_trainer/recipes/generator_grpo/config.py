"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping
from typing import Self

from gyre_common.errors import InvalidInput
from pydantic import Field, field_validator

from gyre_trainer.language_models.config import PreferenceConfig, Variant

REWARD = "reward"
"""The setting that names the version of the judge that rewards answers."""


class GeneratorGrpoConfig(PreferenceConfig):
    """A step has `batch` questions, to each of which `group` answers of at most `completion_tokens`
    are written. `beta` is how dear it is to leave what it starts from, as in Shao et al. 2024,
    arXiv:2402.03300, section 4.2; `clip_range` is theirs too, and holds where an answer's
    probability has moved since it was written. The learning rate is that of `dpo`. An answer is
    written token by token, each of which would gather all weights under ZeRO 3: there is none.
    """

    reward: str = Field(min_length=1)
    group: int = Field(default=4, ge=2, le=64)
    completion_tokens: int = Field(default=64, ge=1, le=4096)
    beta: float = Field(default=0.04, ge=0, le=10)
    clip_range: float = Field(default=0.2, gt=0, lt=1)
    low_rank_learning_rate: float = Field(default=5e-5, gt=0)
    epochs: int = Field(default=1, ge=1, le=1000)
    zero_stage: int = Field(default=0, ge=0, le=2)

    @field_validator("variant")
    @classmethod
    def _is_small(cls, variant: Variant) -> Variant:
        if variant is not Variant.LOW_RANK:
            raise ValueError(
                "what it starts from is kept beside it, so only low-rank is small enough"
            )
        return variant

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Raises InvalidInput for a setting that is missing, unknown or out of range."""
        if not settings.get(REWARD):
            raise InvalidInput(
                f"setting {REWARD}",
                "is missing",
                f"name a version of the judge that gives rewards by `--set {REWARD}=VERSION` "
                "(`gyre releases judge`)",
            )
        return super().from_settings(settings)
