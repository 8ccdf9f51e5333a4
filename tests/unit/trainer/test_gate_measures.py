"""What the gate measures, against numbers worked out by hand."""

import math

import pytest
from gyre_common.errors import GyreError
from gyre_common.fusion import Span
from gyre_trainer.recipes.query_encoder.gate import check_orders
from gyre_trainer.recipes.query_encoder.ranking import (
    LegHit,
    Legs,
    gate_questions,
    ndcg,
    refit,
)
from gyre_trainer.recipes.query_encoder.report import Weights

from tests.unit.trainer.gate_builders import a_question, a_row, some_legs


def test_unjudged_passages_are_taken_out_before_anything_is_measured() -> None:
    question = a_question("q", {"good": 2, "bad": 0, "weak": 1})
    (value,) = ndcg([question], {"q": ["unseen", "bad", "another", "good"]})
    # Condensed: bad, good. DCG = 2 / log2(3); ideal = 2 / log2(2) + 1 / log2(3).
    assert value == pytest.approx((2 / math.log2(3)) / (2 + 1 / math.log2(3)))


def test_a_good_passage_that_is_not_found_costs() -> None:
    question = a_question("q", {"good": 1, "bad": 0})
    assert ndcg([question], {"q": ["bad", "unseen"]}) == [0.0]
    assert ndcg([question], {"q": []}) == [0.0]


def test_only_the_first_ten_judged_passages_count() -> None:
    bad = {f"bad{number}": 0 for number in range(10)}
    question = a_question("q", {"good": 1, **bad})
    assert ndcg([question], {"q": [*bad, "good"]}) == [0.0]


def test_values_come_in_the_order_of_the_questions() -> None:
    questions = [a_question("b", {"x": 1}), a_question("a", {"x": 1, "y": 0})]
    assert ndcg(questions, {"a": ["y", "x"], "b": ["x"]}) == pytest.approx([1.0, 1 / math.log2(3)])


def test_votes_weigh_more_than_weak_signs_and_being_passed_over_is_worth_nothing() -> None:
    row = a_row(("voted", 1.0), ("clicked", 0.5), ("doubted", 0.2), ("passed", -0.25), ("?", None))
    (question,) = gate_questions([row], {})
    assert question.grades == {"voted": 10, "clicked": 5, "doubted": 2, "passed": 0}


def test_a_question_without_a_good_passage_tells_nothing() -> None:
    assert gate_questions([a_row(("bad", -1.0), ("?", None))], {}) == []


def test_a_question_counts_by_how_unlikely_it_was_to_get_here() -> None:
    first, third = gate_questions(
        [a_row(("a", 1.0)), a_row(("x", None), ("y", None), ("a", 1.0))], {1: 0.4, 2: 0.2, 3: 0.1}
    )
    assert (first.weight, third.weight) == pytest.approx((1.0, 4.0))


def test_a_question_counts_by_how_sure_it_is_that_something_is_good() -> None:
    sure, doubted = gate_questions([a_row(("a", 1.0)), a_row(("a", 0.3), ("b", 0.1))], {1: 1.0})
    assert doubted.weight / sure.weight == pytest.approx(0.3)


def test_two_good_passages_make_it_likelier_that_one_was_seen() -> None:
    rows = [a_row(("a", 1.0)), a_row(("a", 1.0), ("b", 1.0))]
    one, two = gate_questions(rows, {1: 0.1, 2: 0.1})
    assert one.weight / two.weight == pytest.approx(0.19 / 0.1)


def test_an_exploration_slot_makes_a_question_count_more_but_never_without_bound() -> None:
    row = a_row(("a", 1.0))
    explored = row.model_copy(
        update={"shown": (row.shown[0].model_copy(update={"propensity": 0.25}),)}
    )
    rare = row.model_copy(
        update={"shown": (row.shown[0].model_copy(update={"propensity": 0.001}),)}
    )
    weights = [question.weight for question in gate_questions([explored, rare], {1: 1.0})]
    assert weights == pytest.approx([4.0, 10.0])


def test_a_rank_that_was_never_judged_counts_as_the_rarest() -> None:
    (question,) = gate_questions([a_row(("x", None), ("a", 1.0))], {1: 1.0})
    assert question.weight == pytest.approx(10.0)


def test_fusing_again_adds_up_what_each_leg_says() -> None:
    legs = some_legs(("a", 20.0, 0.8), ("b", 10.0, 0.9), ("c", 0.0, 0.1), ("d", None, 0.5))
    # a: .5 x 1 + .5 x .875 = .9375; b: .25 + .5 = .75; d: .5 x .5 = .25; c: 0
    assert legs.ranked(Weights(0.5, 0.5)) == ["a", "b", "d", "c"]
    assert legs.ranked(Weights(0.1, 0.9)) == ["b", "a", "d", "c"]


def test_what_the_reply_cut_off_still_counts_in_the_normalisation() -> None:
    hits = [LegHit("a", 20.0, None, 0.0), LegHit("b", None, 0.9, 0.0), LegHit("c", 10.0, None, 0.0)]
    spans = {"bm25": Span(50, 0.0, 20.0), "dense": Span(50, 0.1, 0.9)}
    # With the least of what is left (10) c would be worth nothing and b would come before it.
    assert Legs(hits, spans).ranked(Weights(0.8, 0.3)) == ["a", "c", "b"]


