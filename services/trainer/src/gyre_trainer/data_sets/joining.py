"""Brings together what was shown and what was said of it, in whatever order it came."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gyre_common.events.feedback import ANSWER_TARGET, FeedbackKind
from gyre_common.events.interactions import Outcome

from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts, Shown

_SHOWN_FOR_GOOD = frozenset({Outcome.ANSWERED.value, Outcome.ABSTAINED.value})
_SIGNALS = frozenset({"click", "copy", "dwell"})
_RATINGS = {"1": -1, "2": -1, "3": 0, "4": 1, "5": 1}
_VOTES = {"up": 1, "down": -1}


class Reason(StrEnum):
    """Why something that was read is not in the data set."""

    FAILED = "interaction failed or was cancelled"
    FILTERED = "filters bounded the search, but a run searches everything"
    REPEATED = "the same record twice"
    SUPERSEDED = "the same actor said something else later"
    NO_INTERACTION = "no such interaction in the window"
    NOT_SHOWN = "the passage was not shown"
    NO_OPINION = "says nothing of a passage"
    CONTRADICTORY = "actors contradict each other evenly on a passage"
    DOUBTFUL = "more likely wrong than right, by all that was said"
    NOTHING_CLEAR = "nothing clear was said of any passage"


class Family(StrEnum):
    """Words of one family of one actor on one target replace each other."""

    VOTE = "vote"
    VERDICT = "verdict"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an actor said: `sign` is 1, -1 or, for a neutral rating, 0.

    `target` is a chunk's id or the answer.
    """

    actor: str
    family: Family
    kind: str
    target: str
    value: str
    sign: int
    at: datetime


@dataclass(frozen=True, slots=True)
class InteractionWithFeedback:
    """An interaction with the words on it that count, in a canonical order."""

    interaction: InteractionFact
    opinions: tuple[Opinion, ...]

    def opinions_on(self, shown: Shown) -> list[Opinion]:
        """Those on the passage, and those on the answer where it cites the passage."""
        targets = {shown.chunk_id}
        if shown.chunk_id in self.interaction.cited:
            targets.add(ANSWER_TARGET)
        return [opinion for opinion in self.opinions if opinion.target in targets]


@dataclass
class JoinCounts:
    """What was counted while joining: for the data card.

    `shown_by_rank` counts the passages shown, `with_feedback_by_rank` those of which anybody said
    anything.
    """

    interactions: int = 0
    judged: int = 0
    dropped: Counter[Reason] = field(default_factory=Counter)
    shown_by_rank: Counter[int] = field(default_factory=Counter)
    with_feedback_by_rank: Counter[int] = field(default_factory=Counter)


def join(facts: PartitionFacts, tally: JoinCounts) -> list[InteractionWithFeedback]:
    """The examples of one partition: the interactions that somebody said something of."""
    feedback_by_interaction: dict[tuple[str, str], list[FeedbackFact]] = defaultdict(list)
    for fact in facts.feedback:
        feedback_by_interaction[fact.tenant, fact.interaction_id].append(fact)
    examples = []
    for interaction in _each_once(facts.interactions, tally):
        feedback = feedback_by_interaction.pop((interaction.tenant, interaction.interaction_id), [])
        if interaction.outcome not in _SHOWN_FOR_GOOD:
            tally.dropped[Reason.FAILED] += 1
            continue
        if interaction.filtered:
            tally.dropped[Reason.FILTERED] += 1
            continue
        tally.shown_by_rank.update(shown.rank for shown in interaction.shown)
        counting = _opinions(interaction, feedback, tally)
        if counting:
            example = InteractionWithFeedback(interaction, counting)
            examples.append(example)
            tally.with_feedback_by_rank.update(
                one.rank for one in interaction.shown if example.opinions_on(one)
            )
    tally.dropped[Reason.NO_INTERACTION] += sum(map(len, feedback_by_interaction.values()))
    tally.judged += len({(j.tenant, j.interaction_id) for j in facts.judgements})
    return examples


def _each_once(interactions: Iterable[InteractionFact], tally: JoinCounts) -> list[InteractionFact]:
    first_by_place: dict[tuple[str, str], InteractionFact] = {}
    for one in sorted(interactions, key=lambda fact: fact.offset):
        place = (one.tenant, one.interaction_id)
        tally.dropped[Reason.REPEATED] += place in first_by_place
        first_by_place.setdefault(place, one)
    tally.interactions += len(first_by_place)
    return list(first_by_place.values())


def _opinions(
    interaction: InteractionFact, feedback: Sequence[FeedbackFact], tally: JoinCounts
) -> tuple[Opinion, ...]:
    """The latest word of each actor on each target; a neutral one takes back what came before."""
    shown = {one.chunk_id for one in interaction.shown}
    latest: dict[tuple[str, Family, str], Opinion] = {}
    counted: set[tuple[str, str]] = set()
    for fact in sorted(feedback, key=lambda f: (f.received_at, f.feedback_id, f.value, f.offset)):
        opinion = _opinion(interaction, fact)
        if (fact.feedback_id, fact.value) in counted:
            tally.dropped[Reason.REPEATED] += 1
            continue
        counted.add((fact.feedback_id, fact.value))
        if opinion is None:
            tally.dropped[Reason.NO_OPINION] += 1
        elif opinion.target != ANSWER_TARGET and opinion.target not in shown:
            tally.dropped[Reason.NOT_SHOWN] += 1
        else:
            subject = (opinion.actor, opinion.family, opinion.target)
            tally.dropped[Reason.SUPERSEDED] += latest.pop(subject, None) is not None
            if opinion.sign:
                latest[subject] = opinion
            else:
                tally.dropped[Reason.NO_OPINION] += 1
    return tuple(latest[subject] for subject in sorted(latest))


def _opinion(interaction: InteractionFact, fact: FeedbackFact) -> Opinion | None:
    """What a feedback says of passages; None where it cannot say anything of them."""
    family, sign = _meaning(fact)
    if family is None or sign is None:
        return None
    return Opinion(
        actor=actor_digest(interaction, fact),
        family=family,
        kind=fact.kind,
        target=fact.target,
        value=fact.value,
        sign=sign,
        at=fact.received_at,
    )


def _meaning(fact: FeedbackFact) -> tuple[Family | None, int | None]:
    if fact.kind == FeedbackKind.CHUNK:
        return Family.VOTE, _VOTES.get(fact.value)
    if fact.kind == FeedbackKind.THUMB:
        return Family.VERDICT, _VOTES.get(fact.value)
    if fact.kind == FeedbackKind.RATING:
        return Family.VERDICT, _RATINGS.get(fact.value)
    if fact.kind == FeedbackKind.IMPLICIT and fact.target != ANSWER_TARGET:
        return Family.SIGNAL, 1 if fact.value in _SIGNALS else None
    return None, None


def actor_digest(interaction: InteractionFact, fact: FeedbackFact) -> str:
    """Who spoke, without saying who it is. Words without an actor are those of the conversation."""
    who = fact.actor or f"\n{interaction.conversation_id or interaction.interaction_id}"
    return hashlib.sha256(f"{fact.tenant}\n{who}".encode()).hexdigest()[:12]
