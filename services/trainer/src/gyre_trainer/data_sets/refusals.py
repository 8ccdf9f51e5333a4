"""Refuses what nothing can be learned from: says what there is, what it takes and what to do.

Every function raises FailedPrecondition.
"""

from collections.abc import Sequence

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT

from gyre_trainer.data_sets.card import Card
from gyre_trainer.data_sets.joining import InteractionWithFeedback, JoinCounts
from gyre_trainer.data_sets.profiles import PROFILES, Profile


def check_there_is_something(
    tally: JoinCounts, examples: Sequence[InteractionWithFeedback], tenant: str
) -> None:
    """An empty window, or one in which nobody voted."""
    whose = "any tenant" if tenant == EVERY_TENANT else f"tenant {tenant}"
    if not tally.interactions and not sum(tally.dropped.values()):
        raise FailedPrecondition(
            f"the window is empty: no question of {whose} has been collected in it; ask with "
            "`gyre ask`, vote with `gyre vote`, then try again"
        )
    if not examples:
        raise FailedPrecondition(
            f"the window holds {tally.interactions:,} questions of {whose}, but no vote on what "
            "they showed: vote on passages or answers with `gyre vote`, then try again"
        )


def check_both_sides(card: Card) -> None:
    """Votes that all say the same, or nothing."""
    parts = card["parts"].values()
    positives = sum(part["positives"] for part in parts)
    negatives = sum(part["negatives"] for part in parts)
    if positives and negatives:
        return
    if not positives and not negatives:
        raise FailedPrecondition(
            f"the {card['votes']:,} votes in the window say nothing clear of any passage: "
            "they contradict each other, or are on answers that cite nothing; collect more"
        )
    present, absent = ("for", "against") if positives else ("against", "for")
    raise FailedPrecondition(
        f"the votes are one-sided: all {positives or negatives:,} labels are {present} what was "
        f"shown, none is {absent}, so nothing tells better from worse; collect votes both up and "
        "down, on passages of all ranks"
    )


def check_actors(card: Card, profile: Profile) -> None:
    """Votes that are too much one actor's."""
    share = card["most_of_one_actor"]
    if share > profile.most_of_one_actor:
        what = (
            "all votes are" if card["actors"] == 1 else f"{share:.0%} of what is to be learned is"
        )
        raise FailedPrecondition(
            f"{what} by one actor, and profile {profile.name} takes at most "
            f"{profile.most_of_one_actor:.0%} from one: collect votes of more people (with an "
            "actor each), or try the loop with --profile demo, which is recorded"
        )


def check_counts(card: Card, profile: Profile) -> None:
    """Fewer questions than the profile asks for."""
    train, gate = card["train_questions"], card["gate_questions"]
    if train >= profile.train_questions and gate >= profile.gate_questions:
        return
    demo = PROFILES["demo"]
    way_out = (
        ""
        if profile == demo
        else f", or try the loop with --profile demo ({demo.train_questions:,} and "
        f"{demo.gate_questions:,}), which is recorded with all that comes of it"
    )
    raise FailedPrecondition(
        f"too few votes: {train:,} questions to train on ({card['train_with_positive']:,} of them "
        f"with a passage that somebody liked: only those teach) and {gate:,} to judge by, but "
        f"profile {profile.name} needs {profile.train_questions:,} and "
        f"{profile.gate_questions:,}; collect more votes{way_out}"
    )
