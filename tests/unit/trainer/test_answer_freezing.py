"""From a window of facts to a frozen data set of answers: what is split, and what the card says."""

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import Turn
from gyre_common.no_answer import NO_ANSWER
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.answer_freezing import PROFILES
from gyre_trainer.data_sets.answer_joining import (
    AnswersJoined,
    NotLearned,
    Wanted,
)
from gyre_trainer.data_sets.answers import (
    AnswerKind,
    answer_rows,
    answer_texts,
    declines,
    mark_of,
)
from gyre_trainer.data_sets.data_set_store import DataSetStore, expire_incomplete_data_sets
from gyre_trainer.data_sets.frozen import DataSetPart, rfc3339
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.segments.facts import (
    PartitionFacts,
)

from tests.unit.trainer.answer_facts import (
    CONTEXT_TOKENS,
    PROMPT,
    a_correction,
    an_answer,
    digest,
    frozen_from,
    many_answers,
    never_rendered,
    quoted,
    segments_with,
    text_of,
    with_golden,
    with_unanswered,
)
from tests.unit.trainer.training_facts import MORNING

LATER = MORNING.replace(hour=20)


async def test_a_window_gives_a_data_set_without_texts_always_the_same(tmp_path: Path) -> None:
    segments = await segments_with(tmp_path, many_answers(90))
    frozen = await frozen_from(segments)
    assert (await frozen_from(segments)).digest == frozen.digest
    assert not any(b"It is" in content for content in frozen.files.values())
    card = frozen.card
    assert card["train_questions"] + card["gate_questions"] == 90
    assert card["groups"] == []
    kinds = Counter(row.kind for row in answer_rows(frozen))
    assert kinds == {
        AnswerKind.CORRECTION: 60,
        AnswerKind.DECLINED: 15,
        AnswerKind.LIKED: 15,
    }
    weights = {row.kind: row.weight for row in answer_rows(frozen)}
    assert weights[AnswerKind.LIKED] == pytest.approx(weights[AnswerKind.CORRECTION] / 2, rel=0.01)


async def test_golden_answers_judge_apart_and_change_nothing_else(tmp_path: Path) -> None:
    facts = many_answers(90)
    usual = await frozen_from(await segments_with(tmp_path / "a", facts))
    segments = await segments_with(tmp_path / "b", with_golden(facts, 5))
    frozen = await frozen_from(segments)
    rows = answer_rows(frozen)
    golden = [row for row in rows if row.golden]
    assert {(row.part, row.weight, row.held_out) for row in golden} == {
        (DataSetPart.GATE, 1.0, False)
    }
    assert [row for row in rows if not row.golden] == answer_rows(usual)
    assert (frozen.card["golden"], usual.card["golden"]) == (5, 0)
    assert frozen.card["parts"] == usual.card["parts"]
    texts = {
        row.question_id: text for row, text in await answer_texts(frozen, segments, question_only)
    }
    assert {texts[row.question_id].answer for row in golden} == {
        NO_ANSWER if n % 6 == 4 else f"It is right{n}." for n in range(90, 95)
    }


async def question_only(context: QuestionContext) -> tuple[str, str]:
    return "", context.question


async def test_what_has_the_question_or_conversation_of_a_golden_answer_teaches_nothing(
    tmp_path: Path,
) -> None:
    facts = with_golden(many_answers(90), 2)
    golden, other = facts.interactions[-2:]
    interactions = list(facts.interactions)
    interactions[0] = replace(interactions[0], question=golden.question.upper() + "?")
    interactions[1] = replace(interactions[1], conversation_id="c")
    interactions[-1] = replace(other, conversation_id="c")
    segments = await segments_with(tmp_path, PartitionFacts(interactions, facts.feedback))
    frozen = await frozen_from(segments, unanswered=0)
    ids = {row.question_id for row in answer_rows(frozen)}
    assert not ids & {one.interaction_id for one in interactions[:2]}
    assert len(ids) == 90
    assert frozen.card["dropped"][NotLearned.HELD_OUT] == 2