def test_equal_scores_are_ordered_by_chunk_id_as_the_retriever_does() -> None:
    assert some_legs(("b", 5.0, None), ("a", 5.0, None)).ranked(Weights(1, 1)) == ["a", "b"]


def test_a_reply_that_cannot_be_made_again_stops_the_gate() -> None:
    legs = some_legs(("worse", 1.0, None), ("better", 2.0, None))
    with pytest.raises(GyreError, match="another order"):
        check_orders({"q": legs}, Weights(1, 0))
    assert check_orders({"q": some_legs(("better", 2.0, None))}, Weights(1, 0)) == 1


START = Weights(0.55, 0.45)


def test_weights_move_to_the_leg_that_is_right() -> None:
    questions = [a_question(str(number), {"good": 1, "bad": 0}) for number in range(10)]
    legs = {one.question_id: some_legs(("good", 1.0, 0.9), ("bad", 2.0, 0.1)) for one in questions}
    wrong = {one.question_id: ["bad", "good"] for one in questions}
    # As soon as the semantic leg counts more than half it decides: no reason to go further.
    assert refit(questions, legs, START, wrong) == (Weights(0.45, 0.55), 1.0)


def test_weights_never_move_far_at_once() -> None:
    questions = [a_question(str(number), {"good": 1, "bad": 0}) for number in range(10)]
    legs = {
        one.question_id: some_legs(("good", 1.0, 0.60), ("bad", 2.0, 0.59), ("x", None, 0.0))
        for one in questions
    }
    wrong = {one.question_id: ["bad", "good"] for one in questions}
    weights, _ = refit(questions, legs, Weights(0.9, 0.1), wrong)
    assert 0 <= weights.dense <= 0.25


@pytest.mark.parametrize(("losers", "moves"), [(1, True), (2, False)])
def test_weights_that_cost_the_never_voted_more_than_chance_explains_are_not_chosen(
    losers: int, moves: bool
) -> None:
    voted = [a_question(f"v{number}", {"good": 1, "bad": 0}) for number in range(10)]
    never = [a_question(f"n{number}", {"good": 1, "bad": 0}, new=True) for number in range(10)]
    gains, loses = (("good", 1.0, 0.9), ("bad", 2.0, 0.1)), (("good", 2.0, 0.1), ("bad", 1.0, 0.9))
    same = (("good", 2.0, 0.9), ("bad", 1.0, 0.1))
    legs = {one.question_id: some_legs(*gains) for one in voted}
    for number, one in enumerate(never):
        legs[one.question_id] = some_legs(*(loses if number < losers else same))
    live = {one.question_id: ["bad", "good"] for one in voted}
    live |= {one.question_id: ["good", "bad"] for one in never}
    weights, _ = refit([*voted, *never], legs, START, live)
    assert (weights.dense > 0.5) is moves


@pytest.mark.parametrize(("gainers", "moves"), [(2, False), (4, True)])
def test_weights_stay_where_chance_explains_what_others_gain(gainers: int, moves: bool) -> None:
    questions = [a_question(f"q{number}", {"good": 1, "bad": 0}) for number in range(20)]
    legs = {
        one.question_id: some_legs(("good", 1.0, 0.9), ("bad", 2.0, 0.1))
        if number < gainers
        else some_legs(("good", 2.0, 0.9), ("bad", 1.0, 0.1))
        for number, one in enumerate(questions)
    }
    live = {one.question_id: ["good", "bad"] for one in questions}
    weights, _ = refit(questions, legs, START, live)
    assert (weights != START) is moves


def test_asking_the_same_again_proves_nothing_more() -> None:
    legs, questions = {}, []
    for number in range(20):
        for again in range(4):
            one = a_question(f"q{number}-{again}", {"good": 1, "bad": 0}, cluster=f"q{number}")
            questions.append(one)
            legs[one.question_id] = (
                some_legs(("good", 1.0, 0.9), ("bad", 2.0, 0.1))
                if number < 2
                else some_legs(("good", 2.0, 0.9), ("bad", 1.0, 0.1))
            )
    live = {one.question_id: ["good", "bad"] for one in questions}
    assert refit(questions, legs, START, live)[0] == START


def test_one_question_moves_no_weights() -> None:
    legs = {"q": some_legs(("good", 1.0, 0.9), ("bad", 2.0, 0.1))}
    assert refit([a_question("q", {"good": 1, "bad": 0})], legs, START, {"q": ["bad"]})[0] == START


def test_of_nearly_equal_weights_those_nearest_to_the_present_ones_stay() -> None:
    even = [a_question(f"e{number}", {"good": 1, "bad": 0}) for number in range(9)]
    legs = {one.question_id: some_legs(("good", 2.0, 0.9), ("bad", 1.0, 0.1)) for one in even}
    moved = [a_question(name, {"good": 1, "bad": 0}) for name in ("gains", "gains too", "loses")]
    legs |= {
        name: some_legs(("good", 1.0, 0.9), ("bad", 2.0, 0.1)) for name in ("gains", "gains too")
    }
    legs["loses"] = some_legs(("good", 2.0, 0.1), ("bad", 1.0, 0.9))
    live = {name: ["good", "bad"] for name in legs}
    # Two gain and one loses: more weight is better, but within one standard error of nothing.
    assert refit([*even, *moved], legs, START, live)[0] == START


def test_without_validation_questions_the_weights_stay() -> None:
    assert refit([], {}, Weights(0.7, 0.3), {})[0] == Weights(0.7, 0.3)
