"""Which answers people wrote or liked, in whatever order their words came, and which one counts."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gyre_common.events.feedback import ANSWER_TARGET, FeedbackKind
from gyre_common.events.interactions import Outcome
from gyre_common.lines import folded

from gyre_trainer.data_sets.answers import AnswerKind, declines
from gyre_trainer.data_sets.joining import actor_digest
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts, Sources

LONGEST = 8_000
"""Characters of an answer that is learned from."""

_SIGNS: Mapping[str, int] = {"up": 1, "down": -1, "1": -1, "2": -1, "4": 1, "5": 1}
_SPOKEN = frozenset({Outcome.ANSWERED.value, Outcome.ABSTAINED.value})

Question = tuple[str, str, tuple[str, ...]]
"""Tenant, words and groups of who asked: what others see is another question."""


class NotLearned(StrEnum):
    """Why something that people said of an answer teaches nothing."""

    FAILED = "the answer failed or was cancelled"
    NO_INTERACTION = "no such interaction in the window"
    NOTHING_READ = "nothing was found that could be read: there is nothing to answer from"
    FORGOTTEN = "what it quoted was forgotten"
    RESTRICTED = "a document that it may quote is restricted"
    CONVERSATION = "an earlier answer of its conversation may quote a restricted document"
    EMPTY = "the correction is empty"
    IDENTICAL = "the correction is the answer itself"
    TOO_LONG = f"the answer has more than {LONGEST:,} characters"
    SUPERSEDED = "the same actor said something else later"
    OUTVOTED = "another correction of the question is of more people, or newer"
    CORRECTED = "liked by some, corrected by others"
    NOT_LIKED = "not liked by more people than disliked it"
    SAME_QUESTION = "the question is there already"
    HELD_OUT = "a question, conversation or person of it is held out to judge by"


@dataclass(frozen=True)
class AnswerExample:
    """An answer that counts: `correction` is None where the given one was liked; `actors` agree."""

    interaction: InteractionFact
    correction: FeedbackFact | None
    kind: AnswerKind
    actors: frozenset[str]
    at: datetime

    @property
    def golden(self) -> bool:
        """Whether it judges, and is never learned from."""
        return self.correction is not None and self.correction.golden

    @property
    def question(self) -> Question:
        """What was asked, by whom it may concern."""
        interaction = self.interaction
        return (interaction.tenant, folded(interaction.searched), tuple(sorted(interaction.acl)))

    @property
    def words(self) -> str:
        """The same for answers that say the same; nothing where they say that there is none."""
        text = self.correction.value if self.correction else self.interaction.answer
        return "" if self.kind is AnswerKind.DECLINED else folded(text)


@dataclass(frozen=True)
class Wanted:
    """What a data set takes: answers on restricted documents or not, and for a teacher at most so
    many questions that are `unanswered`. It is for this version of the prompt, which has so many
    tokens of passages where it is made anew.
    """

    prompt: str
    context_tokens: int
    restricted: bool = False
    unanswered: int = 0


class AnswersJoined:
    """Answers of a window that somebody spoke of. `dropped` counts what teaches nothing."""

    def __init__(self, wanted: Wanted) -> None:
        self.interactions = 0
        self.dropped: Counter[NotLearned] = Counter()
        self._wanted = wanted
        self._corrections: dict[Question, list[AnswerExample]] = defaultdict(list)
        self._liked: dict[Question, list[AnswerExample]] = defaultdict(list)
        self._disliked: list[AnswerExample] = []
        self._by_question: dict[Question, AnswerExample] = {}
        self._conversations: dict[tuple[str, str], list[tuple[datetime, Sources]]] = defaultdict(
            list
        )

    def add(self, facts: PartitionFacts) -> None:
        """Join one partition."""
        words: dict[tuple[str, str], list[FeedbackFact]] = defaultdict(list)
        for word in facts.feedback:
            if word.target == ANSWER_TARGET and word.kind in _TEACHING:
                words[word.tenant, word.interaction_id].append(word)
        seen: set[tuple[str, str]] = set()
        for one in sorted(facts.interactions, key=lambda fact: fact.offset):
            place = (one.tenant, one.interaction_id)
            if place not in seen:
                seen.add(place)
                if one.conversation_id:
                    conversation = self._conversations[one.tenant, one.conversation_id]
                    conversation.append((one.completed_at, one.quotable))
                self._add(one, words.pop(place, []))
                self._add_question(one)
        self.interactions += len(seen)
        self.dropped[NotLearned.NO_INTERACTION] += sum(map(len, words.values()))

    def examples(self) -> list[AnswerExample]:
        """One a question, in a canonical order: of corrections the one of most people, of equals
        the newest, golden ones before all others; without one, the answer that more people like, of
        equals the newest.
        """
        chosen = []
        for question in sorted({*self._corrections, *self._liked}):
            corrections = self._in_open_conversations(self._corrections[question])
            liked = self._in_open_conversations(self._liked[question])
            if not corrections and not liked:
                continue
            if corrections:
                golden = [each for each in corrections if each.golden]
                best = _of_most_people(golden or corrections)
                same = [each for each in corrections if each.words == best.words]
                self.dropped[NotLearned.OUTVOTED] += len(corrections) - len(same)
                self.dropped[NotLearned.SAME_QUESTION] += len(same) - 1
                self.dropped[NotLearned.CORRECTED] += len(liked)
            else:
                best = max(liked, key=lambda each: (len(each.actors), *_recency(each)))
                self.dropped[NotLearned.SAME_QUESTION] += len(liked) - 1
            chosen.append(best)
        return sorted(chosen, key=_recency)

    def disliked(self) -> list[AnswerExample]:
        """Answers that more people disliked than liked, in a canonical order."""
        return sorted(self._in_open_conversations(self._disliked), key=_recency)

    def unanswered(self) -> list[AnswerExample]:
        """Questions of which nobody wrote or liked an answer, each as it was asked last; the newest
        of them, in a canonical order.
        """
        known = self._corrections.keys() | self._liked.keys()
        open_questions = (each for each in self._by_question.values() if each.question not in known)
        teachable = self._in_open_conversations(open_questions)
        newest = sorted(teachable, key=_recency, reverse=True)[: self._wanted.unanswered]
        return newest[::-1]

    def groups(self, examples: Iterable[AnswerExample]) -> list[str]:
        """Those without which somebody may not read a document that may be quoted, by an example or
        before it in its conversation.
        """
        return sorted(
            {
                group
                for example in examples
                for sources in (
                    example.interaction.quotable,
                    *self._before(example.interaction),
                )
                for source in sources
                for group in source.acl or ()
            }
        )

    def _in_open_conversations(self, examples: Iterable[AnswerExample]) -> list[AnswerExample]:
        """Those whose earlier turns may be read by everybody, where nothing else is allowed."""
        teachable = []
        for each in examples:
            if self._wanted.restricted or self._is_open_before(each.interaction):
                teachable.append(each)
            else:
                self.dropped[NotLearned.CONVERSATION] += 1
        return teachable

    def _is_open_before(self, interaction: InteractionFact) -> bool:
        """Whether all answers in its history are known here, and everybody may read what they may
        quote. The caller writes the history, so it is told by the conversation.
        """
        answers = sum(turn.role == "assistant" for turn in interaction.history)
        before = self._before(interaction) if answers else []
        return answers <= len(before) and all(map(_is_open, before))

    def _before(self, interaction: InteractionFact) -> list[Sources]:
        """What each earlier answer of its conversation may quote."""
        key = (interaction.tenant, interaction.conversation_id)
        conversation = self._conversations.get(key, ())
        return [sources for at, sources in conversation if at < interaction.completed_at]

    def _add_question(self, interaction: InteractionFact) -> None:
        if self._wanted.unanswered and self._refusal(interaction) is None:
            at, nobody = interaction.completed_at, frozenset[str]()
            one = AnswerExample(interaction, None, AnswerKind.DISTILLED, nobody, at)
            self._by_question[one.question] = max(
                self._by_question.get(one.question, one), one, key=_recency
            )

    def _add(self, interaction: InteractionFact, words: Sequence[FeedbackFact]) -> None:
        if not words:
            return
        if reason := self._refusal(interaction):
            self.dropped[reason] += len(words)
            return
        in_order = sorted(words, key=lambda word: (word.received_at, word.feedback_id, word.offset))
        latest: dict[tuple[str, bool], FeedbackFact] = {}
        for word in in_order:
            by = (actor_digest(interaction, word), word.kind == FeedbackKind.CORRECTION)
            repeated = by in latest and latest[by].feedback_id == word.feedback_id
            self.dropped[NotLearned.SUPERSEDED] += by in latest and not repeated
            latest[by] = word
        verdicts: dict[str, FeedbackFact] = {}
        for (actor, corrects), word in latest.items():
            if not corrects:
                verdicts[actor] = word
            elif problem := _problem(word, interaction):
                self.dropped[problem] += 1
            else:
                kind = AnswerKind.DECLINED if declines(word.value) else AnswerKind.CORRECTION
                who = frozenset({actor})
                example = AnswerExample(interaction, word, kind, who, word.received_at)
                self._corrections[example.question].append(example)
        if verdicts:
            self._add_verdicts(interaction, verdicts)

    def _add_verdicts(
        self, interaction: InteractionFact, verdicts: Mapping[str, FeedbackFact]
    ) -> None:
        signs = {actor: _SIGNS.get(word.value, 0) for actor, word in verdicts.items()}
        verdict = sum(signs.values())
        at = max(word.received_at for word in verdicts.values())
        if verdict <= 0:
            self.dropped[NotLearned.NOT_LIKED] += len(verdicts)
        if len(interaction.answer) > LONGEST:
            self.dropped[NotLearned.TOO_LONG] += verdict > 0
        elif verdict > 0:
            actors = frozenset(actor for actor, sign in signs.items() if sign > 0)
            liked = as_given(interaction, actors, at, otherwise=AnswerKind.LIKED)
            self._liked[liked.question].append(liked)
        elif verdict < 0:
            actors = frozenset(actor for actor, sign in signs.items() if sign < 0)
            self._disliked.append(as_given(interaction, actors, at))

    def _refusal(self, interaction: InteractionFact) -> NotLearned | None:
        if interaction.outcome not in _SPOKEN:
            return NotLearned.FAILED
        if not any(shown.used for shown in interaction.shown):
            return NotLearned.NOTHING_READ
        if not all(shown.text for shown in interaction.shown):
            return NotLearned.FORGOTTEN
        if not self._wanted.restricted and not _is_open(interaction.quotable):
            return NotLearned.RESTRICTED
        return None


def _is_open(sources: Sources) -> bool:
    """Whether everybody may read them; None: the record does not tell who may."""
    return all(source.acl == () for source in sources)


def as_given(
    interaction: InteractionFact,
    actors: frozenset[str],
    at: datetime,
    *,
    otherwise: AnswerKind = AnswerKind.DISLIKED,
) -> AnswerExample:
    """The answer as people read it, of whom `actors` agree on it."""
    declined = interaction.outcome == Outcome.ABSTAINED.value
    kind = AnswerKind.DECLINED if declined else otherwise
    return AnswerExample(interaction, None, kind, actors, at)


_TEACHING = frozenset({FeedbackKind.CORRECTION, FeedbackKind.THUMB, FeedbackKind.RATING})


def _problem(word: FeedbackFact, interaction: InteractionFact) -> NotLearned | None:
    correction = word.value
    if not correction.strip():
        return NotLearned.EMPTY
    if len(correction) > LONGEST:
        return NotLearned.TOO_LONG
    if word.golden:  # most are of answers that are right, and are to stay so
        return None
    both_decline = declines(correction) and interaction.outcome == Outcome.ABSTAINED.value
    if both_decline or folded(correction) == folded(interaction.answer):
        return NotLearned.IDENTICAL
    return None


def _of_most_people(corrections: Sequence[AnswerExample]) -> AnswerExample:
    """The newest of those that most people wrote alike, with all who did."""
    alike: dict[str, list[AnswerExample]] = defaultdict(list)
    for each in corrections:
        alike[each.words].append(each)

    def people(examples: Iterable[AnswerExample]) -> frozenset[str]:
        return frozenset().union(*(each.actors for each in examples))

    group = max(alike.values(), key=lambda each: (len(people(each)), max(map(_recency, each))))
    newest = max(group, key=_recency)
    return AnswerExample(
        newest.interaction, newest.correction, newest.kind, people(group), newest.at
    )


def _recency(example: AnswerExample) -> tuple[datetime, str, str]:
    return (example.at, example.interaction.interaction_id, example.interaction.tenant)


def trust(people: int, wrong: float) -> float:
    """What to expect of an answer on which so many people agree, where 1 is good and 0 tells
    nothing: twice the probability that it is good, less one, if each errs alone at the rate
    `wrong`, which is above 0 and below 1/2. As labels of passages have it.
    """
    odds = people * math.log((1 - wrong) / wrong)
    return round(math.tanh(odds / 2), 6)
