"""The settings that every training of a language model has, in one object."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from gyre_common.errors import InvalidInput
from gyre_common.events.releases import Artifact
from gyre_common.releases.builtin import LANGUAGE_MODEL_VERSION
from pydantic import BaseModel, ConfigDict, Field, ValidationError

OPENAI = "openai"
"""The back end of generator versions that are language models."""

BASE = "base"
"""The setting that names another version than live to start from."""

_CONTEXT_TOKENS = 1024


class Variant(StrEnum):
    """`low-rank`: a small update of each matrix (Hu et al. 2021, arXiv:2106.09685)."""

    LOW_RANK = "low-rank"
    FULL = "full"


class Precision(StrEnum):
    """What matrices are multiplied in. `auto`: bfloat16 where the machine has instructions for it,
    else single precision. What is learned, and AdamW's moments, are single precision always.
    """

    AUTO = "auto"
    SINGLE = "single"
    BFLOAT16 = "bfloat16"


class LanguageModelConfig(BaseModel):
    """A recipe adds its own. Learning rates of low-rank updates are those of a trial on 150
    corrections (ClapNQ).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # What is trained, and from which version of the generator: live where `base` is empty.
    base: str = ""
    variant: Variant = Variant.LOW_RANK
    rank: int = Field(default=16, ge=1, le=512)
    rank_scale: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    precision: Precision = Precision.AUTO

    # A pack's activations are in memory at once, unless they are computed again on the way back,
    # layer by layer (Chen et al. 2016, arXiv:1604.06174). A GPU wants more.
    packed_tokens: int = Field(default=1024, ge=64, le=131_072)
    checkpoint_activations: bool = False

    # What it learns from, and is judged by.
    restricted: bool = False
    longest: int = Field(default=1536, ge=64, le=131_072)

    # Optimisation: AdamW, Loshchilov and Hutter 2019, arXiv:1711.05101.
    epochs: int = Field(default=3, ge=1, le=1000)
    batch: int = Field(default=8, ge=1, le=4096)
    low_rank_learning_rate: float = Field(default=5e-4, gt=0)
    learning_rate: float = Field(default=2e-5, gt=0)
    warm_up: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)

    # Judging: how much a slice may lose, in points.
    margin: float = Field(default=2.0, ge=0, le=100)

    # The run.
    seed: int = Field(default=0, ge=0, lt=2**32)
    zero_stage: int = Field(default=0, ge=0, le=3)
    checkpoint_every: int = Field(default=25, ge=1)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Raises InvalidInput for a setting that is unknown or out of range."""
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "settings"
            if first["type"] == "extra_forbidden":
                names = ", ".join(cls.model_fields)
                raise InvalidInput(f"setting {name}", "is unknown", f"use {names}") from error
            problem = f"cannot be that ({first['msg'].removeprefix('Value error, ')})"
            raise InvalidInput(f"setting {name}", problem, "give another value") from error

    def highest_rate(self, variant: StrEnum) -> float:
        """The learning rate after the warm-up."""
        return self.low_rank_learning_rate if variant is Variant.LOW_RANK else self.learning_rate

    def rate_at(self, step: int, steps: int, variant: StrEnum) -> float:
        """The learning rate of a step (from 0): up in a straight line, then down to nearly 0."""
        warm = self.warm_up * steps
        share = min((step + 1) / max(warm, 1), (steps - step) / max(steps - warm, 1))
        return self.highest_rate(variant) * min(1.0, share)

    def variants(self) -> tuple[str, ...]:
        """What a run trains: one is enough, and a full one costs much more."""
        return (self.variant.value,)


class AnswersConfig(LanguageModelConfig):
    """Of a model that writes answers. A liked answer counts `liked_weight` beside one that somebody
    wrote; where a recipe has its own data to learn from, only to judge.
    """

    liked_weight: float = Field(default=0.5, ge=0, le=1)
    # How much of the passages is read, in training and in serving. Where not given, as much as what
    # it starts from reads, or 1,024.
    context_tokens: int | None = Field(default=None, ge=100, le=32_000)

    # Serving: the reader's confidence from which the model is asked. Where not given, what parts
    # the questions with an answer from the others best, if there are enough of them and it surely
    # does; else the base's.
    answers_at: float | None = Field(default=None, ge=0, le=1)

    # Judging: the longest answer that is written, and whether asking stops when the intervals
    # decide (`language_models/stopping.py`).
    answer_tokens: int = Field(default=256, ge=16, le=4096)
    stop_early: bool = True


def context_tokens_of(config: AnswersConfig, start: Artifact) -> int:
    """How many tokens of passages are read by what starts from that version."""
    return config.context_tokens or int(start.settings.get("context_tokens", _CONTEXT_TOKENS))


class PreferenceConfig(AnswersConfig):
    """Of a recipe that learns from preferences, which say how to move from what answers now. With
    `continue_live`, it starts from live where that is an adapter of the base, at the rank that it
    has; without, from the base alone.
    """

    continue_live: bool = True


def base_of(live: Artifact, settings: Mapping[str, str]) -> str:
    """The version that is named, or what live was made of, so that runs do not pile up on one
    another; where live is no language model, the one that Gyre ships.
    """
    if name := settings.get(BASE) or live.settings.get(BASE):
        return name
    is_model = live.settings.get("backend") == OPENAI
    return live.version if is_model else LANGUAGE_MODEL_VERSION
