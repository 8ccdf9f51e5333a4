"""Training of a judge in one process: what must not change the curve, and what stops it."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.language_models.config import Variant
from gyre_trainer.recipes.judge_reward.train import train
from gyre_trainer.training.program import Stopped

from tests.training.matrix import LONG
from tests.training.tiny_generators import TinyRun, a_run, judged_pairs
from tests.training.tiny_runs import never

VARIANTS = [Variant.LOW_RANK, pytest.param(Variant.FULL, marks=LONG)]


def a_judge(path: Path, base: Path, **settings: Any) -> TinyRun:
    defaults = {"low_rank_learning_rate": 2e-3, "learning_rate": 3e-3}
    samples = settings.pop("samples", None) or judged_pairs()
    return a_run(path, base, samples=samples, **(defaults | settings))


def trained(run: TinyRun, variant: Variant = Variant.LOW_RANK) -> TinyRun:
    train(run.folder, variant, never)
    return run


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path) -> TinyRun:
    """Trained low-rank in one go, and left as it is."""
    return trained(a_judge(tmp_path_factory.mktemp("straight") / "run", tiny_language_model))


def after(step: int) -> Callable[[], bool]:
    """A stop signal that is given in a certain step."""
    steps = count(1)
    return lambda: next(steps) >= step


def test_training_tells_better_answers_apart_also_of_what_taught_nothing(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    settings: dict[str, Any] = {"epochs": 12, "low_rank_learning_rate": 5e-3}
    run = trained(a_judge(tmp_path / "run", tiny_language_model, **settings))
    result = run.result()
    assert result.steps == len(result.loss) == 36
    assert np.mean(result.loss[-3:]) < 0.8 * np.mean(result.loss[:3])
    before, now = result.validation.before, result.validation.after
    assert before is not None
    assert now is not None
    assert now < 0.9 * before
    assert (result.samples, result.validation.questions) == (24, 6)
    last = json.loads(run.folder.progress_file.read_text().splitlines()[-1])["metrics"]
    assert last["margin"] > 0
    assert last["preferred"] > 0.8


def test_packs_do_not_change_the_curve(
    tmp_path: Path, tiny_language_model: Path, straight: TinyRun
) -> None:
    """Gradients of parts that are added up are those of the big batch."""
    run = a_judge(tmp_path / "run", tiny_language_model, packed_tokens=64)
    assert trained(run).result().loss == pytest.approx(straight.result().loss, abs=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_language_model: Path, variant: Variant
) -> None:
    settings: dict[str, Any] = {"dropout": 0.1, "checkpoint_every": 4, "variant": variant}
    straight = trained(a_judge(tmp_path / "straight", tiny_language_model, **settings), variant)
    run = a_judge(tmp_path / "stopped", tiny_language_model, **settings)
    with pytest.raises(Stopped, match="stopped after step 5 of 9; started again, it goes on"):
        train(run.folder, variant, after(5))
    trained(run, variant)
    assert run.result(variant).loss == straight.result(variant).loss
    learned = run.learned(variant)
    assert all(torch.equal(learned[k], value) for k, value in straight.learned(variant).items())
    assert any("score" in name for name in learned)


def test_pairs_that_are_all_too_long_are_told(tmp_path: Path, tiny_language_model: Path) -> None:
    run = a_judge(tmp_path / "run", tiny_language_model, longest=64)
    with pytest.raises(FailedPrecondition, match="none of 24 samples is short enough"):
        trained(run)
