"""Every recipe at every ZeRO stage, in one process and in two: the same curve, the same weights.

The base is so wide that ZeRO 3 shares out its matrices: small ones stay whole in every process.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from gyre_common.errors import InvalidInput
from gyre_trainer.language_models.config import Variant
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.recipes.generator_soft_prompt.config import SoftPromptVariant
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.config import Variant as EncoderVariant
from gyre_trainer.training.launching import training_command, training_environment
from gyre_trainer.training.program import Stopped
from torch import Tensor

from tests.training import tiny_runs
from tests.training.matrix import LONG
from tests.training.test_grpo import a_grpo_run, a_reward_model
from tests.training.tiny_generators import (
    TinyRun,
    a_language_model,
    a_run,
    judged_pairs,
    labelled,
    pairs,
)
from tests.training.tiny_runs import never

AnyRun = TinyRun | tiny_runs.TinyRun
AnyVariant = Variant | SoftPromptVariant | EncoderVariant
NEAR = {1: 1e-5, 2: 1e-4}
"""How far the loss of a step may be off, by the number of processes."""
RATES = {"low_rank_learning_rate": 2e-3, "learning_rate": 3e-4}
"""At these, a start that is off by a rounding (1.2e-7 of each weight) moves no loss by over 2e-6.
At 5e-3 and 1e-3 it moved a reward model's by 3e-4: Adam multiplies what is rounded otherwise."""


@dataclass(frozen=True)
class Bases:
    """What runs start from; leave them as they are."""

    generator: Path
    reward: Path
    encoder: Path


@dataclass(frozen=True)
class Learned:
    """What came of a training."""

    losses: Sequence[float]
    weights: Mapping[str, Tensor]


@dataclass(frozen=True)
class Row:
    """A recipe with a variant. One that draws its answers sees others in two processes."""

    recipe: str
    variant: AnyVariant
    a_run: Callable[..., AnyRun]
    highest: int = 3
    draws: bool = False

    def __str__(self) -> str:
        return f"{self.recipe} {self.variant}"

    def train(self, run: AnyRun, processes: int, stop: Callable[[], bool] = never) -> None:
        module = f"gyre_trainer.recipes.{self.recipe}.train"
        if processes == 1:
            import_module(module).train(run.folder, self.variant, stop)
            return
        command = training_command(module, run.folder.path, self.variant, workers=processes)
        environment = training_environment(processes) | {"OMP_NUM_THREADS": "1"}
        subprocess.run(command, env=environment, check=True)

    def learned(self, run: AnyRun) -> Learned:
        if isinstance(run, TinyRun):
            return Learned(run.result(self.variant).loss, run.learned(self.variant))
        return Learned(run.outcome(self.variant).loss, run.tuned(self.variant))


def of_generator(path: Path, bases: Bases, **settings: Any) -> TinyRun:
    return a_run(path, bases.generator, **(RATES | settings))


def of_soft_prompt(path: Path, bases: Bases, **settings: Any) -> TinyRun:
    return a_run(path, bases.generator, **(settings | {"rank": None, "variant": None}))


def of_grpo(path: Path, bases: Bases, **settings: Any) -> TinyRun:
    return a_grpo_run(path, bases.generator, bases.reward, **settings)


def of_encoder(path: Path, bases: Bases, **settings: Any) -> tiny_runs.TinyRun:
    del settings["variant"]
    return tiny_runs.a_run(path, bases.encoder, **settings)


def on(samples: Callable[[], Sequence[Any]]) -> Callable[..., TinyRun]:
    def run(path: Path, bases: Bases, **settings: Any) -> TinyRun:
        return of_generator(path, bases, samples=samples(), **settings)

    return run


SFT = Row("generator_sft", Variant.FULL, of_generator)
ROWS = [
    SFT,
    Row("generator_sft", Variant.LOW_RANK, of_generator),
    Row("generator_dpo", Variant.LOW_RANK, on(pairs)),
    Row("generator_kto", Variant.LOW_RANK, on(labelled)),
    Row("generator_grpo", Variant.LOW_RANK, of_grpo, highest=2, draws=True),
    Row("generator_soft_prompt", SoftPromptVariant.SOFT_PROMPT, of_soft_prompt),
    Row("judge_reward", Variant.FULL, on(judged_pairs)),
    Row("judge_reward", Variant.LOW_RANK, on(judged_pairs)),
    Row("query_encoder", EncoderVariant.FULL, of_encoder, highest=2),
]
SHORT = ("generator_kto", "generator_soft_prompt", "judge_reward", "query_encoder")
TABLE = [
    (row, stage, processes)
    for row in ROWS
    for processes in (1, 2)
    for stage in range(row.highest + 1)
    if (stage, processes) != (0, 1)
]


