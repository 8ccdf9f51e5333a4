"""What a version of the role `retrieval` says: how the two legs are searched and fused."""

from enum import StrEnum

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Fusion(StrEnum):
    """How two ranked lists become one."""

    RRF = "rrf"
    WEIGHTED_SUM = "weighted_sum"


class Recipe(BaseModel):
    """The settings of one version. `candidates` passages are taken from each leg."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fusion: Fusion
    bm25_weight: float = Field(ge=0)
    dense_weight: float = Field(ge=0)
    candidates: int = Field(ge=1, le=1000)
    rrf_k: float = Field(default=60, ge=0)
    title_boost: float = Field(default=1, ge=1)
    heading_boost: float = Field(default=1, ge=1)


def recipe_of(artifact: Artifact) -> Recipe:
    """Read a version; raises FailedPrecondition when this retriever does not understand it."""
    try:
        return Recipe.model_validate(artifact.settings)
    except ValidationError as error:
        fields = ", ".join(sorted({str(each["loc"][0]) for each in error.errors()}))
        raise FailedPrecondition(
            f"retrieval {artifact.version} has settings that are not understood here: {fields}"
        ) from error
