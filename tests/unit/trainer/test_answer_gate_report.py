"""What a gate of answers measures, whom it guards, and what it says in its main line."""

from dataclasses import replace
from typing import Any

import pytest
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.training import Decision
from gyre_trainer.data_sets.question_context import PassageRead, VersionAnswer
from gyre_trainer.language_models.gate import ComparedAnswer, about_others, slices_of
from gyre_trainer.language_models.measures import Measured, measured
from gyre_trainer.language_models.report import MeasuredSlice, SliceName, decide, summary_of

from tests.unit.trainer.run_fakes import a_spec

COST = {"live": VersionAnswer("a"), "candidate": VersionAnswer("b")}


def an_answer(number: int, gain: float, tenant: str = "large", **overrides: Any) -> ComparedAnswer:
    """Live scores 0.5, the candidate so much more, with a little that differs by question."""
    gain += (number % 5 - 2) / 100
    live, candidate = (Measured(score, score, True, False, 9, 1.0) for score in (0.5, 0.5 + gain))
    fields: dict[str, Any] = {
        "tenant": tenant,
        "cluster": f"{tenant}-{number}",
        "weight": 1.0,
        "is_new": True,
        "golden": False,
        "wants_answer": True,
        "live": live,
        "candidate": candidate,
        "cost": COST,
    }
    return ComparedAnswer(**(fields | overrides))


def answers(many: int, gain: float, tenant: str = "large") -> list[ComparedAnswer]:
    return [an_answer(number, gain, tenant) for number in range(many)]


def verdict(compared: list[ComparedAnswer]) -> tuple[Decision, tuple[str, ...]]:
    return decide(slices_of(compared), least=5, margin=2.0)


def test_the_main_line_leaves_out_what_could_not_be_measured() -> None:
    slices = [
        MeasuredSlice(name=SliceName.OVERALL, questions=9, clusters=9, difference=5, low=2, high=8),
        MeasuredSlice(name=SliceName.DECLINING, questions=0, clusters=0),
    ]
    assert summary_of(Decision.PASSED, slices) == "passed: overall +5.0 (+2.0 to +8.0)"
    assert summary_of(Decision.TOO_SMALL, slices[1:]) == "too small to tell: nothing was measured"


def test_what_one_tenant_gains_is_not_at_the_expense_of_the_others() -> None:
    large = answers(40, 0.3)
    assert verdict(large) == (Decision.PASSED, ())
    assert verdict([*large, *answers(6, 0.1, "small")])[0] is Decision.PASSED
    decision, reasons = verdict([*large, *answers(6, -0.2, "small")])
    assert decision is Decision.REFUSED
    assert reasons[0].startswith("a loss of other tenants: -20.3")


def test_a_few_answers_of_other_tenants_do_not_prove_that_nothing_is_lost() -> None:
    decision, reasons = verdict([*answers(40, 0.3), *answers(2, 0.1, "b"), *answers(2, 0.1, "c")])
    assert decision is Decision.TOO_SMALL
    assert reasons == (
        "the slice `other tenants` has 4 different questions of the 5 that are needed to tell",
    )


def test_golden_questions_are_in_no_other_slice_and_their_mean_may_not_fall() -> None:
    usual = answers(40, 0.3)
    worse, as_good = (
        [an_answer(number, gain, "golden", golden=True) for number in range(3)]
        for gain in (-0.2, 0.0)
    )
    assert verdict([*usual, *as_good]) == (Decision.PASSED, ())
    slices = {each.name: each for each in slices_of([*usual, *worse])}
    assert (slices[SliceName.OVERALL].questions, slices[SliceName.GOLDEN].questions) == (40, 3)
    assert SliceName.OTHERS not in slices
    decision, reasons = verdict([*usual, *worse])
    assert decision is Decision.REFUSED
    assert reasons[0].startswith("a loss on golden questions: -21.0")


def test_the_report_says_why_there_is_no_slice_of_other_tenants() -> None:
    one, two = answers(3, 0.1), [*answers(3, 0.1), *answers(2, 0.1, "small")]
    own, every = a_spec(tenant="large"), a_spec(tenant=EVERY_TENANT)
    assert "for this one alone" in about_others(own, one)
    assert "is not known" in about_others(every, one)
    assert about_others(every, two) == ""
    assert SliceName.OTHERS not in {each.name for each in slices_of(one)}


READ = (
    PassageRead("tea", "d1", "Drinks", "Green tea is steeped for two minutes."),
    PassageRead("oven", "d1", "Cooking", "The oven is heated to 180 degrees."),
    PassageRead("cups", "d2", "Drinks", "Cups are warmed before tea is poured."),
)
WANTED = "Green tea is steeped for two minutes. Cups are warmed before."


@pytest.mark.parametrize(
    ("sources", "wanted", "share"),
    [
        (("tea", "cups"), WANTED, 1.0),
        (("tea", "oven"), WANTED, 0.5),
        (("oven", "gone"), WANTED, 0.0),
        ((), WANTED, None),
        (("tea",), "Nobody knows.", None),
        (("tea",), "Not answered here.", None),
    ],
)
def test_a_source_is_right_where_what_people_wrote_rests_on_it_too(
    sources: tuple[str, ...], wanted: str, share: float | None
) -> None:
    answer = VersionAnswer("It is steeped.", ((0, 14),) * len(sources), sources)
    assert measured(answer, wanted, READ).well_cited == share


def test_a_candidate_that_cites_worse_is_refused_whatever_it_gains() -> None:
    right, wrong = (Measured(0.9, 0.9, True, False, 9, 1.0, share) for share in (1.0, 0.5))
    compared = [
        an_answer(number, 0.3, live=replace(right, score=0.5), candidate=wrong)
        for number in range(40)
    ]
    decision, reasons = verdict(compared)
    assert decision is Decision.REFUSED
    assert reasons == ("it cites worse passages: -50.0 (-50.0 to -50.0)",)