def test_a_golden_answer_may_be_the_one_that_was_given_and_stands_before_other_corrections() -> (
    None
):
    one = an_answer(1)
    golden = replace(a_correction(one, one.answer, actor="owner"), golden=True)
    others = [a_correction(one, "It is other.", actor=f"user-{n}") for n in range(3)]
    joined = AnswersJoined(Wanted(PROMPT, CONTEXT_TOKENS))
    joined.add(PartitionFacts([one], [*others, golden]))
    [example] = joined.examples()
    assert example.golden
    assert example.words == one.answer.casefold()


async def test_rows_find_their_texts_again(tmp_path: Path) -> None:
    segments = await segments_with(tmp_path, many_answers(90))
    texts = await answer_texts(await frozen_from(segments), segments, never_rendered)
    row, text = next((row, text) for row, text in texts if row.kind is AnswerKind.CORRECTION)
    number = int(row.question_id[-4:])
    assert text.system == "Be brief."
    assert text.user == f"[1] {mark_of('1')}\nQuestion: {number}?"
    assert text.passages == {"1": text_of(number)}
    assert text.answer == f"It is right{number}."
    assert text.context.question == f"what is subject{number} matter{number}"
    assert [each.text for each in text.context.read] == [text_of(number)]
    declined = next(text for row, text in texts if row.kind is AnswerKind.DECLINED)
    assert declined.answer == NO_ANSWER
    assert declines(declined.answer)


@pytest.mark.parametrize("versions", [{"generator": "extractive-1"}, {"prompt/answer": "answer-0"}])
async def test_an_answer_without_that_prompt_is_learned_with_one_that_is_made(
    tmp_path: Path, versions: dict[str, str]
) -> None:
    facts = many_answers(90)
    turns = (Turn(role="user", content="Hello."),)
    interactions = [
        replace(one, prompt="" if "generator" in versions else one.prompt, history=turns)
        for one in facts.interactions
    ]
    interactions = [replace(one, versions=versions) for one in interactions]
    segments = await segments_with(tmp_path, PartitionFacts(interactions, facts.feedback))

    async def render(context: QuestionContext) -> tuple[str, str]:
        assert context.history == turns
        return "Be exact.", f"> {context.read[0].text}\n{context.question}?"

    for row, text in await answer_texts(await frozen_from(segments), segments, render):
        number = int(row.question_id[-4:])
        assert (text.system, text.passages) == ("Be exact.", {"1": text_of(number)})
        assert text.user == f"> {mark_of('1')}\nwhat is subject{number} matter{number}?"


async def test_a_passage_that_is_gone_is_told(tmp_path: Path) -> None:
    segments = await segments_with(tmp_path, many_answers(90))
    frozen = await frozen_from(segments)
    await segments.passages.keep_only({})
    with pytest.raises(FailedPrecondition, match="forgotten or are too old"):
        await answer_texts(frozen, segments, never_rendered)


async def test_no_question_conversation_or_person_is_on_two_sides(tmp_path: Path) -> None:
    facts = many_answers(90, actors=90)
    conversations = [
        replace(one, conversation_id=f"c{at // 2}") for at, one in enumerate(facts.interactions)
    ]
    segments = await segments_with(tmp_path, PartitionFacts(conversations, facts.feedback))
    frozen = await frozen_from(segments)
    assert frozen.card["apart"] == ["question", "conversation", "actor"]
    by_id = {one.interaction_id: one for one in conversations}
    sides: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for row in answer_rows(frozen):
        names = [("cluster", row.cluster), *(("actor", actor) for actor in row.actors)]
        names.append(("conversation", by_id[row.question_id].conversation_id))
        for name in names:
            sides[name].add(row.part is DataSetPart.GATE)
    assert all(len(each) == 1 for each in sides.values())
    assert {row.part for row in answer_rows(frozen)} == set(DataSetPart)


