"""How much there must be before anything is trained, and judged, on it."""

from dataclasses import dataclass
from types import MappingProxyType

from gyre_common.errors import FailedPrecondition, InvalidInput


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


def check_actors(profile: Profile, *, what: str, share: float, actors: int) -> None:
    """Raises FailedPrecondition where too much of `what` (votes, …) rests on one actor; `share` is
    that of the one who said most.
    """
    if share <= profile.most_of_one_actor:
        return
    much = f"all {what} are" if actors == 1 else f"{share:.0%} of what is to be learned is"
    raise FailedPrecondition(
        f"{much} by one actor, and profile {profile.name} takes at most "
        f"{profile.most_of_one_actor:.0%} from one: collect {what} of more people (with an actor "
        "each), or try the loop with --profile demo, which is recorded"
    )


def way_out(profile: Profile, demo: Profile) -> str:
    """What else to do where there is too little; nothing where that was tried."""
    if profile == demo:
        return ""
    return (
        f", or try the loop with --profile demo ({demo.train_questions:,} and "
        f"{demo.gate_questions:,}), which is recorded with all that comes of it"
    )
