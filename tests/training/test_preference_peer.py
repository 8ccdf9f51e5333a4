"""Recipes of preferences beside TRL's: the same tensors, the same samples in the same order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.batches import Batches, Tokenized, TokenizedSample, tokenized
from gyre_trainer.language_models.config import LanguageModelConfig, Variant
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import open_base
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.recipes.generator_dpo.train import train as train_dpo
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig
from gyre_trainer.recipes.generator_kto.train import train as train_kto
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.recipes.judge_reward.model import open_with_head
from gyre_trainer.recipes.judge_reward.pairs import tokenized_pairs
from gyre_trainer.recipes.judge_reward.train import train as train_reward
from gyre_trainer.runs.folder import RunFolder
from transformers import PreTrainedModel

from tests.training.tiny_generators import (
    a_run,
    a_tokenizer,
    judged_pairs,
    labelled,
    of_full_trust,
    pairs,
)
from tests.training.tiny_runs import never

datasets = pytest.importorskip("datasets")
trl = pytest.importorskip("trl")

SETTINGS: dict[str, Any] = {"variant": "full", "learning_rate": 3e-4, "warm_up": 0.0, "epochs": 2}


def of_trl(config: LanguageModelConfig, output: Path) -> dict[str, Any]:
    """TRL's settings, with every number that the recipe has set alike."""
    return {
        "output_dir": str(output),
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "gradient_checkpointing": False,
        "max_length": None,
        "num_train_epochs": 1,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "max_grad_norm": config.clip,
        "logging_steps": 1,
        "seed": 3,
        "train_sampling_strategy": "sequential",
    }


def curve(trainer: Any) -> list[float]:
    trainer.train()
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


def in_order(folder: RunFolder, config: LanguageModelConfig) -> list[TokenizedSample]:
    """The samples of a run as its steps take them."""
    batches = Batches(the_samples(folder, config).samples, config)
    return [sample for step in range(batches.steps) for sample in batches.at(step)]


def the_samples(folder: RunFolder, config: LanguageModelConfig) -> Tokenized:
    data = RunData(folder)
    _, chats = open_base(data.base_folder)
    return tokenized(data.samples(DataSetPart.FIT), chats, config)


def tokenless(
    trainer: type,
    rows: Sequence[Mapping[str, object]],
    network: PreTrainedModel,
    settings: Any,
) -> Any:
    """A trainer of TRL's over samples that are tokenized already."""

    class OverTokens(trainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: object) -> Any:
            return dataset

    return OverTokens(
        model=network.train(),
        args=settings,
        train_dataset=datasets.Dataset.from_list(list(rows)),
        processing_class=a_tokenizer(),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_curve_of_dpo_is_that_of_trl(
    tmp_path: Path, tiny_language_model: Path, smoothing: float
) -> None:
    """With smoothing, TRL has this loss under the name of one that sorts a batch: here, of one."""
    samples = of_full_trust(pairs())
    run = a_run(
        tmp_path / "run",
        tiny_language_model,
        samples=samples,
        label_smoothing=smoothing,
        beta=0.3,
        **SETTINGS,
    )
    train_dpo(run.folder, Variant.FULL, never)
    config = GeneratorDpoConfig.from_settings(run.folder.spec().settings)
    rows = [
        {
            "prompt_ids": list(sample.prompt),
            "chosen_ids": list(sample.ids[len(sample.prompt) :]),
            "rejected_ids": list(sample.others[0]),
        }
        for sample in in_order(run.folder, config)
    ]
    size = 1 if smoothing else 4
    settings = trl.DPOConfig(
        **of_trl(config, tmp_path / "trl"),
        beta=config.beta,
        loss_type="aot" if smoothing else "sigmoid",
        label_smoothing=smoothing,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=config.batch // size,
        precompute_ref_log_probs=True,
    )
    theirs = curve(tokenless(trl.DPOTrainer, rows, open_base(tiny_language_model)[0], settings))
    assert run.result("full").loss[0] == pytest.approx(0.6931, abs=1e-4)
    assert run.result("full").loss == pytest.approx(theirs, abs=2e-3)


def test_the_curve_of_kto_is_that_of_trl(tmp_path: Path, tiny_language_model: Path) -> None:
    """All samples in each step, so that both pair each prompt with the same other answer."""
    samples = of_full_trust(labelled())
    settings = SETTINGS | {"epochs": 6, "batch": 24, "beta": 0.3, "longest": 200}
    run = a_run(tmp_path / "run", tiny_language_model, samples=samples, **settings)
    train_kto(run.folder, Variant.FULL, never)
    config = GeneratorKtoConfig.from_settings(run.folder.spec().settings)
    tokens = the_samples(run.folder, config)
    completions = [list(each.ids[len(each.prompt) :]) for each in tokens.samples]
    rows = [
        {
            "prompt_ids": list(sample.prompt),
            "completion_ids": completions[at],
            "KL_completion_ids": completions[at - 1],
            "label": source.row.desirable,
        }
        for at, (sample, source) in enumerate(zip(tokens.samples, tokens.sources, strict=True))
    ]
    theirs = trl.KTOConfig(
        **(of_trl(config, tmp_path / "trl") | {"num_train_epochs": config.epochs}),
        beta=config.beta,
        undesirable_weight=2.0,
        per_device_train_batch_size=24,
        precompute_ref_log_probs=True,
    )
    expected = curve(tokenless(trl.KTOTrainer, rows, open_base(tiny_language_model)[0], theirs))
    assert run.result("full").loss == pytest.approx(expected, abs=2e-3)
    assert expected[-1] < 0.8 * expected[0]


@pytest.mark.parametrize("centering", [0.0, 0.1])
def test_the_curve_of_rewards_is_that_of_trl(
    tmp_path: Path, tiny_language_model: Path, centering: float
) -> None:
    samples = of_full_trust(judged_pairs())
    settings = SETTINGS | {"centering": centering, "learning_rate": 1e-2, "epochs": 6}
    run = a_run(tmp_path / "run", tiny_language_model, samples=samples, **settings)
    train_reward(run.folder, Variant.FULL, never)
    config = JudgeRewardConfig.from_settings(run.folder.spec().settings)
    network, chats = open_with_head(tiny_language_model, config, Variant.FULL)
    tokens = tokenized_pairs(RunData(run.folder).samples(DataSetPart.FIT), chats, config)
    batches = Batches(tokens.samples, config)
    rows = [
        {"chosen_ids": list(pair.ids), "rejected_ids": [*pair.prompt, *pair.others[0]]}
        for step in range(batches.steps)
        for pair in batches.at(step)
    ]
    theirs = trl.RewardConfig(
        **of_trl(config, tmp_path / "trl"),
        center_rewards_coefficient=centering or None,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=config.batch // 4,
    )
    network.config.pad_token_id = a_tokenizer().pad_token_id
    expected = curve(tokenless(trl.RewardTrainer, rows, network, theirs))
    assert expected[0] == pytest.approx(0.6931, abs=1e-4)
    assert run.result("full").loss == pytest.approx(expected, abs=2e-3)
    assert expected[-1] < 0.9 * expected[0]