async def test_few_people_tie_everything_together_and_the_card_says_so(tmp_path: Path) -> None:
    segments = await segments_with(tmp_path, many_answers(90, actors=3))
    assert (await frozen_from(segments)).card["apart"] == ["question", "conversation"]


async def test_a_question_is_held_out_where_its_documents_taught_nothing(tmp_path: Path) -> None:
    facts = many_answers(90)
    shared = replace(quoted(0), document_id="of-many")
    interactions = [
        replace(one, shown=(replace(shared, text=digest(at)),)) if at % 3 == 0 else one
        for at, one in enumerate(facts.interactions)
    ]
    segments = await segments_with(tmp_path, PartitionFacts(interactions, facts.feedback))
    gate = [row for row in answer_rows(await frozen_from(segments)) if row.part is DataSetPart.GATE]
    assert {row.held_out for row in gate if row.documents == ("of-many",)} == {False}
    assert {row.held_out for row in gate if row.documents != ("of-many",)} == {True}


@pytest.mark.parametrize(("actors", "people_apart"), [(6, False), (30, False), (90, True)])
async def test_documents_of_many_questions_are_held_out_whole(
    tmp_path: Path, actors: int, people_apart: bool
) -> None:
    facts = many_answers(90, actors=actors)
    interactions = [
        replace(one, shown=(replace(quoted(at), document_id=f"of-many-{at % 9}"),))
        for at, one in enumerate(facts.interactions)
    ]
    segments = await segments_with(tmp_path, PartitionFacts(interactions, facts.feedback))
    frozen = await frozen_from(segments)
    assert ("actor" in frozen.card["apart"]) == people_apart
    rows = answer_rows(frozen)
    new = [row for row in rows if row.held_out]
    assert len({row.cluster for row in new}) >= PROFILES["demo"].slice_questions
    learned = {each for row in rows if row.part is not DataSetPart.GATE for each in row.documents}
    assert not {each for row in new for each in row.documents} & learned
    gate = [row for row in rows if row.part is DataSetPart.GATE]
    assert 0 < len(gate) - len(new) < len(gate)
    assert len(gate) <= 0.4 * len(rows)


@pytest.mark.parametrize(
    ("count", "actors", "profile", "message"),
    [
        (0, 1, "demo", "the window holds 0 questions of tenant acme"),
        (12, 6, "demo", r"too few answers: \d+ to learn from and \d+ to judge by"),
        (90, 6, "default", "too few answers: .* or try the loop with --profile demo"),
        (300, 1, "default", "all answers are by one actor"),
    ],
)
async def test_too_little_is_refused_in_words(
    tmp_path: Path, count: int, actors: int, profile: str, message: str
) -> None:
    segments = await segments_with(tmp_path, many_answers(count, actors=actors))
    with pytest.raises(FailedPrecondition, match=message):
        await frozen_from(segments, profile=profile)


async def test_a_refusal_counts_what_was_left_out(tmp_path: Path) -> None:
    one = an_answer(shown=(quoted(0, used=False),))
    segments = await segments_with(tmp_path, PartitionFacts([one], [a_correction(one, "Tea.")]))
    with pytest.raises(FailedPrecondition, match=r"1 left out \(nothing was found"):
        await frozen_from(segments)


async def test_too_little_counts_what_was_left_out_of_it(tmp_path: Path) -> None:
    facts = many_answers(12)
    one = an_answer(99)
    words = [*facts.feedback, a_correction(one, "x" * 9_000, offset=99)]
    segments = await segments_with(tmp_path, PartitionFacts([*facts.interactions, one], words))
    with pytest.raises(FailedPrecondition, match=r"too few .*; 1 left out \(the answer has more"):
        await frozen_from(segments)


async def test_the_card_tells_when_the_last_correction_was_written(tmp_path: Path) -> None:
    facts = many_answers(90)
    words = [*facts.feedback[:-1], replace(facts.feedback[-1], received_at=LATER)]
    segments = await segments_with(tmp_path, PartitionFacts(facts.interactions, words))
    assert (await frozen_from(segments)).card["last_vote_at"] == rfc3339(LATER)


