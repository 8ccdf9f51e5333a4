"""Verb `train`: trains one variant, from its last checkpoint on; DeepSpeed's launcher starts it.

    deepspeed --module gyre_trainer.recipes.generator_sft.train --run FOLDER --variant low-rank|full

A failure is one line, `error: …`, and exit status 1.
"""

import math
import sys
import time
from collections.abc import Callable

import deepspeed
import torch
from gyre_common.errors import FailedPrecondition

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.batches import (
    Batches,
    check_something_is_left,
    pack,
    packed,
    tokenized,
    total_weight,
)
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import (
    TrainableGenerator,
    check_memory,
    make_trainable,
    memory_in_words,
    open_base,
)
from gyre_trainer.language_models.result import Losses, write_result
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.recipes.generator_sft.validation import validation_loss
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.training.checkpoint import Checkpoints
from gyre_trainer.training.program import Stopped, run_training
from gyre_trainer.training.workers import StepReport, Workers


def train(folder: RunFolder, variant: Variant, stop: Callable[[], bool]) -> None:
    """From what people wrote to `<variant>/result.json`; raises GyreError for what a person should
    know.
    """
    data = RunData(folder)
    config = GeneratorSftConfig.from_settings(data.spec.settings)
    own = folder.variant(variant)
    base, chats = open_base(data.base_folder)
    fit = tokenized(data.samples(DataSetPart.FIT), chats, config)
    validation = tokenized(data.samples(DataSetPart.VALIDATION), chats, config)
    check_something_is_left(fit)
    batches = Batches(fit.samples, config)
    check_memory(base, config, variant)

    workers = Workers()
    untrained = TrainableGenerator(base).to(workers.device)
    before = validation_loss(untrained, validation.samples, config, workers)
    torch.manual_seed(config.seed)
    model = make_trainable(base, config, variant)
    engine = start_engine(model, config, variant)
    checkpoints = Checkpoints(
        own / "checkpoints",
        engine,
        workers,
        {"settings": config.model_dump_json(), "data": data.digest(), "variant": variant},
    )
    position = checkpoints.resume()
    if workers.first:
        write_json(own / "config.json", config)
        sys.stdout.write(f"{variant}: {len(fit.samples)} samples, {config!r}\n")

    for step in range(position.step, batches.steps):
        began, spent = time.monotonic(), time.process_time()
        for group in engine.optimizer.param_groups:
            group["lr"] = config.rate_at(step, batches.steps, variant)
        samples = batches.at(step)
        weight, loss, tokens = total_weight(samples), 0.0, 0
        packs = packed(samples, tokens=config.packed_tokens, rank=workers.rank, ranks=workers.count)
        for number, members in enumerate(packs, start=1):
            row = pack(members).to(workers.device)
            with memory_in_words(variant):
                part = completion_loss(engine(row), row.targets, row.weights, weight)
                engine.set_gradient_accumulation_boundary(is_boundary=number == len(packs))
                # DeepSpeed takes the mean over processes; the parts are to be added up.
                engine.backward(part * workers.count)
                engine.step()
            loss += part.item()
            tokens += sum(len(each.ids) for each in members)
        spent = time.process_time() - spent
        totals = workers.sum_reports(StepReport(loss, tokens, spent, stop=stop()))
        if not math.isfinite(totals.loss):
            raise FailedPrecondition(
                f"the loss is {totals.loss} at step {step + 1} of {batches.steps}: "
                "lower the learning rate"
            )
        position.add(totals, time.monotonic() - began)
        if workers.first:
            metrics = {
                "loss": totals.loss,
                "rate": group["lr"],
                "tokens_per_second": position.tokens / position.seconds,
                "seconds_left": position.seconds / position.step * (batches.steps - position.step),
            }
            folder.progress(variant, position.step, batches.steps, metrics)
        done = position.step == batches.steps
        if done or totals.stop or position.step % config.checkpoint_every == 0:
            checkpoints.save(position)
        if totals.stop and not done:
            raise Stopped(
                f"stopped after step {position.step} of {batches.steps}; started again, it goes on"
            )

    after = validation_loss(model, validation.samples, config, workers)
    if workers.first:
        losses = Losses(before=before, after=after, questions=len(validation.samples))
        write_result(own, variant, config, position, model, fit=fit, validation=losses)


def start_engine(
    model: TrainableGenerator, config: GeneratorSftConfig, variant: Variant
) -> deepspeed.DeepSpeedEngine:
    """DeepSpeed in single precision with torch's own AdamW: nothing is compiled at run time."""
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        learning, lr=config.highest_rate(variant), weight_decay=config.weight_decay
    )
    settings = {
        # Batches are made here, and the loop says where a step ends.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.clip,
        "zero_optimization": {"stage": config.zero_stage},
        "zero_allow_untested_optimizer": True,
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)
    return engine


if __name__ == "__main__":
    run_training(train, Variant)
