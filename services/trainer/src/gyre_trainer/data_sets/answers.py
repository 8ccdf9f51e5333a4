"""Data sets of answers: what people wrote, or liked, as the answer to a question they were shown.

Their rows hold references and no text, as those on passages do, and expire in the same way.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import Outcome
from gyre_common.events.releases import Roles
from gyre_common.no_answer import NO_ANSWER, says_no_answer
from gyre_common.redaction import redact

from gyre_trainer.data_sets.frozen import GATE, TRAIN, DataSetRow, FrozenDataSet, Reference
from gyre_trainer.data_sets.question_context import PassageRead, QuestionContext, Render
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import window_from_text

KIND = "kind"
"""On the card of a data set of answers: which one it is. Those of votes have none."""

_DECLINED = frozenset(
    {
        "the indexed documents do not seem to answer this",
        "the documents do not answer this",
        "not answered here",
    }
)

_SYSTEM, _USER = "[system]\n", "\n\n[user]\n"
"""How a prompt is recorded."""

_MARK = "\x1f"
_MARKED = re.compile(f"{_MARK}(\\d*){_MARK}")
_WORD = re.compile(r"\S+")
_SHORTEST_QUOTE = 40
"""Characters."""


class AnswersKind(StrEnum):
    """What a data set of answers holds: answers that are wanted; pairs, of which one answer is
    better; or answers that should or should not be given. To judge by, all hold wanted ones, but
    comparisons: they are pairs throughout.
    """

    WANTED = "answers"
    PAIRS = "answer-pairs"
    COMPARISONS = "answer-comparisons"
    LABELLED = "labelled-answers"


class AnswerKind(StrEnum):
    """Where the answer of a row comes from: somebody wrote it, or said that there is none in the
    passages, or liked, or did not like, what was given; or a teacher answers it, whose words no
    fact holds.
    """

    CORRECTION = "correction"
    DECLINED = "declined"
    LIKED = "liked"
    DISLIKED = "disliked"
    DISTILLED = "distilled"


class AnswerRow(DataSetRow):
    """`feedback_id` names the correction, empty where it is the answer that was given. `documents`
    are those that it rests on, `weight` is above 0 and at most 1. Of a pair, `rejected_id` names
    the interaction whose answer is the worse one; one that is not `desirable` should not be given.
    `may_quote` are all documents that were shown with it, and those of the examples in its prompt:
    its words may be of any of them; `groups` those without which somebody may not read one. A
    `golden` one is to judge by alone, apart from the others.
    """

    kind: AnswerKind
    weight: float
    feedback_id: str = ""
    documents: tuple[str, ...] = ()
    rejected_id: str = ""
    desirable: bool = True
    may_quote: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    golden: bool = False

    @property
    def references(self) -> tuple[Reference, ...]:
        """The questions whose answers it takes."""
        rejected = ((self.tenant, self.rejected_id),) if self.rejected_id else ()
        return (self.reference, *rejected)


@dataclass(frozen=True)
class AnswerTexts:
    """The texts of a row: what was asked; the prompt, in which `passages` have a mark in their
    place, as `mark_passages` says; the answer that the row is about, and of a pair the worse one.
    """

    context: QuestionContext
    system: str
    user: str
    passages: Mapping[str, str]
    answer: str
    rejected: str = ""


def declines(text: str) -> bool:
    """Whether it says no more than that the passages hold no answer, or why."""
    return says_no_answer(text) or " ".join(text.casefold().split()).rstrip(".!") in _DECLINED


def answer_rows(frozen: FrozenDataSet) -> list[AnswerRow]:
    """All, in their order. Raises FailedPrecondition where the data set is of another kind."""
    if frozen.card.get(KIND) not in [*AnswersKind]:
        raise FailedPrecondition(
            f"data set {frozen.digest} is about passages, not answers: name one that a training of "
            "the generator froze, as `gyre datasets list` shows it"
        )
    lines = (line for name in (TRAIN, GATE) for line in frozen.files[name].splitlines())
    return [AnswerRow.model_validate_json(line) for line in lines]


async def answer_texts(
    frozen: FrozenDataSet, segments: Segments, render: Render
) -> list[tuple[AnswerRow, AnswerTexts]]:
    """Every row with its texts. A prompt of the data set's version is as it was put to a model; for
    answers without one `render` makes it. Raises FailedPrecondition when facts were forgotten or
    are too old; the rest as `Segments` and `render` do.
    """
    rows = answer_rows(frozen)
    references = {reference for row in rows for reference in row.references}
    interactions: dict[Reference, InteractionFact] = {}
    corrections: dict[tuple[str, str], FeedbackFact] = {}
    needed = {(row.tenant, row.feedback_id) for row in rows if row.feedback_id}
    async for facts in segments.facts(window_from_text(frozen.card["window"]), frozen.tenant):
        for one in facts.interactions:
            if (one.tenant, one.interaction_id) in references:
                interactions.setdefault((one.tenant, one.interaction_id), one)
        for word in facts.feedback:
            if (word.tenant, word.feedback_id) in needed:
                corrections.setdefault((word.tenant, word.feedback_id), word)
    passages = await _passages(interactions.values(), segments)
    texts = []
    for row in rows:
        interaction, *rejected = (interactions.get(reference) for reference in row.references)
        correction = corrections.get((row.tenant, row.feedback_id))
        by_digest = passages.get(row.tenant, {})
        if (
            interaction is None
            or None in rejected
            or (row.feedback_id and correction is None)
            or any(shown.text not in by_digest for shown in interaction.shown)
        ):
            raise FailedPrecondition(
                f"data set {frozen.digest} refers to answers that were forgotten or are too old: "
                "start a new run, which freezes another"
            )
        context = _context_of(interaction, by_digest)
        prompt = _recorded_prompt(interaction, by_digest, version=frozen.card["prompt"])
        system, user = prompt or await render(context)
        answer = correction.value if correction else interaction.answer
        answer = "" if row.kind is AnswerKind.DISTILLED else answer
        worse = "".join(_given(each) for each in rejected if each)
        texts.append((row, _texts(row, context, system, user, answer, worse)))
    return texts


async def _passages(
    interactions: Iterable[InteractionFact], segments: Segments
) -> dict[str, dict[str, str]]:
    digests: dict[str, set[str]] = {}
    for one in interactions:
        digests.setdefault(one.tenant, set()).update(shown.text for shown in one.shown)
    return {
        tenant: await segments.passages.get(tenant, wanted) for tenant, wanted in digests.items()
    }


def _context_of(interaction: InteractionFact, by_digest: Mapping[str, str]) -> QuestionContext:
    def clean(text: str) -> str:
        return redact(text, interaction.tenant)

    used = sorted((each for each in interaction.shown if each.used), key=lambda each: each.rank)
    return QuestionContext(
        tenant=interaction.tenant,
        question=clean(interaction.question),
        history=tuple(
            turn.model_copy(update={"content": clean(turn.content)}) for turn in interaction.history
        ),
        read=tuple(
            PassageRead(
                each.chunk_id, each.document_id, clean(each.heading), clean(by_digest[each.text])
            )
            for each in used
        ),
        acl=interaction.acl,
    )


def _recorded_prompt(
    interaction: InteractionFact, by_digest: Mapping[str, str], *, version: str
) -> tuple[str, str] | None:
    """Instructions and question, where a model was asked in that version of the prompt."""
    if not interaction.prompt or interaction.versions.get(Roles.ANSWER_PROMPT) != version:
        return None
    prompt = redact(interaction.prompt_with(by_digest), interaction.tenant)
    system, _, user = prompt.removeprefix(_SYSTEM).partition(_USER)
    return system, user


def _given(interaction: InteractionFact) -> str:
    declined = interaction.outcome == Outcome.ABSTAINED.value or declines(interaction.answer)
    return NO_ANSWER if declined else redact(interaction.answer, interaction.tenant).strip()


def _texts(
    row: AnswerRow, context: QuestionContext, system: str, user: str, answer: str, rejected: str
) -> AnswerTexts:
    shown = {str(number): each.text for number, each in enumerate(context.read, start=1)}
    user, passages = mark_passages(user, shown)
    declined = row.kind is AnswerKind.DECLINED
    return AnswerTexts(
        context=context,
        system=system.replace(_MARK, _MARK * 2),
        user=user,
        passages=passages,
        answer=NO_ANSWER if declined else redact(answer, row.tenant).strip(),
        rejected=rejected,
    )


def mark_passages(prompt: str, texts: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The prompt with `mark_of(number)` in the place of each passage that it quotes, and these
    passages as they stood there; `with_passages` is the way back. A prompt may have other white
    space than the passage, or every line of it behind `> `; one that it quotes in another way is
    left where it is.
    """
    words = list(_WORD.finditer(prompt))
    readings = [words, [word for word in words if not _begins_quoted_line(word)]]
    spans: list[tuple[int, int, str]] = []
    for reading in map(_Words, readings):
        marked = {number for _, _, number in spans}
        for number, text in texts.items():
            place = reading.place_of(text) if number not in marked else None
            if place is None:
                continue
            start, end = place
            if all(end <= other or start >= behind for other, behind, _ in spans):
                spans.append((start, end, number))
    parts, passages, at = [], {}, 0
    for start, end, number in sorted(spans):
        parts += [prompt[at:start].replace(_MARK, _MARK * 2), mark_of(number)]
        passages[number], at = prompt[start:end], end
    parts.append(prompt[at:].replace(_MARK, _MARK * 2))
    return "".join(parts), passages


