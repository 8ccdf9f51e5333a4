"""A gate stops asking when it can tell, and errs no more often for that: by simulation as well."""

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from gyre_common.events.training import Decision
from gyre_common.no_answer import NO_ANSWER
from gyre_trainer.language_models.gate import measured_slice
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.language_models.report import MeasuredSlice, SliceName
from gyre_trainer.language_models.stopping import Look, in_asking_order, looks_at, reason_to_stop
from gyre_trainer.training.bootstrap import ONE_LOOK
from gyre_trainer.training.repeated_looks import is_futile, tails_of_looks
from scipy import stats

from tests.unit.trainer.answer_samples import a_sample

SHARES = (0.4, 0.6, 0.8, 1.0)


def samples(many: int, *, twice: int = 0) -> list[Sample]:
    """Of every four one is not answered, of every two one is `new`; so many are asked twice."""
    return [
        one.model_copy(
            update={
                "row": one.row.model_copy(
                    update={
                        "cluster": f"c{number % many}",
                        "question_id": f"q{number}",
                        "held_out": number % many % 2 == 0,
                    }
                )
            }
        )
        for number in range(many + twice)
        for one in [a_sample(answered=number % many % 4 != 1)]
    ]


def test_the_bounds_are_those_that_are_published() -> None:
    # Of five looks as far apart, two-sided 5 %: gsDesign 3.6, `sfLDOF`.
    tails = tails_of_looks((0.2, 0.4, 0.6, 0.8, 1.0), 0.025)
    bounds = [float(stats.norm.isf(tail)) for tail in tails]
    assert bounds == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.002)
    assert tails_of_looks((1.0,), 0.025) == pytest.approx([0.025], abs=1e-5)


def test_looking_four_times_errs_no_more_than_looking_once() -> None:
    many, chance = 200_000, np.random.default_rng(1)
    steps = np.diff((0.0, *SHARES))
    evidence = np.cumsum(chance.normal(0, np.sqrt(steps), size=(many, 4)), axis=1)
    bounds = stats.norm.isf(tails_of_looks(SHARES, 0.025)) * np.sqrt(SHARES)
    assert (evidence > bounds).any(axis=1).mean() == pytest.approx(0.025, abs=0.0015)


def passes_after(gains: Sequence[float]) -> tuple[bool, int]:
    """Whether a candidate with these gains in points passes overall, after so many questions."""
    ordered = in_asking_order(samples(len(gains)), "run")
    for look in looks_at(ordered, early=True):
        several = range(look.questions)
        overall = measured_slice(
            SliceName.OVERALL,
            live=[50.0] * look.questions,
            candidate=[50.0 + gains[one] for one in several],
            weights=[1.0] * look.questions,
            clusters=[str(one) for one in several],
            tails=look.tails,
        )
        assert overall.low is not None
        if overall.low > 0:
            return True, look.questions
        if reason_to_stop(Decision.TOO_SMALL, with_nothing_beside(overall), look, margin=2.0):
            break
    return False, look.questions


def with_nothing_beside(overall: MeasuredSlice) -> list[MeasuredSlice]:
    names = (SliceName.GROUNDED, SliceName.SOURCES, SliceName.DECLINING)
    return [overall, *(MeasuredSlice(name=name, questions=0, clusters=0) for name in names)]


def trials(many: int, gain: float) -> list[tuple[bool, int]]:
    chance = np.random.default_rng(7)
    return [passes_after(chance.normal(gain, 25, size=60).tolist()) for _ in range(many)]


def test_a_candidate_that_is_no_better_hardly_ever_passes_and_is_not_asked_to_the_end() -> None:
    outcomes = trials(200, 0.0)
    # 2.5 % of 200, and three standard errors.
    assert sum(passed for passed, _ in outcomes) <= 5 + 3 * 2.2
    assert np.mean([questions for _, questions in outcomes]) < 50


