"""From what people preferred to a frozen data set: pairs, labels, and what is held out."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.no_answer import NO_ANSWER
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.answer_freezing import freeze_answers
from gyre_trainer.data_sets.answer_joining import AnswersJoined, NotLearned, Wanted, trust
from gyre_trainer.data_sets.answers import (
    AnswerKind,
    AnswerRow,
    AnswersKind,
    answer_rows,
    answer_texts,
)
from gyre_trainer.data_sets.data_set_store import DataSetStore, expire_incomplete_data_sets
from gyre_trainer.data_sets.exporting import Exporting
from gyre_trainer.data_sets.frozen import DataSetPart, FrozenDataSet
from gyre_trainer.data_sets.preference_freezing import freeze_preferences
from gyre_trainer.data_sets.preferences import Preference, preferences_of
from gyre_trainer.segments import Segments
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts

from tests.unit.trainer.answer_facts import (
    CONTEXT_TOKENS,
    PROMPT,
    a_correction,
    a_thumb,
    an_answer,
    many_answers,
    many_preferences,
    never_rendered,
    quoted,
    segments_with,
    with_golden,
)
from tests.unit.trainer.training_facts import MORNING

PAIRS, LABELLED = AnswersKind.PAIRS, AnswersKind.LABELLED
COMPARISONS = AnswersKind.COMPARISONS
WRONG = 0.1


def preferred(
    kind: AnswersKind, interactions: list[InteractionFact], words: list[FeedbackFact], **wanted: Any
) -> list[Preference]:
    joined = AnswersJoined(Wanted(PROMPT, CONTEXT_TOKENS, **wanted))
    joined.add(PartitionFacts(interactions, words))
    return preferences_of(kind, joined.examples(), joined.disliked(), wrong=WRONG)


def another_answer(one: InteractionFact, offset: int, **overrides: Any) -> InteractionFact:
    """The same question, with another answer."""
    fields = {"question": one.question, "answer": f"It is other{offset}."}
    return an_answer(offset, **(fields | overrides))


def test_a_correction_is_better_than_what_it_corrects() -> None:
    one = an_answer()
    (pair,) = preferred(PAIRS, [one], [a_correction(one, "It is tea.")])
    assert pair.answer.words == "it is tea."
    assert pair.rejected is not None
    assert pair.rejected.words == "it is wrong0."
    assert pair.trust == trust(1, WRONG)


def test_a_liked_answer_is_better_than_the_most_disliked_one_to_nearly_the_same_question() -> None:
    liked = an_answer(1, question="what is the port of the server")
    others = [
        another_answer(liked, 2),
        another_answer(liked, 3, question="What is the port of the server?"),
    ]
    words = [
        a_thumb(liked, actor="ann"),
        a_thumb(others[0], "down", actor="ann"),
        a_thumb(others[1], "down", actor="ann"),
        a_thumb(others[1], "down", actor="bob"),
    ]
    (pair,) = preferred(PAIRS, [liked, *others], words)
    assert pair.answer.interaction == liked
    assert pair.rejected is not None
    assert pair.rejected.interaction == others[1]
    assert pair.trust == pytest.approx((trust(1, WRONG) + trust(2, WRONG)) / 2)


@pytest.mark.parametrize(
    "other",
    [{"acl": ("board",)}, {"tenant": "other"}, {"question": "something else entirely"}],
)
def test_what_others_were_answered_is_no_worse_answer(other: dict[str, Any]) -> None:
    liked = an_answer(1)
    disliked = another_answer(liked, 2, **other)
    words = [a_thumb(liked), a_thumb(disliked, "down")]
    assert preferred(PAIRS, [liked, disliked], words) == []


def test_the_same_words_are_no_pair_and_teach_no_label() -> None:
    liked = an_answer(1)
    disliked = another_answer(liked, 2, answer=liked.answer.upper())
    words = [a_thumb(liked), a_thumb(disliked, "down")]
    assert preferred(PAIRS, [liked, disliked], words) == []
    (label,) = preferred(LABELLED, [liked, disliked], words)
    assert label.desirable


def test_an_answer_without_words_is_in_no_pair_and_has_no_label() -> None:
    corrected, disliked = an_answer(1, answer=" "), an_answer(2, answer="")
    words = [a_correction(corrected, "It is tea."), a_thumb(disliked, "down")]
    assert preferred(PAIRS, [corrected, disliked], words) == []
    (label,) = preferred(LABELLED, [corrected, disliked], words)
    assert label.answer.words == "it is tea."


def test_two_ways_to_say_that_there_is_no_answer_are_no_pair() -> None:
    one = an_answer(answer=NO_ANSWER)
    assert preferred(PAIRS, [one], [a_correction(one, "Not answered here.")]) == []


def test_labels_are_what_was_said_of_each_answer_and_one_of_either_kind_a_question() -> None:
    corrected, liked, disliked = an_answer(1), an_answer(2), an_answer(3)
    again = another_answer(corrected, 4)
    words = [
        a_correction(corrected, "It is tea.", actor="ann"),
        a_thumb(corrected, "down", actor="ann"),
        a_thumb(again, "down", actor="bob"),
        a_thumb(liked, actor="ann"),
        a_thumb(disliked, "down", actor="ann"),
    ]
    labels = preferred(LABELLED, [corrected, liked, disliked, again], words)
    assert sorted((each.desirable, each.answer.words) for each in labels) == [
        (False, "it is wrong1."),
        (False, "it is wrong3."),
        (True, "it is tea."),
        (True, "it is wrong2."),
    ]


async def frozen_from(
    segments: Segments, kind: AnswersKind, *, restricted: bool = False
) -> FrozenDataSet:
    return await freeze_preferences(
        segments,
        kind=kind,
        tenant="acme",
        profile="demo",
        window=await segments.durable(),
        wanted=Wanted(PROMPT, CONTEXT_TOKENS, restricted=restricted),
        liked_weight=0.5,
    )


def split(frozen: FrozenDataSet) -> tuple[list[AnswerRow], list[AnswerRow]]:
    rows = answer_rows(frozen)
    gate = [row for row in rows if row.part is DataSetPart.GATE]
    return [row for row in rows if row.part is not DataSetPart.GATE], gate


@pytest.mark.parametrize("kind", [PAIRS, LABELLED])
async def test_a_window_gives_a_data_set_without_texts_always_the_same(
    tmp_path: Path, kind: AnswersKind
) -> None:
    segments = await segments_with(tmp_path, many_preferences(90))
    frozen = await frozen_from(segments, kind)
    assert (await frozen_from(segments, kind)).digest == frozen.digest
    assert not any(b"It is" in content for content in frozen.files.values())
    assert frozen.card["kind"] == kind
    taught, gate = split(frozen)
    assert (len(taught), len(gate)) == (
        frozen.card["train_questions"],
        frozen.card["gate_questions"],
    )
    assert {bool(row.rejected_id) for row in taught} == {kind is PAIRS}
    counted = Counter(row.desirable for row in taught if row.part is DataSetPart.FIT)
    assert frozen.card["parts"]["fit"]["disliked"] == counted[False]
    assert bool(counted[False]) is (kind is LABELLED)


@pytest.mark.parametrize("kind", [PAIRS, LABELLED])
async def test_candidates_are_judged_by_the_answers_that_are_held_out_for_every_recipe(
    tmp_path: Path, kind: AnswersKind
) -> None:
    segments = await segments_with(tmp_path, many_preferences(90))
    wanted = await freeze_answers(
        segments,
        tenant="acme",
        profile="demo",
        window=await segments.durable(),
        wanted=Wanted(PROMPT, CONTEXT_TOKENS),
        liked_weight=0.5,
    )
    taught, gate = split(await frozen_from(segments, kind))
    _, expected = split(wanted)
    assert [(row.question_id, row.weight) for row in gate] == [
        (row.question_id, row.weight) for row in expected
    ]
    assert not {row.cluster for row in taught} & {row.cluster for row in gate}
    documents = {document for row in taught for document in row.documents}
    assert all(row.held_out == (not documents & set(row.documents)) for row in gate)


@pytest.mark.parametrize("kind", [PAIRS, LABELLED, COMPARISONS])
async def test_golden_answers_teach_no_preference(tmp_path: Path, kind: AnswersKind) -> None:
    facts = with_golden(many_preferences(90), 5)
    golden = {one.interaction_id for one in facts.interactions[-5:]}
    taught, gate = split(await frozen_from(await segments_with(tmp_path, facts), kind))
    assert not golden & {one for row in taught for one in (row.question_id, row.rejected_id)}
    judging = {row.question_id for row in gate if row.golden}
    assert judging == (set() if kind is COMPARISONS else golden)


async def test_comparisons_are_the_same_pairs_and_those_that_are_held_out_judge(
    tmp_path: Path,
) -> None:
    segments = await segments_with(tmp_path, many_preferences(90))
    pairs, wanted = split(await frozen_from(segments, PAIRS))
    frozen = await frozen_from(segments, COMPARISONS)
    taught, gate = split(frozen)
    assert frozen.card["kind"] == COMPARISONS
    assert [row.question_id for row in taught] == [row.question_id for row in pairs]
    assert all(row.rejected_id for row in (*taught, *gate))
    assert {row.question_id for row in gate} <= {row.question_id for row in wanted}
    assert {row.kind for row in gate} >= {AnswerKind.CORRECTION, AnswerKind.DECLINED}
    documents = {document for row in taught for document in row.documents}
    assert all(row.held_out == (not documents & set(row.documents)) for row in gate)


@pytest.mark.parametrize("at", ["rejected", "answer"])
async def test_what_is_tied_to_either_side_of_a_held_out_comparison_teaches_nothing(
    tmp_path: Path, at: str
) -> None:
    facts = many_preferences(90)
    taught, gate = split(await frozen_from(await segments_with(tmp_path / "a", facts), COMPARISONS))
    judging = next(row for row in gate if row.kind is AnswerKind.LIKED)
    learned = next(row for row in taught if row.kind is AnswerKind.CORRECTION)
    side = judging.rejected_id if at == "rejected" else judging.question_id
    other = next(one for one in facts.interactions if one.interaction_id == side)
    moved = [
        replace(one, conversation_id=other.conversation_id or other.interaction_id)
        if one.interaction_id == learned.question_id
        else one
        for one in facts.interactions
    ]
    segments = await segments_with(tmp_path / "b", PartitionFacts(moved, facts.feedback))
    taught, gate = split(await frozen_from(segments, COMPARISONS))
    judged_by, taught_by = ({row.question_id for row in rows} for rows in (gate, taught))
    assert judging.question_id not in judged_by or learned.question_id not in taught_by


async def test_what_a_held_out_conversation_holds_teaches_nothing(tmp_path: Path) -> None:
    """A liked answer is learned; the worse one was given in a conversation to judge by."""
    facts = many_preferences(90)
    before = split(await frozen_from(await segments_with(tmp_path / "a", facts), PAIRS))
    gate_ids = {row.question_id for row in before[1]}
    held_out = next(one for one in facts.interactions if one.interaction_id in gate_ids)
    pair = next(row for row in before[0] if row.kind is AnswerKind.LIKED)
    moved = [
        replace(one, conversation_id=held_out.conversation_id)
        if one.interaction_id == pair.rejected_id
        else one
        for one in facts.interactions
    ]
    segments = await segments_with(tmp_path / "b", PartitionFacts(moved, facts.feedback))
    frozen = await frozen_from(segments, PAIRS)
    assert pair.question_id not in {row.question_id for row in split(frozen)[0]}
    assert frozen.card["dropped"][NotLearned.HELD_OUT.value] == 1


async def test_rows_find_both_answers_and_the_prompt_of_the_better_one(tmp_path: Path) -> None:
    segments = await segments_with(tmp_path, many_preferences(90))
    texts = await answer_texts(await frozen_from(segments, PAIRS), segments, never_rendered)
    pairs = [(row, text) for row, text in texts if row.rejected_id]
    liked, text = next(pair for pair in pairs if pair[0].kind is AnswerKind.LIKED)
    number = int(liked.question_id[-4:])
    assert (text.answer, text.rejected) == (f"It is wrong{number}.", f"It is worse{number}.")
    assert text.user.endswith(f"Question: {number}?")
    declined, text = next(pair for pair in pairs if pair[0].kind is AnswerKind.DECLINED)
    number = int(declined.question_id[-4:])
    assert (text.answer, text.rejected) == (NO_ANSWER, f"It is wrong{number}.")


async def test_no_answer_to_a_restricted_document_is_in_a_pair_or_has_a_label(
    tmp_path: Path,
) -> None:
    facts = many_preferences(90)
    closed = [
        replace(one, shown=(quoted(one.offset, acl=("board",)),)) if one.offset >= 90 else one
        for one in facts.interactions
    ]
    segments = await segments_with(tmp_path, PartitionFacts(closed, facts.feedback))
    ids = {one.interaction_id for one in closed if one.offset >= 90}
    for kind in (PAIRS, LABELLED):
        frozen = await frozen_from(segments, kind)
        taught, _ = split(frozen)
        assert not ids & {name for row in taught for name in (row.question_id, row.rejected_id)}
        assert frozen.card["groups"] == []
        allowed = await frozen_from(segments, kind, restricted=True)
        assert allowed.card["groups"] == ["board"]


@pytest.mark.parametrize("kind", [PAIRS, LABELLED])
async def test_a_data_set_expires_when_the_worse_answer_is_gone(
    tmp_path: Path, kind: AnswersKind
) -> None:
    facts = many_preferences(90)
    segments = await segments_with(tmp_path, facts)
    shelf = Shelf(f"file://{tmp_path}/store", "data-sets")
    store = DataSetStore(Store(f"file://{tmp_path}/store"), shelf)
    frozen = await frozen_from(segments, kind)
    await store.keep(frozen, MORNING)
    assert await expire_incomplete_data_sets(store, segments, MORNING) == 0
    without = PartitionFacts(facts.interactions[:90], facts.feedback[:90])
    fewer = await segments_with(tmp_path / "other", without)
    assert await expire_incomplete_data_sets(store, fewer, MORNING) == 1
    emptied = replace(frozen, card={**frozen.card, "window": {}})
    with pytest.raises(FailedPrecondition, match="forgotten or are too old"):
        await answer_texts(emptied, fewer, never_rendered)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (PAIRS, {"prompt", "chosen", "rejected"}),
        (COMPARISONS, {"prompt", "chosen", "rejected"}),
        (LABELLED, {"prompt", "completion", "label"}),
    ],
)
async def test_a_data_set_is_exported_as_other_trainers_have_it(
    tmp_path: Path, kind: AnswersKind, fields: set[str]
) -> None:
    segments = await segments_with(tmp_path, many_preferences(90))
    shelf = Shelf(f"file://{tmp_path}/store", "data-sets")
    store = DataSetStore(Store(f"file://{tmp_path}/store"), shelf)
    frozen = await frozen_from(segments, kind)
    await store.keep(frozen, MORNING)
    exporter = Exporting(store, segments, lambda _: never_rendered)
    caller = RequestContext(tenant="acme")
    lines = await exporter.lines(frozen.digest, caller=caller, form="trl", part="")
    assert {frozenset(json.loads(line)) for line in lines} == {frozenset(fields)}
    first = json.loads(lines[0])
    answers = [first[name][0]["role"] for name in fields - {"prompt", "label"}]
    assert set(answers) == {"assistant"}
    if kind is LABELLED:
        assert {json.loads(line)["label"] for line in lines} == {True, False}
    assert await exporter.lines(frozen.digest, caller=caller, form="trl", part="gate")


async def test_labels_of_one_kind_alone_are_refused_in_words(tmp_path: Path) -> None:
    facts = many_answers(90)
    liked = [a_thumb(one, offset=at) for at, one in enumerate(facts.interactions)]
    segments = await segments_with(tmp_path, PartitionFacts(facts.interactions, liked))
    with pytest.raises(FailedPrecondition, match="no answer to learn from that should not"):
        await frozen_from(segments, LABELLED)
    with pytest.raises(FailedPrecondition, match="too few answers: 0 to learn from"):
        await frozen_from(segments, PAIRS)
