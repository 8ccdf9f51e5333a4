"""How much there must be before anything is trained, and judged, on it."""

from dataclasses import dataclass
from types import MappingProxyType

from gyre_common.errors import InvalidInput


@dataclass(frozen=True)
class Profile:
    """Minimum counts, recorded with all that comes of them.

    `train_questions` have a label of any kind, `gate_questions` a positive one; `slice_questions`
    is what each slice of the gate needs for a verdict. `most_of_one_actor` is the greatest share
    of the train labels' weight that may rest on one actor. `slice_share` of the questions with a
    positive label go to each slice of the gate, and more where that would be too few to tell.
    """

    name: str
    train_questions: int
    gate_questions: int
    slice_questions: int
    most_of_one_actor: float
    slice_share: float


PROFILES = MappingProxyType(
    {
        "default": Profile("default", 1_000, 100, 50, 0.5, 0.1),
        "demo": Profile("demo", 100, 40, 15, 1.0, 0.15),
    }
)


def profile_named(name: str) -> Profile:
    """The profile of that name; the default one when it is empty. Raises InvalidInput."""
    try:
        return PROFILES[name or "default"]
    except KeyError:
        raise InvalidInput("profile", "is unknown", f"use one of {', '.join(PROFILES)}") from None
