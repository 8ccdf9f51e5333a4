"""What a generator version says of giving the best of several answers."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import Version
from gyre_common.events.releases import Artifact
from gyre_common.releases.fitting import reward_of
from gyre_common.reward_input import METHOD

MOST_ANSWERS = 16

_FIXES = {
    "best_of": f"a whole number from 1 to {MOST_ANSWERS}",
    "best_of_temperature": "a number above 0, and 2 at most",
    "reward": f"the name of a version of the judge whose method is {METHOD}",
}


class BestOf(BaseModel):
    """`best_of` answers are drawn at `best_of_temperature`, and the best by `reward` is given."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    best_of: int = Field(default=1, ge=1, le=MOST_ANSWERS)
    best_of_temperature: float = Field(default=0.7, gt=0, le=2)
    reward: Version = ""


def best_of(generator: Artifact) -> BestOf | None:
    """None where it gives the one answer that it writes. Raises FailedPrecondition, which names the
    setting and the fix.
    """
    settings = generator.settings
    try:
        wanted = BestOf.model_validate(settings)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise _refused(generator, name, _FIXES[name]) from error
    if wanted.best_of == 1:
        return None
    if reward_of(generator) is None:
        raise FailedPrecondition(
            f"generator {generator.version} has the setting best_of, and none says by which "
            f"version of the judge: set reward to {_FIXES['reward']}"
        )
    if settings.get("backend") != "openai":
        raise _refused(
            generator, "best_of", "backend openai, or without it: others write one answer"
        )
    return wanted


def _refused(generator: Artifact, name: str, fix: str) -> FailedPrecondition:
    value = generator.settings.get(name, "")[:20]
    return FailedPrecondition(
        f"generator {generator.version} has the setting {name} {value!r}: register a version with "
        f"{fix}"
    )
