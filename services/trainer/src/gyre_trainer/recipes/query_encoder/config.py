"""Every number of the recipe in one object: printed at the start, kept with the model."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from gyre_common.errors import InvalidInput
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class Variant(StrEnum):
    """`low-rank`: a small update of each matrix (Hu et al. 2021, arXiv:2106.09685)."""

    FULL = "full"
    LOW_RANK = "low-rank"


class QueryEncoderConfig(BaseModel):
    """The recipe's settings; the defaults were chosen on splits of SciFact's train claims, with
    another corpus as guard. `python -m bench.recipe` compares others with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The network: how many of the upper layers learn; the rest stays as it is in the base.
    trained_layers: int = Field(default=6, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    longest_question: int = Field(default=64, ge=8, le=512)
    rank: int = Field(default=16, ge=1)
    rank_scale: float = Field(default=2.0, gt=0)

    # Targets: what a question should find.
    temperature: float = Field(default=0.05, gt=0)
    robustness: float = Field(default=0.3, ge=0, le=1)
    bm25_weight: float = Field(default=0.1, ge=0, le=1)

    # Rehearsal: texts of the corpus itself, so many for each question, that must find their own
    # passage and keep finding what they find today.
    rehearsal: float = Field(default=1.0, ge=0, le=8)
    rehearsal_weight: float = Field(default=1.0, ge=0)
    rehearsal_own_share: float = Field(default=0.5, ge=0, le=1)
    rehearsal_temperature: float = Field(default=0.05, gt=0)

    # The optimiser: Loshchilov and Hutter 2019, arXiv:1711.05101.
    epochs: int = Field(default=8, ge=1, le=1000)
    batch: int = Field(default=32, ge=1, le=4096)
    accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    low_rank_learning_rate: float = Field(default=1e-3, gt=0)
    warm_up: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)

    # The choice: shares of the way from the base (0) to the tuned weights (1).
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)

    # The run.
    seed: int = Field(default=0, ge=0, lt=2**32)
    zero_stage: int = Field(default=0, ge=0, le=2)
    checkpoint_every: int = Field(default=25, ge=1)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Lists are separated by commas. Raises InvalidInput for one unknown or out of range."""
        values: dict[str, object] = dict(settings)
        if "shares" in settings:
            values["shares"] = settings["shares"].split(",")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "settings"
            if first["type"] == "extra_forbidden":
                names = ", ".join(cls.model_fields)
                raise InvalidInput(f"setting {name}", "is unknown", f"use {names}") from error
            problem = f"cannot be that ({first['msg'].removeprefix('Value error, ')})"
            raise InvalidInput(f"setting {name}", problem, "give another value") from error

    @model_validator(mode="after")
    def _shares_of_the_way(self) -> Self:
        if not self.shares or not all(0 <= share <= 1 for share in self.shares):
            raise ValueError("shares lie between 0 and 1")
        if self.batch % self.accumulation:
            raise ValueError("accumulation divides the batch")
        return self

    def highest_rate(self, variant: Variant) -> float:
        """The learning rate after the warm-up."""
        return self.low_rank_learning_rate if variant is Variant.LOW_RANK else self.learning_rate

    def rate_at(self, step: int, steps: int, variant: Variant) -> float:
        """The learning rate of a step (from 0): up in a straight line, then down to nearly 0."""
        warm = self.warm_up * steps
        share = min((step + 1) / max(warm, 1), (steps - step) / max(steps - warm, 1))
        return self.highest_rate(variant) * min(1.0, share)
