"""Brings together what was shown and what was said of it, in whatever order it came."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gyre_common.events.feedback import ANSWER_TARGET, FeedbackKind
from gyre_common.events.interactions import Outcome

from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts, Shown

_SHOWN_FOR_GOOD = frozenset({Outcome.ANSWERED.value, Outcome.ABSTAINED.value})


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


_VOTES = {"up": 1, "down": -1}
_MEANINGS: Mapping[str, tuple[Family, Mapping[str, int]]] = {
    FeedbackKind.CHUNK: (Family.VOTE, _VOTES),
    FeedbackKind.THUMB: (Family.VERDICT, _VOTES),
    FeedbackKind.RATING: (Family.VERDICT, {"1": -1, "2": -1, "3": 0, "4": 1, "5": 1}),
    FeedbackKind.IMPLICIT: (Family.SIGNAL, {"click": 1, "copy": 1, "dwell": 1}),
}
"""By the kind of a feedback, its family and the signs of its values; 0 is a neutral rating."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an actor said of `target`, a chunk's id or the answer; `sign` is 1 or -1."""

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
class Joined:
    """What somebody spoke of in a window. `shown_by_rank` counts passages; `dropped`, records."""

    examples: list[InteractionWithFeedback] = field(default_factory=list)
    interactions: int = 0
    judged: int = 0
    dropped: Counter[Reason] = field(default_factory=Counter)
    shown_by_rank: Counter[int] = field(default_factory=Counter)
    with_feedback_by_rank: Counter[int] = field(default_factory=Counter)

    def add(self, facts: PartitionFacts) -> None:
        """Join one partition."""
        feedback_by_interaction: dict[tuple[str, str], list[FeedbackFact]] = defaultdict(list)
        for fact in facts.feedback:
            feedback_by_interaction[fact.tenant, fact.interaction_id].append(fact)
        interactions: dict[tuple[str, str], InteractionFact] = {}
        for one in sorted(facts.interactions, key=lambda fact: fact.offset):
            place = (one.tenant, one.interaction_id)
            self.dropped[Reason.REPEATED] += place in interactions
            interactions.setdefault(place, one)
        self.interactions += len(interactions)
        for place, interaction in interactions.items():
            feedback = feedback_by_interaction.pop(place, [])
            if interaction.outcome not in _SHOWN_FOR_GOOD:
                self.dropped[Reason.FAILED] += 1
            elif interaction.filtered:
                self.dropped[Reason.FILTERED] += 1
            else:
                self._add_example(interaction, feedback)
        self.dropped[Reason.NO_INTERACTION] += sum(map(len, feedback_by_interaction.values()))
        self.judged += len({(each.tenant, each.interaction_id) for each in facts.judgements})

    def _add_example(self, interaction: InteractionFact, feedback: Sequence[FeedbackFact]) -> None:
        self.shown_by_rank.update(shown.rank for shown in interaction.shown)
        opinions = _opinions(interaction, feedback, self.dropped)
        if opinions:
            example = InteractionWithFeedback(interaction, opinions)
            self.examples.append(example)
            self.with_feedback_by_rank.update(
                shown.rank for shown in interaction.shown if example.opinions_on(shown)
            )


def _opinions(
    interaction: InteractionFact, feedback: Sequence[FeedbackFact], dropped: Counter[Reason]
) -> tuple[Opinion, ...]:
    """The latest word of each actor on each target; a neutral one takes back what came before."""
    targets = {ANSWER_TARGET, *(shown.chunk_id for shown in interaction.shown)}
    latest: dict[tuple[str, Family, str], Opinion] = {}
    counted: set[tuple[str, str]] = set()
    for fact in sorted(feedback, key=lambda f: (f.received_at, f.feedback_id, f.value, f.offset)):
        if (fact.feedback_id, fact.value) in counted:
            dropped[Reason.REPEATED] += 1
            continue
        counted.add((fact.feedback_id, fact.value))
        family, signs = _MEANINGS.get(fact.kind, (Family.VOTE, {}))
        sign = signs.get(fact.value)
        on_answer = fact.target == ANSWER_TARGET
        if sign is None or (on_answer and family is Family.SIGNAL):
            dropped[Reason.NO_OPINION] += 1
        elif fact.target not in targets:
            dropped[Reason.NOT_SHOWN] += 1
        else:
            actor = actor_digest(interaction, fact)
            subject = (actor, family, fact.target)
            dropped[Reason.SUPERSEDED] += latest.pop(subject, None) is not None
            if sign:
                latest[subject] = Opinion(
                    actor=actor,
                    family=family,
                    kind=fact.kind,
                    target=fact.target,
                    value=fact.value,
                    sign=sign,
                    at=fact.received_at,
                )
            else:
                dropped[Reason.NO_OPINION] += 1
    return tuple(latest[subject] for subject in sorted(latest))


def actor_digest(interaction: InteractionFact, fact: FeedbackFact) -> str:
    """Who spoke, without saying who it is. Words without an actor are those of the conversation."""
    who = fact.actor or f"\n{interaction.conversation_id or interaction.interaction_id}"
    return hashlib.sha256(f"{fact.tenant}\n{who}".encode()).hexdigest()[:12]
