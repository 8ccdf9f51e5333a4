"""What a version of the role `retrieval` says: how the two legs are searched and fused."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_common.fusion import Fusion

NEAR_DUPLICATES = 0.6
"""The similarity from which what has the same title is a version of one text; `bench.duplicates`
shows others.
"""


class RetrievalSettings(BaseModel):
    """`candidates` passages are taken from each leg. `exploration` is the share of slots behind the
    first two that show a passage which would not have been shown. Passages whose similarity is
    `near_duplicates` or more, and that tell of the same, are ranked once; 1 means the same words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fusion: Fusion
    bm25_weight: float = Field(ge=0)
    dense_weight: float = Field(ge=0)
    candidates: int = Field(ge=1, le=1000)
    rrf_k: float = Field(default=60, ge=0)
    title_boost: float = Field(default=1, ge=1)
    heading_boost: float = Field(default=1, ge=1)
    exploration: float = Field(default=0, ge=0, le=0.5)
    near_duplicates: float = Field(default=NEAR_DUPLICATES, gt=0, le=1)

    @model_validator(mode="after")
    def _one_leg_counts(self) -> Self:
        if not self.bm25_weight + self.dense_weight > 0:
            raise ValueError("one of the two is above 0")
        return self


def retrieval_settings(artifact: Artifact) -> RetrievalSettings:
    """Read a version; raises FailedPrecondition when its settings are not understood."""
    try:
        return RetrievalSettings.model_validate(artifact.settings)
    except ValidationError as error:
        problems = {_name(each["loc"]): _why(each["type"], each["msg"]) for each in error.errors()}
        listed = ", ".join(f"{name} ({why})" for name, why in sorted(problems.items()))
        raise FailedPrecondition(
            f"retrieval {artifact.version} has settings that are not understood here: {listed}"
        ) from error


def _why(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"unknown, use {', '.join(RetrievalSettings.model_fields)}"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _name(place: tuple[str | int, ...]) -> str:
    return str(place[0]) if place else "bm25_weight and dense_weight"
