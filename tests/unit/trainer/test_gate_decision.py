"""The rule of the gate, and what it says to somebody who is turned away."""

import pytest
from gyre_common.events.training import Decision
from gyre_trainer.recipes.query_encoder.gate import (
    decide,
    judged_in_top,
    measure_slices,
    needed,
)
from gyre_trainer.recipes.query_encoder.report import Rule, SliceName

from tests.unit.trainer.gate_builders import a_question, a_slice, all_slices

RULE = Rule(least=50)
OVERALL, VOTED, NEW = SliceName.OVERALL, SliceName.VOTED, SliceName.NEW


def test_a_gain_overall_without_a_loss_on_new_documents_passes() -> None:
    assert decide(all_slices(a_slice(NEW, 0.008)), RULE) == (Decision.PASSED, ())


def test_no_gain_is_refused() -> None:
    verdict, (why,) = decide(all_slices(a_slice(OVERALL, -0.01)), RULE)
    assert verdict is Decision.REFUSED
    assert why == "no gain overall: -1.0 (-3.0 to +1.0)"


def test_a_gain_that_may_be_chance_is_too_small_to_tell() -> None:
    verdict, (why,) = decide(all_slices(a_slice(OVERALL, 0.01, needed=817)), RULE)
    assert verdict is Decision.TOO_SMALL
    assert why.endswith("+1.0 (-1.0 to +3.0); about 817 different questions would tell")


def test_a_gain_on_the_whole_that_harms_new_documents_is_refused() -> None:
    verdict, (why,) = decide(all_slices(a_slice(NEW, -0.02)), RULE)
    assert verdict is Decision.REFUSED
    assert why.startswith("a loss on documents nobody voted on: -2.0")


def test_a_loss_on_new_documents_that_cannot_be_ruled_out_is_too_small_to_tell() -> None:
    verdict, (why,) = decide(all_slices(a_slice(NEW, 0.0)), RULE)
    assert verdict is Decision.TOO_SMALL
    assert "a loss of more than 1.0" in why
    assert "bound is -1.7" in why


@pytest.mark.parametrize("name", [VOTED, NEW])
def test_a_slice_below_its_minimum_is_too_small_however_good_it_looks(name: SliceName) -> None:
    verdict, (why,) = decide(all_slices(a_slice(name, clusters=49)), RULE)
    assert verdict is Decision.TOO_SMALL
    assert why == f"the slice `{name}` has 49 different questions of the 50 that are needed to tell"


def test_an_empty_gate_is_too_small_and_nothing_breaks() -> None:
    slices = measure_slices([], RULE, live={}, live_refitted={}, candidate={})
    verdict, reasons = decide(slices, RULE)
    assert verdict is Decision.TOO_SMALL
    assert len(reasons) == 2
    assert slices[NEW].needed == 50


def test_a_clear_loss_is_said_before_what_is_unclear() -> None:
    slices = all_slices(a_slice(OVERALL, -0.05), a_slice(NEW, clusters=3))
    verdict, reasons = decide(slices, RULE)
    assert verdict is Decision.REFUSED
    assert reasons[0].startswith("no gain")


def test_questions_needed_follow_from_spread_and_effect() -> None:
    unclear = a_slice(OVERALL, 0.01, spread=0.01)
    # 100 x ((1.960 + 0.842) x 0.01 / 0.01)^2 = 785.1
    assert needed(unclear, RULE) == 786
    # Room up to the margin: 0.005. 100 x ((1.645 + 0.842) x 0.01 / 0.005)^2 = 2474.1
    assert needed(a_slice(NEW, -0.005, spread=0.01), RULE) == 2475
    assert needed(a_slice(OVERALL, 0.05), RULE) is None
    assert needed(a_slice(NEW, 0.05, clusters=20), RULE) == 50


def test_the_slices_are_those_with_and_without_votes_in_training() -> None:
    voted = a_question("v", {"good": 1, "bad": 0})
    new = a_question("n", {"good": 1, "bad": 0}, new=True, chance=0.5)
    better, worse = ["good", "bad"], ["bad", "good"]
    measured = measure_slices(
        [voted, new],
        RULE,
        live={"v": worse, "n": better},
        live_refitted={"v": better, "n": better},
        candidate={"v": better, "n": worse},
    )
    lost = 1 - 1 / 1.584962500721156  # 1 - 1 / log2(3)
    assert measured[VOTED].difference == pytest.approx(lost)
    assert measured[NEW].difference == pytest.approx(-lost)
    assert measured[OVERALL].difference == pytest.approx((lost - 2 * lost) / 3)  # weights 1 and 2
    assert measured[VOTED].over_refitted == pytest.approx(0.0)
    assert (measured[OVERALL].questions, measured[VOTED].clusters, measured[NEW].clusters) == (
        2,
        1,
        1,
    )


def test_it_says_how_much_of_what_is_shown_anybody_has_judged() -> None:
    question = a_question("q", {"good": 1, "bad": 0})
    assert judged_in_top([question], {"q": ["good", "x", "y", "bad"]}) == 0.5
    assert judged_in_top([], {}) == 0.0
