"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from gyre_common.errors import InvalidInput
from pydantic import Field

from gyre_trainer.language_models.config import AnswersConfig, Variant


class SoftPromptVariant(StrEnum):
    """The one that there is."""

    SOFT_PROMPT = "soft-prompt"


class GeneratorSoftPromptConfig(AnswersConfig):
    """`virtual_tokens` vectors are learned; they begin as the embeddings of `initial_text`, over
    and over (Lester et al. 2021, arXiv:2104.08691, section 3.2, begin with words as well). The
    learning rate is that of PEFT's examples of prompt tuning. All "not answered here" together
    weigh at most `declined_share` of what is learned (`language_models/declining.py`).
    """

    virtual_tokens: int = Field(default=8, ge=1, le=256)
    initial_text: str = Field(default="Answer from the passages, in few words.", min_length=1)
    learning_rate: float = Field(default=3e-2, gt=0)
    declined_share: float = Field(default=0.15, ge=0, lt=1)

    # What recipes that train weights have; neither set nor kept here.
    variant: Variant = Field(default=Variant.LOW_RANK, exclude=True, repr=False)
    rank: int = Field(default=16, exclude=True, repr=False)
    rank_scale: float = Field(default=2.0, exclude=True, repr=False)
    dropout: float = Field(default=0.0, exclude=True, repr=False)
    low_rank_learning_rate: float = Field(default=5e-4, exclude=True, repr=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Raises InvalidInput for a setting that is unknown, out of range, or of no use here."""
        for name, field in cls.model_fields.items():
            if field.exclude and name in settings:
                raise InvalidInput(
                    f"setting {name}", "is for recipes that train weights", "leave it out"
                )
        return super().from_settings(settings)
