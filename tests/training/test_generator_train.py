"""Training a generator in one process: what must not change the curve, and what stops it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from gyre_common.errors import FailedPrecondition
from gyre_trainer.language_models.adapters import check_base_of
from gyre_trainer.language_models.batches import Pack, pack, tokenized
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.engine import start_engine
from gyre_trainer.language_models.export import FORMS, write_candidate
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import (
    TrainableGenerator,
    make_trainable,
    memory_in_words,
    open_base,
    open_to_train,
)
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.recipes.generator_sft.train import train
from gyre_trainer.training.launching import training_command, training_environment
from gyre_trainer.training.program import Stopped
from gyre_trainer.training.workers import Workers
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.training.matrix import LONG
from tests.training.tiny_generators import TinyRun, a_run, a_sample
from tests.training.tiny_runs import never

TRAIN_MODULE = "gyre_trainer.recipes.generator_sft.train"


def after(step: int) -> Callable[[], bool]:
    """A stop signal that is given in a certain step."""
    steps = count(1)
    return lambda: next(steps) >= step


def trained(run: TinyRun, variant: Variant = Variant.LOW_RANK) -> TinyRun:
    train(run.folder, variant, never)
    return run


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path) -> TinyRun:
    """Trained low-rank with the settings that runs have here, and left as it is."""
    return trained(a_run(tmp_path_factory.mktemp("straight") / "run", tiny_language_model))


def test_training_lowers_the_loss_also_of_what_taught_nothing(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    settings: dict[str, Any] = {"epochs": 12, "low_rank_learning_rate": 1e-2}
    run = trained(a_run(tmp_path / "run", tiny_language_model, **settings))
    result = run.result()
    assert result.steps == len(result.loss) == 36
    assert np.mean(result.loss[-4:]) < 0.6 * np.mean(result.loss[:4])
    assert run.reported_steps() == list(range(1, 37))
    before, now = result.validation.before, result.validation.after
    assert before is not None
    assert now is not None
    assert now < 0.7 * before
    assert (result.samples, result.cut, result.left_out) == (24, 0, 0)


def test_packs_do_not_change_the_curve(
    tmp_path: Path, tiny_language_model: Path, straight: TinyRun
) -> None:
    """Gradients of parts that are added up are those of the big batch."""
    one_by_one = trained(a_run(tmp_path / "run", tiny_language_model, packed_tokens=64))
    assert one_by_one.result().loss == pytest.approx(straight.result().loss, abs=1e-5)


@pytest.mark.parametrize("precision", ["single", "bfloat16"])
@pytest.mark.parametrize("variant", list(Variant))
def test_activations_that_are_computed_again_do_not_change_the_curve(
    tmp_path: Path, tiny_language_model: Path, variant: Variant, precision: str
) -> None:
    """Dropout draws the same again, and each sample sees itself alone."""
    settings: dict[str, Any] = {
        "precision": precision,
        "dropout": 0.1,
        "variant": variant,
        "learning_rate": 1e-3,
    }
    name = "checkpoint_activations"
    stored, again = (
        trained(
            a_run(tmp_path / str(each), tiny_language_model, **settings | {name: each}), variant
        )
        for each in (False, True)
    )
    losses = stored.result(variant).loss
    assert again.result(variant).loss == pytest.approx(losses, abs=1e-6)


@pytest.mark.parametrize("variant", list(Variant))
def test_activations_are_not_kept_where_they_are_computed_again(
    tiny_language_model: Path, variant: Variant
) -> None:
    def backward_bytes(again: bool) -> int:
        config = GeneratorSftConfig(precision="single", checkpoint_activations=again)
        base, chats = open_to_train(tiny_language_model, config, variant)
        row = pack(tokenized([a_sample(at) for at in range(4)], chats, config).samples)
        return bytes_for_the_way_back(make_trainable(base, config, variant), row)

    assert backward_bytes(again=True) < backward_bytes(again=False) / 3


def bytes_for_the_way_back(model: TrainableGenerator, row: Pack) -> int:
    """What autograd holds on to, weights aside."""
    weights = {each.data_ptr() for each in model.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            saved[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(row)
    return sum(saved.values())


@pytest.mark.parametrize("variant", list(Variant))
def test_bfloat16_learns_nearly_what_single_precision_learns(
    tmp_path: Path, tiny_language_model: Path, variant: Variant
) -> None:
    settings: dict[str, Any] = {"variant": variant, "learning_rate": 1e-3}
    single, half = (
        trained(a_run(tmp_path / name, tiny_language_model, precision=name, **settings), variant)
        for name in ("single", "bfloat16")
    )
    losses = half.result(variant).loss
    assert losses != single.result(variant).loss
    assert losses == pytest.approx(single.result(variant).loss, rel=0.02)
    assert {weights.dtype for weights in half.learned(variant).values()} == {torch.float32}


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_small_model_takes_no_large_bucket(tiny_language_model: Path, stage: int) -> None:
    """Where many trained in one process, its buckets together were more than the machine has, and
    it could start no other.
    """
    config = GeneratorSftConfig(precision="single", zero_stage=stage)
    base, _ = open_to_train(tiny_language_model, config, Variant.FULL)
    model = make_trainable(base, config, Variant.FULL)
    Workers()
    before = psutil.Process().memory_info().vms
    engine = start_engine(model, config, Variant.FULL)
    assert psutil.Process().memory_info().vms - before < 500_000_000
    engine.destroy()


def test_what_does_not_learn_stays_in_bfloat16(tiny_language_model: Path) -> None:
    config = GeneratorSftConfig(precision="bfloat16")
    base, _ = open_to_train(tiny_language_model, config, Variant.LOW_RANK)
    model = make_trainable(base, config, Variant.LOW_RANK)
    start_engine(model, config, Variant.LOW_RANK)
    types = {each.requires_grad: each.dtype for each in model.parameters()}
    assert types == {False: torch.bfloat16, True: torch.float32}


def test_the_precision_of_a_run_is_told(tmp_path: Path, tiny_language_model: Path) -> None:
    run = trained(a_run(tmp_path / "run", tiny_language_model, precision="auto"))
    assert run.result().settings["precision"] in ("single", "bfloat16")


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("precision", ["single", "bfloat16"])
@pytest.mark.parametrize("variant", list(Variant))
def test_a_run_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_language_model: Path, variant: Variant, precision: str, again: bool
) -> None:
    settings: dict[str, Any] = {
        "precision": precision,
        "dropout": 0.1,
        "checkpoint_every": 4,
        "checkpoint_activations": again,
        "variant": variant,
        "learning_rate": 1e-3,
    }
    straight = trained(a_run(tmp_path / "straight", tiny_language_model, **settings), variant)
    run = a_run(tmp_path / "stopped", tiny_language_model, **settings)
    with pytest.raises(Stopped, match="stopped after step 5 of 9; started again, it goes on"):
        train(run.folder, variant, after(5))
    trained(run, variant)
    assert run.result(variant).loss == straight.result(variant).loss
    learned = run.learned(variant)
    assert all(torch.equal(learned[k], value) for k, value in straight.learned(variant).items())
    assert run.reported_steps() == straight.reported_steps()


def test_long_steps_are_kept_before_their_number_is_full(
    tmp_path: Path, tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_trainer.training.checkpoint.LONGEST_SECONDS", 0.0)
    run = trained(a_run(tmp_path / "run", tiny_language_model, checkpoint_every=1000))
    checkpoints = run.folder.variant(Variant.LOW_RANK) / "checkpoints"
    names = sorted(each.name for each in checkpoints.iterdir())
    assert names == ["step-00000008", "step-00000009"]


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path, tiny_language_model: Path) -> None:
    run = a_run(tmp_path / "run", tiny_language_model)
    with pytest.raises(Stopped):
        train(run.folder, Variant.LOW_RANK, after(2))
    other = a_run(tmp_path / "other", tiny_language_model, samples=[a_sample(at) for at in (1, 2)])
    for name in ("samples.jsonl", "inputs.json"):
        shutil.copy(other.folder.path / name, run.folder.path / name)
    with pytest.raises(FailedPrecondition, match="made with other data"):
        train(run.folder, Variant.LOW_RANK, never)


def test_a_base_that_changed_since_the_run_began_is_refused(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    base = Path(shutil.copytree(tiny_language_model, tmp_path / "base"))
    run = a_run(tmp_path / "run", base)
    (base / "config.json").write_text((base / "config.json").read_text() + "\n")
    with pytest.raises(FailedPrecondition, match="has changed since the run began"):
        train(run.folder, Variant.LOW_RANK, never)


def test_samples_that_changed_are_refused(tmp_path: Path, tiny_language_model: Path) -> None:
    run = a_run(tmp_path / "run", tiny_language_model)
    path = run.folder.path / "samples.jsonl"
    path.write_text(path.read_text().replace("red", "rot", 1))
    with pytest.raises(FailedPrecondition, match=r"samples\.jsonl has changed"):
        train(run.folder, Variant.LOW_RANK, never)


def test_a_loss_that_is_not_a_number_stops_the_run_and_says_where(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    base = Path(shutil.copytree(tiny_language_model, tmp_path / "base"))
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    run = a_run(tmp_path / "run", base)
    with pytest.raises(FailedPrecondition, match="the loss is nan at step 1 of 9"):
        train(run.folder, Variant.LOW_RANK, never)


def test_samples_that_are_all_too_long_are_told(tmp_path: Path, tiny_language_model: Path) -> None:
    samples = [a_sample(at, answer="long " * 40) for at in range(4)]
    run = a_run(tmp_path / "run", tiny_language_model, samples=samples, longest=100)
    with pytest.raises(FailedPrecondition, match="none of 4 samples is short enough"):
        train(run.folder, Variant.LOW_RANK, never)


def test_too_little_memory_is_told_before_anything_is_trained(
    tmp_path: Path, tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    run = a_run(tmp_path / "run", tiny_language_model)
    with pytest.raises(FailedPrecondition, match=r"GB more memory.*lower the settings longest"):
        train(run.folder, Variant.LOW_RANK, never)


def test_memory_that_is_enough_where_activations_are_computed_again_is_not_refused(
    tmp_path: Path, tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = 1536 * 2 * 32  # tokens, layers, hidden size
    available = SimpleNamespace(available=100 * numbers)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)
    run = a_run(tmp_path / "kept", tiny_language_model)
    with pytest.raises(FailedPrecondition, match="set checkpoint_activations"):
        train(run.folder, Variant.LOW_RANK, never)
    trained(a_run(tmp_path / "again", tiny_language_model, checkpoint_activations=True))


def test_memory_that_is_exhausted_is_told() -> None:
    with (
        pytest.raises(FailedPrecondition, match=r"memory is exhausted: .* or train the variant"),
        memory_in_words(Variant.FULL),
    ):
        raise torch.OutOfMemoryError


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (["model.safetensors"], "no weights that can be trained"),
        (["config.json"], "cannot be opened to train it"),
        (["tokenizer.json", "tokenizer_config.json"], "cannot be opened to train it"),
    ],
)
def test_a_base_that_is_not_whole_is_told(
    tmp_path: Path, tiny_language_model: Path, broken: list[str], message: str
) -> None:
    base = Path(shutil.copytree(tiny_language_model, tmp_path / "base"))
    for name in broken:
        (base / name).unlink()
    with pytest.raises(FailedPrecondition, match=message):
        open_base(base)


def test_weights_that_are_pickled_are_never_loaded(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    base = Path(shutil.copytree(tiny_language_model, tmp_path / "base"))
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    with pytest.raises(FailedPrecondition, match="no weights that can be trained"):
        open_base(base)


def test_an_adapter_is_exported_with_its_base_and_gives_what_was_learned(
    tmp_path: Path, tiny_language_model: Path, straight: TinyRun
) -> None:
    run = TinyRun(
        type(straight.folder)(Path(shutil.copytree(straight.folder.path, tmp_path / "r")))
    )
    write_candidate(run.folder, FORMS[Variant.LOW_RANK])
    candidate, base = run.folder.candidate, RunData(run.folder).inputs.base
    assert {path.name for path in candidate.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
        "README.md",
    }
    config = json.loads((candidate / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (base.version, base.digest)
    check_base_of(candidate, base)
    with pytest.raises(FailedPrecondition, match=r"was made for tiny .*, not for other"):
        check_base_of(candidate, base.model_copy(update={"version": "other"}))
    network, _ = open_base(tiny_language_model)
    ids = torch.tensor([[5, 6, 7]])
    plain = network(ids).logits
    tuned = PeftModel.from_pretrained(network, candidate)(ids).logits
    assert not torch.allclose(plain, tuned)


def test_a_base_that_is_an_adapter_is_refused(tmp_path: Path, straight: TinyRun) -> None:
    with pytest.raises(FailedPrecondition, match="holds an adapter, not a whole model"):
        open_base(straight.folder.variant("low-rank") / "learned")


def test_a_full_model_is_exported_so_that_it_opens_as_a_base(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    settings: dict[str, Any] = {"variant": "full", "learning_rate": 1e-2}
    run = trained(a_run(tmp_path / "run", tiny_language_model, **settings), Variant.FULL)
    write_candidate(run.folder, FORMS[Variant.FULL])
    network, _ = open_base(run.folder.candidate)
    base, _ = open_base(tiny_language_model)
    ids = torch.tensor([[5, 6, 7]])
    assert not torch.allclose(network(ids).logits, base(ids).logits)


@LONG
def test_a_failure_is_one_line_and_exit_status_one(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_language_model)
    (run.folder.path / "samples.jsonl").write_text("nonsense\n")
    completed = launch(run, processes=1)
    assert completed.returncode == 1
    assert [line for line in completed.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in completed.stderr


def launch(run: TinyRun, *, processes: int) -> subprocess.CompletedProcess[str]:
    command = training_command(TRAIN_MODULE, run.folder.path, "low-rank", workers=processes)
    return subprocess.run(
        command, env=training_environment(processes), capture_output=True, text=True, check=False
    )