async def test_a_data_set_expires_when_a_correction_is_gone(tmp_path: Path) -> None:
    facts = many_answers(90)
    segments = await segments_with(tmp_path, facts)
    shelf = Shelf(f"file://{tmp_path}/store", "data-sets")
    store = DataSetStore(Store(f"file://{tmp_path}/store"), shelf)
    frozen = await frozen_from(segments)
    await store.keep(frozen, MORNING)
    assert await expire_incomplete_data_sets(store, segments, LATER) == 0
    without = await segments_with(
        tmp_path / "other", PartitionFacts(facts.interactions, facts.feedback[:-6])
    )
    assert await expire_incomplete_data_sets(store, without, LATER) == 1
    emptied = replace(frozen, card={**frozen.card, "window": {}})
    with pytest.raises(FailedPrecondition, match="forgotten or are too old"):
        await answer_texts(emptied, without, never_rendered)


async def test_a_data_set_lasts_on_which_people_agree_who_asked_apart(tmp_path: Path) -> None:
    facts = many_answers(90)
    again = replace(an_answer(90), question=facts.interactions[0].question)
    word = a_correction(again, "It is right0.", offset=90, actor="somebody-else")
    both = PartitionFacts([*facts.interactions, again], [*facts.feedback, word])
    segments = await segments_with(tmp_path, both)
    shelf = Shelf(f"file://{tmp_path}/store", "data-sets")
    store = DataSetStore(Store(f"file://{tmp_path}/store"), shelf)
    frozen = await frozen_from(segments)
    assert max(len(row.actors) for row in answer_rows(frozen)) == 2
    await store.keep(frozen, MORNING)
    assert await expire_incomplete_data_sets(store, segments, LATER) == 0


async def test_a_teacher_is_asked_the_newest_questions_that_nobody_answered(
    tmp_path: Path,
) -> None:
    facts = with_unanswered(many_answers(90), 12)
    *open_ones, last = facts.interactions
    closed = replace(last, shown=(quoted(101, acl=("board",)),))
    segments = await segments_with(tmp_path, PartitionFacts([*open_ones, closed], facts.feedback))
    frozen = await frozen_from(segments, unanswered=8)
    of_teacher = [row for row in answer_rows(frozen) if row.kind is AnswerKind.DISTILLED]
    assert [int(row.question_id[-4:]) for row in of_teacher] == list(range(93, 101))
    assert {(row.part, row.weight, row.actors) for row in of_teacher} == {
        (DataSetPart.FIT, 0.4, ())
    }
    assert frozen.card["parts"]["fit"]["distilled"] == 8
    others = [row for row in answer_rows(frozen) if row.kind is not AnswerKind.DISTILLED]
    assert others == answer_rows(await frozen_from(segments))
    texts = await answer_texts(frozen, segments, never_rendered)
    assert {text.answer for row, text in texts if row.kind is AnswerKind.DISTILLED} == {""}


async def test_a_teacher_is_not_asked_what_is_held_out(tmp_path: Path) -> None:
    facts = with_unanswered(many_answers(90), 4)
    segments = await segments_with(tmp_path / "before", facts)
    rows = answer_rows(await frozen_from(segments))
    held_out = next(row for row in rows if row.part is DataSetPart.GATE)
    (interaction,) = (
        one for one in facts.interactions if one.interaction_id == held_out.question_id
    )
    first, second, *others = facts.interactions[90:]
    moved = [
        replace(first, conversation_id=interaction.conversation_id),
        replace(second, question=f"{interaction.question}?"),
    ]
    facts = PartitionFacts([*facts.interactions[:90], *moved, *others], facts.feedback)
    frozen = await frozen_from(await segments_with(tmp_path / "after", facts), unanswered=10)
    of_teacher = [row for row in answer_rows(frozen) if row.kind is AnswerKind.DISTILLED]
    assert [int(row.question_id[-4:]) for row in of_teacher] == [92, 93]
