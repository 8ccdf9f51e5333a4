"""From labelled questions to what each step learns from."""

import numpy as np
import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_trainer.data_sets.frozen import DataSetRow, ShownRow
from gyre_trainer.recipes import RECIPES
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.examples import (
    Batches,
    TrainingExample,
    examples_of,
    merge_questions,
    rehearsals,
)
from gyre_trainer.recipes.query_encoder.inputs import CorpusPassage, EncodedCorpus
from gyre_trainer.recipes.query_encoder.ranking import (
    LegHit,
    LiveHits,
)

CORPUS = EncodedCorpus(
    [
        CorpusPassage(
            chunk_id="c0", title="Tea", text="Tea is dried. It is then sorted by hand in halls."
        ),
        CorpusPassage(
            chunk_id="c1", text="Coffee is roasted until it cracks, twice if it is dark."
        ),
        CorpusPassage(chunk_id="c2", title="Cocoa", text="Short."),
    ],
    np.eye(3, dtype=np.float32),
)


def a_question_row(question: str, **labels: float) -> DataSetRow:
    shown = tuple(ShownRow(chunk_id=chunk, label=label) for chunk, label in labels.items())
    return DataSetRow(question_id=question, question=question, shown=shown)


def test_the_same_question_asked_twice_is_one_with_mean_labels() -> None:
    rows = [
        a_question_row("What is tea?", c0=1.0, c1=-1.0),
        a_question_row("what  is TEA?", c0=0.5),
    ]
    (question,) = merge_questions(rows, "fit")
    assert question.labels == {"c0": 0.75, "c1": -1.0}
    assert question.ids == ("What is tea?", "what  is TEA?")


def test_votes_that_contradict_each_other_cancel_out() -> None:
    assert (
        merge_questions([a_question_row("tea", c0=1.0), a_question_row("tea", c0=-1.0)], "fit")
        == []
    )


def test_a_question_without_a_wanted_passage_teaches_nothing() -> None:
    assert merge_questions([a_question_row("tea", c0=-1.0)], "fit") == []


def test_the_target_is_shared_by_label_and_a_weak_label_weighs_less() -> None:
    rows = [a_question_row("tea", c0=1.0, c1=0.5), a_question_row("coffee", c1=0.5)]
    tea, coffee = examples_of(merge_questions(rows, "fit"), CORPUS, {})
    assert tea.target == pytest.approx({0: 2 / 3, 1: 1 / 3})
    assert (tea.weight, coffee.weight) == (1.0, 0.5)


def test_votes_on_deleted_passages_are_left_out_and_without_any_other_it_is_refused() -> None:
    rows = [a_question_row("tea", c0=1.0, gone=1.0), a_question_row("coffee", gone=1.0)]
    (only,) = examples_of(merge_questions(rows, "fit"), CORPUS, {})
    assert only.target == {0: 1.0}
    with pytest.raises(FailedPrecondition, match="still in the index"):
        examples_of(merge_questions(rows[1:], "fit"), CORPUS, {})


def test_what_bm25_brings_anyway_stands_beside_the_target() -> None:
    hits = LiveHits(
        question_id="tea",
        legs=(LegHit("c1", 4.0, None, 0.8), LegHit("c2", 2.0, 0.1, 0.8)),
        spans={"bm25": (0.0, 8.0)},
    )
    (example,) = examples_of(
        merge_questions([a_question_row("tea", c0=1.0)], "fit"), CORPUS, {"tea": hits}
    )
    assert example.target == {0: 1.0}
    assert example.lexical == {1: 0.5, 2: 0.25}


def test_what_repeats_a_wanted_passage_need_not_be_found_unless_somebody_judged_it() -> None:
    text = "Holidays are asked for in the calendar and the head of the team agrees to them."
    texts = {
        "wanted": ("Handbook", text),
        "copy": ("Archive", text.replace(" ", "  ")),
        "version": ("Handbook", f"{text} It was always so."),
        "elsewhere": ("Rules", f"{text} It was always so."),
        "other": ("Handbook", "Keys are given out by the porter."),
    }
    corpus = EncodedCorpus(
        [CorpusPassage(chunk_id=one, title=title, text=own) for one, (title, own) in texts.items()],
        np.eye(5, dtype=np.float32),
    )
    rows = [a_question_row("holidays?", wanted=1.0), a_question_row("days?", wanted=1.0, copy=-1.0)]
    unjudged, judged = examples_of(merge_questions(rows, "fit"), corpus, {})
    assert (set(unjudged.repeats), set(judged.repeats)) == ({1, 2}, {2})


