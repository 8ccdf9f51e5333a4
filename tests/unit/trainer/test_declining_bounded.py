"""How much "not answered here" teaches a model beside answers."""

import pytest
from gyre_trainer.language_models.declining import with_declining_bounded
from gyre_trainer.language_models.inputs import Sample

from tests.unit.trainer.answer_samples import a_sample


def weights(samples: list[Sample]) -> list[float]:
    return [round(sample.row.weight, 4) for sample in samples]


def test_many_refusals_weigh_no_more_than_their_share() -> None:
    samples = [a_sample(answered=True)] * 3 + [a_sample(answered=False)] * 6
    assert (
        weights(with_declining_bounded(samples, 0.25))
        == [1.0] * 3 + [pytest.approx(1 / 6, abs=1e-4)] * 6
    )


def test_few_weigh_as_they_do() -> None:
    samples = [a_sample(answered=True)] * 3 + [a_sample(answered=False)]
    assert weights(with_declining_bounded(samples, 0.25)) == [1.0] * 4


def test_without_a_share_they_are_left_out() -> None:
    samples = [a_sample(answered=True), a_sample(answered=False)]
    assert with_declining_bounded(samples, 0.0) == samples[:1]


def test_where_nothing_else_was_said_they_stay() -> None:
    assert weights(with_declining_bounded([a_sample(answered=False)] * 2, 0.1)) == [1.0, 1.0]
