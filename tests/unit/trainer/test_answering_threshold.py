"""From which confidence a version answers is chosen on what people said, and not by chance."""

import numpy as np
import pytest
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.language_models.abstention import chosen_threshold
from gyre_trainer.language_models.inputs import Sample

from tests.unit.trainer.answer_samples import a_sample


def crowd(answered: float, other: float, *, count: int = 60, spread: float = 0.05) -> list[Sample]:
    """Confidences about two means."""
    dice = np.random.default_rng(5)
    return [
        a_sample(float(np.clip(dice.normal(mean, spread), 0, 1)), answered=wanted)
        for mean, wanted in ((answered, True), (other, False))
        for _ in range(count)
    ]


def test_what_parts_the_two_kinds_is_chosen() -> None:
    assert chosen_threshold(crowd(0.9, 0.7), "0.4") == pytest.approx(0.8)
    assert chosen_threshold(crowd(0.3, 0.1), "0.4") == pytest.approx(0.2)


def test_the_base_s_own_stays_where_another_is_not_surely_better() -> None:
    assert chosen_threshold(crowd(0.6, 0.2), "0.4") is None
    assert chosen_threshold(crowd(0.5, 0.5, spread=0.2), "0.4") is None


def test_without_one_of_the_base_the_best_is_taken() -> None:
    assert chosen_threshold(crowd(0.9, 0.7), None) == pytest.approx(0.8)
    assert chosen_threshold(crowd(0.9, 0.7), "no number") == pytest.approx(0.8)


def test_too_few_of_either_kind_choose_nothing() -> None:
    few = [*crowd(0.9, 0.7)[:60], *(a_sample(0.7, answered=False) for _ in range(24))]
    assert chosen_threshold(few, "0.4") is None
    assert chosen_threshold([*few, a_sample(0.7, answered=False)], "0.4") == pytest.approx(
        0.75, abs=0.06
    )
    assert chosen_threshold([], "0.4") is None


def test_only_what_people_said_and_was_held_against_passages_counts() -> None:
    others = [
        *(a_sample(0.1, answered=True, kind=AnswerKind.DISTILLED) for _ in range(200)),
        *(a_sample(0.1, answered=True, desirable=False) for _ in range(200)),
        *(a_sample(None, answered=True) for _ in range(200)),
    ]
    assert chosen_threshold([*crowd(0.9, 0.7), *others], "0.4") == pytest.approx(0.8)