def test_another_tenant_or_other_groups_make_another_question_and_hide_what_they_cannot_find() -> (
    None
):
    ours = a_question_row("tea", a=1.0)
    rows = [
        ours.model_copy(update={"tenant": "acme"}),
        ours.model_copy(update={"tenant": "acme", "acl": ("staff",)}),
        ours.model_copy(update={"tenant": "other"}),
    ]
    corpus = EncodedCorpus(
        [
            CorpusPassage(chunk_id="a", tenant="acme", text="Public."),
            CorpusPassage(chunk_id="b", tenant="acme", acl=("staff",), text="Of the staff."),
            CorpusPassage(chunk_id="c", tenant="other", text="Of others."),
        ],
        np.eye(3, dtype=np.float32),
    )
    guest, member = examples_of(merge_questions(rows, "fit")[:2], corpus, {})
    hidden = [each.hidden.tolist() for each in (guest, member) if each.hidden is not None]
    assert hidden == [[False, True, True], [False, False, True]]
    assert len(merge_questions(rows, "fit")) == 3


def test_rehearsed_texts_are_titles_and_sentences_of_their_passage() -> None:
    texts = {each.text for each in rehearsals(CORPUS, count=60, own_share=0.5, seed=0)}
    assert texts == {
        "Tea",
        "It is then sorted by hand in halls.",
        "Coffee is roasted until it cracks, twice if it is dark.",
        "Cocoa",
    }


def examples(count: int) -> list[TrainingExample]:
    return [TrainingExample(text=f"q{n}", target={0: 1.0}) for n in range(count)]


def test_every_question_comes_once_an_epoch_in_another_order() -> None:
    config = QueryEncoderConfig(batch=4, epochs=2, seed=1)
    batches = Batches(examples(8), CORPUS, config)
    texts = [
        each.text
        for step in range(batches.steps)
        for batch in batches.at(step, rank=0, ranks=1)
        for each in batch.questions
    ]
    first, second = texts[:8], texts[8:]
    assert batches.steps == 4
    assert sorted(first) == sorted(second) == [f"q{n}" for n in range(8)]
    assert first != second


def test_processes_and_accumulation_only_divide_the_step() -> None:
    whole = Batches(examples(9), CORPUS, QueryEncoderConfig(batch=6, rehearsal=1, seed=1))
    parts = Batches(
        examples(9), CORPUS, QueryEncoderConfig(batch=6, rehearsal=1, seed=1, accumulation=3)
    )
    for step in range(whole.steps):
        (together,) = whole.at(step, rank=0, ranks=1)
        apart = [each for rank in (0, 1) for each in parts.at(step, rank=rank, ranks=2)]
        assert {each.question_total for each in apart} == {6}
        for kind in ("questions", "rehearsals"):
            divided = sorted(each.text for batch in apart for each in getattr(batch, kind))
            assert divided == sorted(each.text for each in getattr(together, kind))


def test_the_learning_rate_rises_and_falls_in_straight_lines() -> None:
    config = QueryEncoderConfig(learning_rate=1.0, warm_up=0.2)
    rates = [config.rate_at(step, 10, Variant.FULL) for step in range(10)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_settings_are_read_from_text_and_an_unknown_one_is_refused() -> None:
    config = QueryEncoderConfig.from_settings({"epochs": "2", "shares": "0,0.5"})
    assert (config.epochs, config.shares) == (2, (0.0, 0.5))
    recipe = RECIPES["query-encoder"]
    with pytest.raises(InvalidInput, match="setting epoch "):
        recipe.check({"epoch": "2"})
    with pytest.raises(InvalidInput, match="setting epochs "):
        recipe.check({"epochs": "many"})
