"""Verb `train`: trains one variant, from its last checkpoint on; DeepSpeed's launcher starts it.

    deepspeed --module gyre_trainer.recipes.generator_dpo.train --run FOLDER --variant low-rank|full

A failure is one line, `error: …`, and exit status 1.
"""

import time
from collections.abc import Callable

import torch

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.batches import (
    Batches,
    check_something_is_left,
    pack,
    packed,
    tokenized,
)
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.engine import Course, start_engine
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.log_probabilities import (
    completion_log_probabilities,
    with_reference,
)
from gyre_trainer.language_models.model import (
    check_memory,
    make_trainable,
    memory_in_words,
    open_to_train,
    with_precision,
)
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.recipes.generator_dpo.loss import dpo_loss, preference_margins
from gyre_trainer.recipes.generator_dpo.pairs import pair_tensors, validation_losses
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.checkpoint import Checkpoints
from gyre_trainer.training.program import run_training
from gyre_trainer.training.workers import StepReport, Workers


def train(folder: RunFolder, variant: Variant, stop: Callable[[], bool]) -> None:
    """From pairs of answers to `<variant>/result.json`; raises GyreError for what a person should
    know.
    """
    data = RunData(folder)
    config = with_precision(GeneratorDpoConfig.from_settings(data.spec.settings))
    own = folder.variant(variant)
    base, chats = open_to_train(data.base_folder, config, variant)
    fit = tokenized(data.samples(DataSetPart.FIT), chats, config)
    validation = tokenized(data.samples(DataSetPart.VALIDATION), chats, config)
    check_something_is_left(fit)
    check_memory(base, config, variant)

    workers = Workers()
    torch.manual_seed(config.seed)
    model = make_trainable(base, config, variant, data.start_folder).to(workers.device)
    pairs = with_reference(
        model,
        [*fit.samples, *validation.samples],
        config,
        workers,
        reference_file=own / "reference.json",
        data=data.digest(),
    )
    batches, held_out = Batches(pairs[: len(fit.samples)], config), pairs[len(fit.samples) :]
    engine = start_engine(model, config, variant)
    checkpoints = Checkpoints(
        own / "checkpoints",
        engine,
        workers,
        {"settings": config.model_dump_json(), "data": data.digest(), "variant": variant},
    )
    course = Course(folder, variant, config, batches.steps, engine, workers, checkpoints)
    position = course.begin(len(fit.samples))

    for step in range(position.step, batches.steps):
        began, spent = time.monotonic(), time.process_time()
        course.set_rate(step)
        batch = batches.at(step)
        weight = sum(config.wrong_and_weight(pair.weight)[1] for pair in batch)
        loss, tokens, margin, preferred = 0.0, 0, 0.0, 0.0
        packs = packed(batch, tokens=config.packed_tokens, rank=workers.rank, ranks=workers.count)
        for number, members in enumerate(packs, start=1):
            row = pack(members).to(workers.device)
            reference, wrong, weights = pair_tensors(members, config, workers.device)
            with memory_in_words(variant):
                policy = completion_log_probabilities(engine(row), row, 2 * len(members))
                margins = preference_margins(policy.view(-1, 2), reference, beta=config.beta)
                part = dpo_loss(margins, wrong, weights, weight)
                engine.set_gradient_accumulation_boundary(is_boundary=number == len(packs))
                # DeepSpeed takes the mean over processes; the parts are to be added up.
                engine.backward(part * workers.count)
                engine.step()
            loss += part.item()
            margin += margins.sum().item() / len(batch)
            preferred += (margins > 0).sum().item() / len(batch)
            tokens += sum(each.length for each in members)
        margin, preferred = workers.sum((margin, preferred))
        report = StepReport(loss, tokens, time.process_time() - spent, stop=stop())
        metrics = {"margin": margin, "preferred": preferred}
        course.finish_step(position, report, time.monotonic() - began, metrics)

    losses = validation_losses(model, held_out, config, workers)
    course.finish(position, fit=fit, validation=losses)


if __name__ == "__main__":
    run_training(train, Variant)
