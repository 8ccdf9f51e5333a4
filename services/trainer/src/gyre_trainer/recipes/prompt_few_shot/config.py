"""Every number of the recipe in one object, kept with the version."""

from collections.abc import Mapping
from typing import Self

from gyre_common.errors import InvalidInput
from gyre_common.events.releases import Artifact
from gyre_common.prompt_examples import DEFAULT_TOKENS, MOST_EXAMPLES, MOST_TOKENS
from gyre_common.releases.builtin import EXAMPLES_PROMPT_VERSION
from pydantic import BaseModel, ConfigDict, Field, ValidationError

BASE = "base"
"""The setting that names the version of the prompt whose template is filled in."""

CURATED = "examples"
"""What is made, in the place of a variant that is trained."""


class FewShotConfig(BaseModel):
    """`liked` takes answers that people liked as well, after those that they wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = ""

    # What becomes an example, and how much of it a prompt shows.
    restricted: bool = False
    liked: bool = False
    most_examples: int = Field(default=1_000, ge=1, le=MOST_EXAMPLES)
    example_tokens: int = Field(default=DEFAULT_TOKENS, ge=50, le=MOST_TOKENS)

    # Judging: what a liked answer counts beside one that somebody wrote, the longest answer that is
    # written, how much a slice may lose, in points, and whether asking stops when that decides.
    liked_weight: float = Field(default=0.5, ge=0, le=1)
    answer_tokens: int = Field(default=256, ge=16, le=4096)
    margin: float = Field(default=2.0, ge=0, le=100)
    stop_early: bool = True

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Raises InvalidInput for a setting that is unknown or out of range."""
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                names = ", ".join(cls.model_fields)
                raise InvalidInput(f"setting {name}", "is unknown", f"use {names}") from error
            problem = f"cannot be that ({first['msg']})"
            raise InvalidInput(f"setting {name}", problem, "give another value") from error


def base_of(live: Artifact, settings: Mapping[str, str]) -> str:
    """The version that is named, the one that live fills in, or the one for examples that ships
    with Gyre.
    """
    return settings.get(BASE) or live.settings.get("template") or EXAMPLES_PROMPT_VERSION
