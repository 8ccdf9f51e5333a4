"""Training on preferences in one process: what must not change the curve, and what stops it."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.recipes.generator_dpo.train import train as train_dpo
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig
from gyre_trainer.recipes.generator_kto.train import train as train_kto
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.launching import training_command, training_environment
from gyre_trainer.training.program import Stopped
from safetensors.torch import load_file, save_file

from tests.eventually import eventually
from tests.training.matrix import LONG
from tests.training.tiny_generators import TinyRun, a_run, a_sample, labelled, pairs
from tests.training.tiny_runs import never


@dataclass(frozen=True)
class Peer:
    """A recipe that learns from preferences, with samples for it."""

    name: str
    train: Callable[[RunFolder, Variant, Callable[[], bool]], None]
    samples: Callable[[], Sequence[Sample]]

    def run(self, path: Path, base: Path, **settings: Any) -> TinyRun:
        defaults = {"beta": 0.3, "low_rank_learning_rate": 5e-3, "learning_rate": 1e-3}
        samples = settings.pop("samples", None) or self.samples()
        return a_run(path, base, samples=samples, **(defaults | settings))

    def trained(self, run: TinyRun, variant: Variant = Variant.LOW_RANK) -> TinyRun:
        self.train(run.folder, variant, never)
        return run


RECIPES = [Peer("dpo", train_dpo, pairs), Peer("kto", train_kto, labelled)]


@pytest.fixture(scope="module", params=RECIPES, ids=lambda each: each.name)
def recipe(request: pytest.FixtureRequest) -> Peer:
    peer: Peer = request.param
    return peer


@pytest.fixture(scope="module")
def straight(
    tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path, recipe: Peer
) -> TinyRun:
    """Trained low-rank in one go, and left as it is."""
    run = recipe.run(tmp_path_factory.mktemp("straight") / "run", tiny_language_model)
    return recipe.trained(run)


def after(step: int) -> Callable[[], bool]:
    """A stop signal that is given in a certain step."""
    steps = count(1)
    return lambda: next(steps) >= step


def test_training_lowers_the_loss_also_of_what_taught_nothing(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer
) -> None:
    run = recipe.trained(recipe.run(tmp_path / "run", tiny_language_model, epochs=8))
    result = run.result()
    assert result.steps == len(result.loss) == 24
    assert np.mean(result.loss[-3:]) < 0.8 * np.mean(result.loss[:3])
    before, now = result.validation.before, result.validation.after
    assert before is not None
    assert now is not None
    assert now < 0.9 * before
    assert (result.samples, result.validation.questions) == (24, 6)
    lines = run.folder.progress_file.read_text().splitlines()
    last = json.loads(lines[-1])["metrics"]
    assert last["preferred" if recipe.name == "dpo" else "kl"] > 0


def test_packs_do_not_change_the_curve(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer, straight: TinyRun
) -> None:
    """Gradients of parts that are added up are those of the big batch."""
    run = recipe.run(tmp_path / "run", tiny_language_model, packed_tokens=64)
    assert recipe.trained(run).result().loss == pytest.approx(straight.result().loss, abs=1e-5)


@pytest.mark.parametrize("variant", [Variant.LOW_RANK, pytest.param(Variant.FULL, marks=LONG)])
def test_a_run_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer, variant: Variant
) -> None:
    settings: dict[str, Any] = {"dropout": 0.1, "checkpoint_every": 4, "variant": variant}
    straight = recipe.run(tmp_path / "straight", tiny_language_model, **settings)
    recipe.trained(straight, variant)
    run = recipe.run(tmp_path / "stopped", tiny_language_model, **settings)
    with pytest.raises(Stopped, match="stopped after step 5 of 9; started again, it goes on"):
        recipe.train(run.folder, variant, after(5))
    recipe.trained(run, variant)
    assert run.result(variant).loss == straight.result(variant).loss
    learned = run.learned(variant)
    assert all(torch.equal(learned[k], value) for k, value in straight.learned(variant).items())


def test_a_run_that_goes_on_takes_the_reference_that_was_kept(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer
) -> None:
    run = recipe.run(tmp_path / "run", tiny_language_model)
    with pytest.raises(Stopped):
        recipe.train(run.folder, Variant.LOW_RANK, after(2))
    path = run.folder.variant("low-rank") / "reference.json"
    content = json.loads(path.read_bytes())
    assert len(content["log_probabilities"]) == 30
    shifted = [[value - 1 for value in each] for each in content["log_probabilities"]]
    path.write_text(json.dumps(content | {"log_probabilities": shifted}))
    recipe.trained(run)
    assert json.loads(path.read_bytes())["log_probabilities"] == shifted
    path.write_text(json.dumps(content | {"data": "other"}))
    with pytest.raises(FailedPrecondition, match=r"reference\.json was made with other data"):
        recipe.trained(run)
    path.write_text("{")
    with pytest.raises(FailedPrecondition, match=r"reference\.json cannot be read"):
        recipe.trained(run)


def test_a_loss_that_is_not_a_number_stops_the_run_and_says_where(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer
) -> None:
    base = Path(shutil.copytree(tiny_language_model, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    run = recipe.run(tmp_path / "run", base)
    with pytest.raises(FailedPrecondition, match="the loss is nan at step 1 of 9"):
        recipe.trained(run)


def test_samples_that_are_all_too_long_are_told(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer
) -> None:
    samples = [a_sample(at, rejected="long " * 40, answer="long " * 40) for at in range(4)]
    run = recipe.run(tmp_path / "run", tiny_language_model, samples=samples, longest=100)
    with pytest.raises(FailedPrecondition, match="none of 4 samples is short enough"):
        recipe.trained(run)


def test_the_rarer_kind_of_answers_counts_for_more_unless_it_is_set() -> None:
    assert GeneratorKtoConfig().lambdas(30, 10) == (1, 3)
    assert GeneratorKtoConfig().lambdas(10, 20) == (2, 1)
    assert GeneratorKtoConfig().lambdas(10, 0) == (1, 1)
    assert GeneratorKtoConfig(desirable_weight=1.3).lambdas(10, 10) == (1.3, 1)


@LONG
async def test_a_run_that_was_killed_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_language_model: Path, recipe: Peer
) -> None:
    settings = {"checkpoint_every": 1, "epochs": 20}
    run = recipe.run(tmp_path / "run", tiny_language_model, **settings)
    own = run.folder.variant("low-rank")
    process = subprocess.Popen(
        command_of(recipe, run, processes=0), env=training_environment(1), process_group=0
    )
    try:
        await eventually(lambda: len(list(own.glob("checkpoints/step-*"))) > 1, timeout=90)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (own / "result.json").exists()
    straight = recipe.run(tmp_path / "straight", tiny_language_model, **settings)
    recipe.trained(straight)
    recipe.trained(run)
    assert run.result().loss == straight.result().loss


def command_of(recipe: Peer, run: TinyRun, *, processes: int) -> list[str]:
    module = f"gyre_trainer.recipes.generator_{recipe.name}.train"
    return training_command(module, run.folder.path, "low-rank", workers=processes)
