"""A recipe that fits one number: how many words a generator's answers may have.

People who correct an answer show how long it should be. It trains nothing heavy, so that a test can
take it from facts to a release and back within seconds.
"""

from collections.abc import Mapping

from gyre_common.errors import InvalidInput
from gyre_common.events.releases import Roles
from gyre_trainer.recipes.recipe import Recipe
from pydantic import BaseModel, ConfigDict, Field, ValidationError

WORDS = "max_words"
"""The setting that it learns."""


class Config(BaseModel):
    """`pause_in` names a verb that waits in its middle until the run's folder holds `go`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=20, ge=1, le=1000)
    rate: float = Field(default=0.5, gt=0)
    pause_in: str = ""

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> "Config":
        """Raises InvalidInput for a setting that is unknown or out of range."""
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            first = error.errors()[0]
            name = f"setting {first['loc'][0]}"
            raise InvalidInput(name, first["msg"], f"use {', '.join(cls.model_fields)}") from error


ANSWER_LENGTH = Recipe(
    name="answer-length",
    role=Roles.GENERATOR.value,
    package=__name__,
    reads=(Roles.GENERATOR.value,),
    starts_from=Roles.GENERATOR.value,
    check=Config.from_settings,
)
