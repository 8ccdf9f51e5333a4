"""The recipe beside TRL's, on the same tensors and with the same samples in the same order."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gyre_trainer.language_models.batches import (
    Batches,
    TokenizedSample,
    pack,
    tokenized,
    total_weight,
)
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.model import TrainableGenerator, open_base
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.recipes.generator_sft.train import train

from tests.training.tiny_generators import a_run, a_sample, a_tokenizer
from tests.training.tiny_runs import never

datasets = pytest.importorskip("datasets")
trl = pytest.importorskip("trl")


def sft_trainer(base: Path, samples: list[TokenizedSample], output: Path, **options: object):  # type: ignore[no-untyped-def]
    """TRL's, with every number that the recipe has set alike."""
    network, _ = open_base(base)
    rows = [
        {
            "input_ids": list(sample.ids),
            "completion_mask": [0] * (len(sample.ids) - sample.completion)
            + [1] * sample.completion,
        }
        for sample in samples
    ]
    settings = trl.SFTConfig(
        output_dir=str(output),
        use_cpu=True,
        bf16=False,
        completion_only_loss=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        gradient_checkpointing=False,
        max_length=None,
        **options,
    )
    return trl.SFTTrainer(
        model=network,
        args=settings,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=a_tokenizer(),
    )


def the_samples(base: Path) -> list[TokenizedSample]:
    """As the recipe reads them, each of full weight: TRL knows no other."""
    _, chats = open_base(base)
    samples = [a_sample(at) for at in range(24)]
    full = [
        sample.model_copy(update={"row": sample.row.model_copy(update={"weight": 1.0})})
        for sample in samples
    ]
    return list(tokenized(full, chats, GeneratorSftConfig()).samples)


def test_the_loss_is_that_of_trl(tmp_path: Path, tiny_language_model: Path) -> None:
    samples = the_samples(tiny_language_model)[:8]
    trainer = sft_trainer(
        tiny_language_model, samples, tmp_path, per_device_train_batch_size=len(samples)
    )
    batch = next(iter(trainer.get_train_dataloader()))
    tokens = (batch["labels"] != -100).sum()
    with torch.no_grad():
        theirs = trainer.compute_loss(trainer.model, batch, num_items_in_batch=tokens)
    network, _ = open_base(tiny_language_model)
    row = pack(samples)
    with torch.no_grad():
        logits = TrainableGenerator(network)(row)
    ours = completion_loss(logits, row.targets, row.weights, total_weight(samples))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_the_curve_is_that_of_trl(tmp_path: Path, tiny_language_model: Path) -> None:
    """The whole model, AdamW, a rate that does not change, gradients clipped at 1."""
    settings: dict[str, Any] = {
        "variant": "full",
        "learning_rate": 1e-3,
        "warm_up": 0.0,
        "epochs": 2,
    }
    samples = [
        each.model_copy(update={"row": each.row.model_copy(update={"weight": 1.0})})
        for each in map(a_sample, range(24))
    ]
    run = a_run(tmp_path / "run", tiny_language_model, samples=samples, **settings)
    train(run.folder, Variant.FULL, never)
    config = GeneratorSftConfig.from_settings(run.folder.spec().settings)
    batches = Batches(the_samples(tiny_language_model), config)
    in_order = [sample for step in range(batches.steps) for sample in batches.at(step)]
    trainer = sft_trainer(
        tiny_language_model,
        in_order,
        tmp_path / "trl",
        per_device_train_batch_size=4,
        gradient_accumulation_steps=config.batch // 4,
        num_train_epochs=1,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0,
        weight_decay=0.0,
        max_grad_norm=config.clip,
        adam_beta1=0.9,
        adam_beta2=0.999,
        logging_steps=1,
        seed=3,
        shuffle_dataset=False,
        train_sampling_strategy="sequential",
    )
    trainer.train()
    theirs = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert run.result("full").loss == pytest.approx(theirs, abs=2e-3)
