"""What people said becomes labels: by the latest word, and never more than was said."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gyre_trainer.data_sets.joining import InteractionWithFeedback, Reason
from gyre_trainer.data_sets.labels import labels
from gyre_trainer.data_sets.reliability import Beliefs, beliefs
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts

from tests.unit.trainer.training_facts import (
    MORNING,
    a_judgement,
    a_vote,
    an_interaction,
    an_opinion,
    chunk,
    join,
    joined,
)

TEA = an_interaction(0, 1, 2, 3, 4, cited=(chunk(2),))


def labels_of(
    *feedback: FeedbackFact, of: InteractionFact = TEA
) -> dict[int, tuple[float | None, str]]:
    """Label and reason by rank, as if everybody were always right."""
    [example], _ = joined(of, *feedback)
    labels_by_chunk = labels(example, Beliefs())
    return {
        one.rank: (labels_by_chunk[one.chunk_id].value, labels_by_chunk[one.chunk_id].why)
        for one in of.shown
        if labels_by_chunk[one.chunk_id].why
    }


def test_votes_on_passages_are_labels_and_what_was_passed_over_is_a_weak_no() -> None:
    assert labels_of(a_vote(TEA, 3), a_vote(TEA, 4, "down")) == {
        1: (-0.25, "passed_over"),
        2: (-0.25, "passed_over"),
        3: (1.0, "vote_up"),
        4: (-1.0, "vote_down"),
    }


def test_a_vote_down_alone_says_nothing_of_what_stood_above() -> None:
    assert labels_of(a_vote(TEA, 3, "down")) == {3: (-1.0, "vote_down")}


def test_what_others_spoke_of_for_the_same_question_was_not_passed_over() -> None:
    again = an_interaction(1, 1, 2, 3, 4, question=TEA.question)
    one, two = join(PartitionFacts((TEA, again), (a_vote(TEA, 1), a_vote(again, 3)))).examples
    estimates = beliefs([one, two])
    assert {why for why in _whys(two, estimates).values() if why} == {"passed_over", "vote_up"}
    assert _whys(two, estimates)[1] == ""


def _whys(example: InteractionWithFeedback, estimates: Beliefs) -> dict[int, str]:
    labels_by_chunk = labels(example, estimates)
    return {one.rank: labels_by_chunk[one.chunk_id].why for one in example.interaction.shown}


def test_a_click_is_a_yes() -> None:
    click = an_opinion(TEA, kind="implicit", value="click", target=chunk(2))
    assert labels_of(click) == {1: (-0.25, "passed_over"), 2: (1.0, "click")}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("thumb", "up", {2: (0.5, "cited_up")}),
        ("thumb", "down", {2: (-0.5, "cited_down")}),
        ("rating", "5", {2: (0.5, "cited_up")}),
        ("rating", "2", {2: (-0.5, "cited_down")}),
    ],
)
def test_a_word_on_the_answer_is_a_weak_one_on_what_it_cites(
    kind: str, value: str, expected: dict[int, Any]
) -> None:
    assert labels_of(an_opinion(TEA, kind=kind, value=value)) == expected


def test_a_vote_on_a_passage_beats_what_was_said_of_the_answer() -> None:
    feedback = an_opinion(TEA, kind="thumb", value="up"), a_vote(TEA, 2, "down", actor="bob")
    assert labels_of(*feedback) == {2: (-1.0, "vote_down")}


def test_the_latest_word_of_one_actor_on_one_target_wins_whatever_came_first() -> None:
    early = a_vote(TEA, 1, "up")
    late = a_vote(TEA, 1, "down", received_at=early.received_at + timedelta(seconds=1))
    for feedback in ((early, late), (late, early)):
        assert labels_of(*feedback) == {1: (-1.0, "vote_down")}
    _, tally = joined(TEA, late, early)
    assert tally.dropped[Reason.SUPERSEDED] == 1


def test_a_rating_replaces_the_thumb_of_the_same_actor() -> None:
    thumb = an_opinion(TEA, kind="thumb", value="up")
    rating = an_opinion(TEA, kind="rating", value="1", received_at=MORNING + timedelta(days=1))
    assert labels_of(thumb, rating) == {2: (-0.5, "cited_down")}


def test_a_neutral_rating_takes_back_what_the_same_actor_said_before() -> None:
    praise = an_opinion(TEA, kind="rating", value="5")
    shrug = an_opinion(TEA, kind="rating", value="3", received_at=MORNING + timedelta(days=1))
    for feedback in ((praise, shrug), (shrug, praise)):
        examples, tally = joined(TEA, *feedback)
        assert examples == []
        assert (tally.dropped[Reason.SUPERSEDED], tally.dropped[Reason.NO_OPINION]) == (1, 1)


def test_a_neutral_rating_takes_back_nothing_that_others_said_or_that_comes_later() -> None:
    shrug = an_opinion(TEA, kind="rating", value="3", received_at=MORNING + timedelta(days=1))
    others = an_opinion(TEA, kind="rating", value="5", actor="bob"), a_vote(TEA, 1)
    assert labels_of(*others, shrug) == {1: (1.0, "vote_up"), 2: (0.5, "cited_up")}
    later = an_opinion(TEA, kind="thumb", value="up", received_at=MORNING + timedelta(days=2))
    assert labels_of(shrug, later) == {2: (0.5, "cited_up")}


def test_actors_who_contradict_each_other_evenly_say_nothing() -> None:
    feedback = [a_vote(TEA, 1, "up"), a_vote(TEA, 1, "down", actor="bob"), a_vote(TEA, 4)]
    assert labels_of(*feedback)[1] == (None, "contradictory")


def test_more_actors_one_way_than_the_other_leave_the_mean() -> None:
    feedback = [
        a_vote(TEA, 1, value, actor=actor)
        for actor, value in (("ann", "up"), ("bob", "up"), ("eve", "down"))
    ]
    assert labels_of(*feedback) == {1: (0.333333, "vote_up")}


def test_nobody_weighs_more_by_clicking_and_praising() -> None:
    click = an_opinion(TEA, kind="implicit", value="click", target=chunk(2), actor="bob")
    praise = an_opinion(TEA, kind="thumb", value="up", actor="bob")
    blame = an_opinion(TEA, kind="thumb", value="down", actor="ann")
    assert labels_of(click, praise, blame)[2] == (None, "contradictory")


def test_words_without_an_actor_are_those_of_the_conversation() -> None:
    other = replace(TEA, interaction_id="other", conversation_id=TEA.conversation_id)
    facts = PartitionFacts((TEA, other), (a_vote(TEA, 1, actor=""), a_vote(other, 1, actor="")))
    one, two = join(facts).examples
    assert one.opinions[0].actor == two.opinions[0].actor
    assert TEA.conversation_id not in one.opinions[0].actor


def test_what_cannot_count_is_counted() -> None:
    nothing_shown = a_vote(TEA, 9)
    retried = a_vote(TEA, 1)
    comment = an_opinion(TEA, kind="comment", value="")
    undecided = an_opinion(TEA, kind="rating", value="3")
    examples, tally = joined(TEA, nothing_shown, retried, retried, comment, undecided)
    assert len(examples) == 1
    assert tally.dropped == {
        Reason.NOT_SHOWN: 1,
        Reason.REPEATED: 1,
        Reason.NO_OPINION: 2,
        Reason.SUPERSEDED: 0,
        Reason.NO_INTERACTION: 0,
    }


def test_interactions_that_failed_and_votes_on_none_are_left_out() -> None:
    failed = an_interaction(1, outcome="error")
    elsewhere = replace(TEA, tenant="other")
    facts = PartitionFacts((failed, TEA, TEA), (a_vote(failed, 1), a_vote(elsewhere, 1)))
    tally = join(facts)
    assert tally.examples == []
    assert tally.interactions == 2
    assert tally.dropped[Reason.FAILED] == 1
    assert tally.dropped[Reason.NO_INTERACTION] == 1
    assert tally.dropped[Reason.REPEATED] == 1


def test_questions_of_filtered_searches_are_left_out_because_a_run_searches_everything() -> None:
    filtered = replace(TEA, filtered=True)
    examples, tally = joined(filtered, a_vote(filtered, 1))
    assert examples == []
    assert tally.shown_by_rank == {}
    assert +tally.dropped == {Reason.FILTERED: 1}


def test_shown_passages_and_verdicts_are_counted_voted_on_or_not() -> None:
    other = an_interaction(1, 7)
    tally = join(PartitionFacts((TEA, other), (), (a_judgement(TEA), a_judgement(TEA, 1))))
    assert tally.shown_by_rank == {1: 2, 2: 1, 3: 1, 4: 1}
    assert tally.with_feedback_by_rank == {}
    assert tally.judged == 1


def test_passages_that_words_speak_of_are_counted_clear_or_not() -> None:
    feedback = (
        a_vote(TEA, 4),
        a_vote(TEA, 4, "down", actor="bob"),
        an_opinion(TEA, kind="thumb", value="up"),
    )
    _, tally = joined(TEA, *feedback)
    assert tally.with_feedback_by_rank == {2: 1, 4: 1}