class _Words:
    """Finds texts among words of a prompt, whatever stands between these."""

    def __init__(self, words: Sequence[re.Match[str]]) -> None:
        self._words = words
        self._plain = " ".join(word[0] for word in words)
        lengths = (len(word[0]) + 1 for word in words)
        self._starts = [0, *accumulate(lengths)][: len(words)]

    def place_of(self, text: str) -> tuple[int, int] | None:
        """Its first and the behind-last character in the prompt."""
        wanted = " ".join(text.split())
        place = self._plain.find(wanted) if len(wanted) >= _SHORTEST_QUOTE else -1
        if place < 0:
            return None
        end = place + len(wanted)
        return self._in_prompt(place), self._in_prompt(end - 1) + 1

    def _in_prompt(self, place: int) -> int:
        at = bisect_right(self._starts, place) - 1
        return self._words[at].start() + place - self._starts[at]


def _begins_quoted_line(word: re.Match[str]) -> bool:
    return word[0] == ">" and (word.start() == 0 or word.string[word.start() - 1] == "\n")


def mark_of(number: str) -> str:
    """What stands in the place of a passage."""
    return f"{_MARK}{number}{_MARK}"


def with_passages(prompt: str, passages: Mapping[str, str]) -> str:
    """The prompt as the model read it."""
    return _MARKED.sub(lambda mark: passages[mark[1]] if mark[1] else _MARK, prompt)