def test_a_large_gain_is_found_early(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = trials(20, 25.0)
    assert all(passed for passed, _ in outcomes)
    assert np.mean([questions for _, questions in outcomes]) < 36


def test_what_may_still_pass_is_asked_on() -> None:
    assert not is_futile(5.0, 5.0, 0.4, 0.02)
    assert not is_futile(0.0, 5.0, 0.4, 0.02)
    assert is_futile(-10.0, 5.0, 0.4, 0.02)
    assert is_futile(0.0, 5.0, 0.8, 0.02)
    assert is_futile(0.0, 0.0, 0.4, 0.02)


def test_every_part_that_is_asked_is_a_picture_of_the_whole() -> None:
    ordered = in_asking_order(samples(80), "run")
    assert ordered != in_asking_order(samples(80), "another run")
    assert ordered == in_asking_order(samples(80)[::-1], "run")
    for many in (20, 32, 48):
        kinds = Counter((one.row.held_out, one.answer == NO_ANSWER) for one in ordered[:many])
        assert kinds[True, False] == pytest.approx(many / 2, abs=1)
        assert kinds[False, True] == pytest.approx(many / 4, abs=1)


def test_near_identical_questions_are_asked_together() -> None:
    ordered = in_asking_order(samples(60, twice=9), "run")
    names = [one.row.cluster for one in ordered]
    assert len(names) == 69
    assert sum(a != b for a, b in itertools.pairwise(names)) == 59
    looks = looks_at(ordered, early=True)
    assert looks[-1].questions == 69
    assert len({*names[: looks[0].questions]}) == 24


def test_one_looks_once_where_there_is_little_or_all_is_to_be_asked() -> None:
    few, many = samples(20), samples(100)
    assert looks_at(few, early=True) == [Look(20, 1.0, ONE_LOOK, ONE_LOOK)]
    assert looks_at([], early=True) == [Look(0, 1.0, ONE_LOOK, ONE_LOOK)]
    assert looks_at(many, early=False) == [Look(100, 1.0, ONE_LOOK, ONE_LOOK)]
    assert [look.questions for look in looks_at(many, early=True)] == [40, 60, 80, 100]


def a_slice(name: SliceName, difference: float, spread: float = 3.0) -> MeasuredSlice:
    return MeasuredSlice(
        name=name,
        questions=40,
        clusters=40,
        difference=difference,
        low=difference - 3 * spread,
        high=difference + 3 * spread,
        one_sided_low=difference - 2.5 * spread,
        spread=spread,
    )


@pytest.mark.parametrize(
    ("decision", "changed", "reason"),
    [
        (Decision.PASSED, {}, "its intervals decide"),
        (Decision.PASSED, {SliceName.DECLINING: -1.0}, ""),
        (Decision.PASSED, {SliceName.GROUNDED: -3.0}, ""),
        (Decision.PASSED, {SliceName.SOURCES: -3.0}, ""),
        (Decision.TOO_SMALL, {}, ""),
        (Decision.REFUSED, {SliceName.DECLINING: -10.0}, "it is surely worse"),
        (Decision.REFUSED, {SliceName.OVERALL: -5.0}, "`overall` would hardly pass any more"),
        (Decision.REFUSED, {SliceName.NEW: -9.0}, "`new` would hardly pass any more"),
        (Decision.REFUSED, {SliceName.OTHERS: -9.0}, "`other tenants` would hardly pass any more"),
    ],
)
def test_it_stops_when_nothing_more_has_to_be_known(
    decision: Decision, changed: dict[SliceName, float], reason: str
) -> None:
    names = ("OVERALL", "NEW", "OTHERS", "GROUNDED", "SOURCES", "DECLINING")
    gains = {SliceName[name]: 10.0 for name in names} | changed
    slices = [a_slice(name, gain) for name, gain in gains.items()]
    first, *_, last = looks_at(samples(100), early=True)
    assert reason_to_stop(decision, slices, first, margin=2.0) == reason
    assert reason_to_stop(decision, slices, last, margin=2.0) == ""
