"""How sure a difference is: by hand, and by simulation where the truth is known."""

import numpy as np
import pytest
from gyre_trainer.training.bootstrap import Paired, paired


def of(differences: list[float], weights: list[float] | None = None) -> Paired:
    clusters = [str(number) for number in range(len(differences))]
    return paired(differences, weights or [1.0] * len(differences), clusters)


def test_the_estimate_is_the_weighted_mean() -> None:
    interval = of([0.3, -0.1], [1.0, 3.0])
    assert interval.difference == pytest.approx(0.0)
    assert interval.effective == pytest.approx(16 / 10)


def test_a_constant_difference_is_sure() -> None:
    interval = of([0.1] * 30)
    assert (interval.low, interval.high, interval.spread) == pytest.approx((0.1, 0.1, 0.0))


def test_the_same_numbers_give_the_same_interval() -> None:
    differences = list(np.linspace(-0.2, 0.3, 40))
    assert of(differences) == of(differences)


def test_the_interval_agrees_with_the_formula_for_a_mean() -> None:
    differences = list(np.random.default_rng(3).normal(0.02, 0.1, size=400))
    half = 1.966 * np.std(differences, ddof=1) / 20  # t with 399 degrees of freedom
    interval = of(differences)
    assert interval.low == pytest.approx(np.mean(differences) - half, abs=0.0006)
    assert interval.high == pytest.approx(np.mean(differences) + half, abs=0.0006)
    assert interval.low < interval.one_sided_low < interval.difference


def test_asking_the_same_thing_ten_times_makes_nobody_surer() -> None:
    once = list(np.random.default_rng(5).normal(0.02, 0.1, size=30))
    alone = of(once)
    clusters = [str(number) for number in range(30)]
    tenfold = paired(once * 10, [1.0] * 300, clusters * 10)
    assert tenfold.effective == pytest.approx(30)
    assert (tenfold.low, tenfold.high) == pytest.approx((alone.low, alone.high))


def test_one_question_tells_nothing() -> None:
    interval = of([0.4])
    assert interval.difference == pytest.approx(0.4)
    assert interval.effective == pytest.approx(1.0)


def _simulate(seed: int, size: int, truth: float) -> tuple[list[float], list[float]]:
    """As in a gate: most questions rank alike, a few differ by a lot; weights are uneven."""
    chance = np.random.default_rng(seed)
    kind = chance.random(size)
    jumps = chance.choice([-1, 1], size) * (1 - 1 / np.log2(chance.integers(3, 11, size)))
    differences = np.where(
        kind < 0.6, 0.0, np.where(kind < 0.8, jumps, chance.normal(0, 0.2, size))
    )
    weights = np.clip(1 / chance.uniform(0.05, 1, size), 1, 10)
    return list(differences + truth), list(weights)


@pytest.mark.parametrize("size", [20, 60])
def test_a_candidate_that_is_no_better_hardly_ever_seems_better(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_trainer.training.bootstrap.DRAWS", 1_000)
    trials = [of(*_simulate(seed, size, 0.0)) for seed in range(400)]
    false = sum(interval.low > 0 for interval in trials)
    covered = sum(interval.low <= 0 <= interval.high for interval in trials)
    assert false / len(trials) <= 0.05
    assert covered / len(trials) >= 0.90


def test_a_real_gain_is_found_when_there_are_questions_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gyre_trainer.training.bootstrap.DRAWS", 1_000)
    trials = [of(*_simulate(seed, 200, 0.12)) for seed in range(100)]
    assert sum(interval.low > 0 for interval in trials) >= 80
