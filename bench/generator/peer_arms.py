"""Ways to train on a run's folder, each in a process of its own.

    python -m bench.generator.peer_arms ARM FOLDER

prints a JSON object: tokens, cpu_seconds (of the steps alone), peak_mib (of the whole process) and
loss (the mean of the last epoch). The arms are those of `bench.generator.peers`.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.batches import (
    Batches,
    Tokenized,
    TokenizedSample,
    pack,
    packed,
    tokenized,
    total_weight,
)
from gyre_trainer.language_models.config import LanguageModelConfig, Variant
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.log_probabilities import (
    completion_log_probabilities,
    with_reference,
)
from gyre_trainer.language_models.model import TrainableGenerator, make_trainable, open_base
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.recipes.generator_dpo.loss import dpo_loss, preference_margins
from gyre_trainer.recipes.generator_dpo.pairs import pair_tensors
from gyre_trainer.recipes.generator_dpo.train import train as train_dpo
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.recipes.generator_sft.train import train as train_sft
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.workers import Workers
from torch import Tensor, nn

Figures = Mapping[str, float]
CONFIGS: Mapping[str, type[LanguageModelConfig]] = {
    "sft": GeneratorSftConfig,
    "dpo": GeneratorDpoConfig,
}


def main() -> None:
    """Runs one arm."""
    arm, path = sys.argv[1:]
    train = ARMS_BY_NAME[arm]
    figures = train(RunFolder(Path(path)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"\n{json.dumps({**figures, 'peak_mib': peak})}\n")


def gyre(folder: RunFolder) -> Figures:
    """The recipe itself. The reference of `dpo` is computed before the steps, so it is timed with
    them.
    """
    spec = folder.spec()
    began = time.process_time()
    train = {"sft": train_sft, "dpo": train_dpo}[spec.recipe]
    train(folder, Variant.LOW_RANK, lambda: False)
    whole = time.process_time() - began
    result = json.loads((folder.variant("low-rank") / "result.json").read_text())
    spent = result["cpu_seconds"] if spec.recipe == "sft" else whole
    return _figures(result["tokens"], spent, result["loss"], int(spec.settings["epochs"]))


def bare(folder: RunFolder) -> Figures:
    """The floor: a plain loop of torch."""
    data, config, samples = _task(folder)
    network, _ = open_base(data.base_folder)
    began = time.process_time()
    rows: Sequence[TokenizedSample] = samples.samples
    if isinstance(config, GeneratorDpoConfig):
        untrained = TrainableGenerator(network)
        reference_file = folder.path / "reference.json"
        rows = with_reference(
            untrained, rows, config, Workers(), reference_file=reference_file, data="bench"
        )
    model = make_trainable(network, config, Variant.LOW_RANK)
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=config.low_rank_learning_rate, weight_decay=0.0)
    batches, losses, tokens = Batches(rows, config), [], 0
    for step in range(batches.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate_at(step, batches.steps, Variant.LOW_RANK)
        batch, loss = batches.at(step), 0.0
        for members in packed(batch, tokens=config.packed_tokens):
            part = _loss(model, members, batch, config)
            part.backward()
            loss += part.item()
            tokens += sum(each.length for each in members)
        nn.utils.clip_grad_norm_(learning, config.clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
    return _figures(tokens, time.process_time() - began, losses, config.epochs)


def _loss(
    model: TrainableGenerator,
    members: Sequence[Any],
    batch: Sequence[Any],
    config: LanguageModelConfig,
) -> Tensor:
    row = pack(members)
    if not isinstance(config, GeneratorDpoConfig):
        return completion_loss(model(row), row.targets, row.weights, total_weight(batch))
    policy = completion_log_probabilities(model(row), row, 2 * len(members)).view(-1, 2)
    reference, wrong, weights = pair_tensors(members, config, torch.device("cpu"))
    margins = preference_margins(policy, reference, beta=config.beta)
    return dpo_loss(margins, wrong, weights, float(len(batch)))


def trl(folder: RunFolder, **settings_of_arm: bool) -> Figures:
    """TRL's trainer over samples that are tokenized already, in the order of the recipe."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    data, config, samples = _task(folder)
    batches = Batches(samples.samples, config)
    in_order = [sample for step in range(batches.steps) for sample in batches.at(step)]
    network, _ = open_base(data.base_folder)
    network.is_quantized = False  # its file was: the weights are numbers of single precision now
    tokenizer = AutoTokenizer.from_pretrained(data.base_folder, gguf_file=LANGUAGE_MODEL_FILE)
    low_rank = LoraConfig(
        r=config.rank,
        lora_alpha=config.rank_scale * config.rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    is_dpo = isinstance(config, GeneratorDpoConfig)
    trainer_type, rows = (DPOTrainer, _dpo_rows) if is_dpo else (SFTTrainer, _sft_rows)

    class OverTokens(trainer_type):  # type: ignore[misc, valid-type]
        def _prepare_dataset(self, dataset: Any, *_: object) -> Any:
            return dataset

    with tempfile.TemporaryDirectory() as output:
        settings = {
            "output_dir": output,
            "use_cpu": True,
            "report_to": "none",
            "save_strategy": "no",
            "disable_tqdm": True,
            "max_length": None,
            "num_train_epochs": 1,
            "learning_rate": config.low_rank_learning_rate,
            "warmup_steps": round(config.warm_up * batches.steps),
            "max_grad_norm": config.clip,
            "logging_steps": 1,
            "train_sampling_strategy": "sequential",
            **settings_of_arm,
        }
        arguments = (
            DPOConfig(**settings, beta=config.beta)
            if isinstance(config, GeneratorDpoConfig)
            else SFTConfig(**settings, completion_only_loss=True)
        )
        trainer = OverTokens(
            model=network,
            args=arguments,
            train_dataset=Dataset.from_list(rows(in_order)),
            processing_class=tokenizer,
            peft_config=low_rank,
        )
        clock = _clock()
        trainer.train()
        spent = clock()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    tokens = sum(each.length for each in in_order)
    return _figures(tokens, spent, losses, config.epochs)


def _sft_rows(samples: Sequence[TokenizedSample]) -> list[dict[str, list[int]]]:
    return [
        {
            "input_ids": list(each.ids),
            "labels": [-100] * len(each.prompt) + list(each.ids[len(each.prompt) :]),
        }
        for each in samples
    ]


def _dpo_rows(samples: Sequence[TokenizedSample]) -> list[dict[str, list[int]]]:
    return [
        {
            "prompt_ids": list(each.prompt),
            "chosen_ids": list(each.ids[len(each.prompt) :]),
            "rejected_ids": list(each.others[0]),
        }
        for each in samples
    ]


def _task(folder: RunFolder) -> tuple[RunData, LanguageModelConfig, Tokenized]:
    data = RunData(folder)
    config = CONFIGS[data.spec.recipe].from_settings(data.spec.settings)
    _, chats = open_base(data.base_folder)
    return data, config, tokenized(data.samples(DataSetPart.FIT), chats, config)


def _clock() -> Callable[[], float]:
    began = time.process_time()
    return lambda: time.process_time() - began


def _figures(tokens: int, spent: float, losses: Sequence[float], epochs: int) -> Figures:
    last = losses[-max(1, len(losses) // epochs) :]
    return {"tokens": tokens, "cpu_seconds": spent, "loss": sum(last) / len(last)}


ARMS_BY_NAME: Mapping[str, Callable[[RunFolder], Figures]] = {
    "bare": bare,
    "gyre single": gyre,
    "gyre auto": gyre,
    "trl": trl,
    "trl single": partial(trl, bf16=False, gradient_checkpointing=False),
}

if __name__ == "__main__":
    main()