def is_short(row: Row, stage: int, processes: int) -> bool:
    """Whether a cell is tried in each run of the tests, not in the long matrix alone."""
    if row is SFT:
        return processes == 1 or stage == row.highest
    return processes == 1 and stage == row.highest and row.recipe in SHORT


CELLS = [
    pytest.param(
        *cell,
        marks=[] if is_short(*cell) else LONG,
        id=f"{cell[0]}-stage{cell[1]}-processes{cell[2]}".replace(" ", "-"),
    )
    for cell in TABLE
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    folder = tmp_path_factory.mktemp("bases")
    return Bases(
        generator=a_language_model(folder / "generator", reserved=9, width=384),
        reward=a_reward_model(folder / "reward"),
        encoder=tiny_runs.a_base(folder / "encoder"),
    )


@pytest.fixture(scope="module")
def straight(
    tmp_path_factory: pytest.TempPathFactory, bases: Bases
) -> Callable[[Row, int], Learned]:
    """What a row learns without ZeRO."""
    done: dict[tuple[str, int], Learned] = {}

    def learned(row: Row, processes: int) -> Learned:
        key = (str(row), processes)
        if key not in done:
            path = tmp_path_factory.mktemp("straight") / "run"
            run = row.a_run(path, bases, variant=row.variant)
            row.train(run, processes)
            done[key] = row.learned(run)
        return done[key]

    return learned


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("row", "stage", "processes"), CELLS)
def test_neither_a_zero_stage_nor_a_second_process_changes_what_is_learned(
    tmp_path: Path,
    bases: Bases,
    straight: Callable[[Row, int], Learned],
    record_property: Callable[[str, object], None],
    row: Row,
    stage: int,
    processes: int,
) -> None:
    run = row.a_run(tmp_path / "run", bases, zero_stage=stage, variant=row.variant)
    row.train(run, processes)
    ours, theirs = row.learned(run), straight(row, processes if row.draws else 1)
    off = [abs(a - b) for a, b in zip(ours.losses, theirs.losses, strict=True)]
    record_property("zero", (str(row), f"ZeRO {stage} ×{processes}", max(off)))
    assert max(off) < NEAR[processes]
    assert {name: each.shape for name, each in ours.weights.items()} == {
        name: each.shape for name, each in theirs.weights.items()
    }
    for name, each in ours.weights.items():
        assert torch.allclose(each, theirs.weights[name], atol=1e-3), name


@pytest.mark.parametrize("settings", [{"packed_tokens": 64}, {"checkpoint_activations": True}])
def test_packs_and_activations_computed_again_do_not_change_what_shared_weights_learn(
    tmp_path: Path,
    bases: Bases,
    straight: Callable[[Row, int], Learned],
    settings: dict[str, Any],
) -> None:
    run = SFT.a_run(tmp_path / "run", bases, zero_stage=3, variant=SFT.variant, **settings)
    SFT.train(run, 1)
    assert SFT.learned(run).losses == pytest.approx(straight(SFT, 1).losses, abs=NEAR[1])


@LONG
def test_shared_weights_of_bfloat16_learn_nearly_the_same(tmp_path: Path, bases: Bases) -> None:
    """A weight that differs in the last digit may be rounded the other way."""
    row = Row(SFT.recipe, Variant.LOW_RANK, SFT.a_run)
    whole, shared = (
        row.a_run(tmp_path / str(stage), bases, zero_stage=stage, precision="bfloat16")
        for stage in (0, 3)
    )
    for run in (whole, shared):
        row.train(run, 1)
    assert row.learned(shared).losses == pytest.approx(row.learned(whole).losses, rel=5e-3)


@pytest.mark.parametrize("variant", list(Variant))
def test_a_run_with_weights_shared_out_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, bases: Bases, variant: Variant
) -> None:
    row = Row(SFT.recipe, variant, SFT.a_run)
    settings = {"zero_stage": 3, "dropout": 0.1, "checkpoint_every": 4, "variant": variant}
    straight = row.a_run(tmp_path / "straight", bases, **settings)
    row.train(straight, 1)
    run = row.a_run(tmp_path / "stopped", bases, **settings)
    steps = count(1)
    with pytest.raises(Stopped, match="stopped after step 5 of 9"):
        row.train(run, 1, lambda: next(steps) >= 5)
    row.train(run, 1)
    ours, theirs = row.learned(run), row.learned(straight)
    assert ours.losses == theirs.losses
    assert all(torch.equal(ours.weights[name], each) for name, each in theirs.weights.items())


@pytest.mark.parametrize("config", [GeneratorGrpoConfig, QueryEncoderConfig])
def test_a_recipe_that_cannot_share_its_weights_out_says_so(config: Any) -> None:
    with pytest.raises(InvalidInput, match=r"setting zero_stage cannot be that .* equal to 2"):
        config.from_settings({"zero_stage": "3", "reward": "likes-e"})
