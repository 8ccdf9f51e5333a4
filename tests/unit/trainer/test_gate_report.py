"""From what both sides retrieved to the report, and how the report reads."""

import pytest
from gyre_common.events.releases import Roles
from gyre_common.events.training import Decision
from gyre_common.releases.builtin import digest_of_settings
from gyre_trainer.recipes.query_encoder.gate import (
    ComparisonQuestions,
    OrderDiffers,
    measure,
)
from gyre_trainer.recipes.query_encoder.ranking import GateQuestion, Legs
from gyre_trainer.recipes.query_encoder.report import (
    SliceName,
    Weights,
    as_markdown,
)
from gyre_trainer.runs.folder import RunSpec

from tests.unit.trainer.gate_builders import a_question, some_legs
from tests.unit.trainer.run_fakes import DIGEST, a_report, a_spec

GRADES = {"good": 2, "bad": 0}


def right() -> Legs:
    """By words the bad one comes first, by meaning the good one, and clearly."""
    return some_legs(("good", 5.0, 0.9), ("bad", 6.0, 0.2), ("x", 1.0, 0.1))


def wrong() -> Legs:
    return some_legs(("bad", 6.0, 0.9), ("good", 5.0, 0.2), ("x", 1.0, 0.1))


def questions(kind: str, number: int, *, new: bool = False) -> list[GateQuestion]:
    return [a_question(f"{kind}{one}", GRADES, new=new) for one in range(number)]


def a_gate(*, voted: int, new: int) -> tuple[ComparisonQuestions, dict[str, dict[str, Legs]]]:
    """Live has all of them wrong, the candidate all of them right."""
    comparison = ComparisonQuestions(
        validation=questions("validation", 8),
        held_out=[*questions("voted", voted), *questions("new", new, new=True)],
        left_out=2,
    )
    names = [one.question_id for one in (*comparison.validation, *comparison.held_out)]
    live, candidate = {name: wrong() for name in names}, {name: right() for name in names}
    return comparison, {"live": live, "candidate": candidate}


def test_a_candidate_that_puts_everything_right_passes() -> None:
    comparison, retrieved = a_gate(voted=20, new=20)
    report = measure(a_spec(profile="demo"), DIGEST, comparison, **retrieved)
    assert report.verdict is Decision.PASSED
    assert report.summary == (
        "passed: overall +36.9 (+36.9 to +36.9, 40 questions), "
        "new +36.9 (+36.9 to +36.9, 20 questions); the encoder alone +36.9"
    )
    assert report.live_weights == Weights(bm25=0.55, dense=0.45)
    assert (report.validation_questions, report.without_good, report.orders_checked) == (8, 2, 48)
    assert report.judged_in_top == {"live": pytest.approx(2 / 3), "candidate": pytest.approx(2 / 3)}
    assert [one.name for one in report.slices] == list(SliceName)


def test_the_default_profile_asks_for_fifty_questions_a_slice() -> None:
    comparison, retrieved = a_gate(voted=20, new=20)
    report = measure(a_spec(), DIGEST, comparison, **retrieved)
    assert report.verdict is Decision.TOO_SMALL
    assert report.rule.least == 50
    assert [one.needed for one in report.slices] == [None, 50, 50]


def test_a_retriever_that_fuses_otherwise_stops_the_gate() -> None:
    comparison, retrieved = a_gate(voted=1, new=1)
    legs = retrieved["live"]["voted0"]
    retrieved["live"]["voted0"] = Legs(legs.hits[::-1], legs.spans)
    with pytest.raises(OrderDiffers, match="question voted0"):
        measure(a_spec(), DIGEST, comparison, **retrieved)


def test_live_by_reciprocal_ranks_is_taken_in_the_order_it_gave() -> None:
    settings = {"fusion": "rrf", "bm25_weight": "1", "dense_weight": "1", "candidates": "50"}
    spec = a_spec(profile="demo")
    retrieval = spec.live[Roles.RETRIEVAL].model_copy(
        update={"settings": settings, "digest": digest_of_settings(settings)}
    )
    spec = RunSpec.model_validate(
        {**spec.model_dump(), "live": {**spec.live, "retrieval": retrieval}}
    )
    comparison, retrieved = a_gate(voted=20, new=20)
    legs = retrieved["live"]["voted0"]
    retrieved["live"]["voted0"] = Legs(legs.hits[::-1], legs.spans)
    report = measure(spec, DIGEST, comparison, **retrieved)
    assert (report.live_weights, report.orders_checked) == (None, 0)
    assert report.verdict is Decision.PASSED


def test_the_card_tells_the_verdict_and_what_it_rests_on() -> None:
    text = as_markdown(a_report(gain=-0.05))
    assert "Verdict: **refused**" in text
    assert "| overall | 100 | – | – | -5.0 (-7.0 to -3.0) |" in text
    assert "live 0.55/0.45" in text
    assert "- no gain overall" in text
