"""Verb `train`: trains one variant, from its last checkpoint on; DeepSpeed's launcher starts it.

    deepspeed --module gyre_trainer.recipes.generator_sft.train --run FOLDER --variant low-rank|full

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
    total_weight,
)
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.declining import with_declining_bounded
from gyre_trainer.language_models.engine import Course, start_engine
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import (
    TrainableGenerator,
    check_memory,
    compute_type,
    make_trainable,
    memory_in_words,
    open_to_train,
    with_precision,
)
from gyre_trainer.language_models.result import Losses
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.recipes.generator_sft.validation import validation_loss
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.checkpoint import Checkpoints
from gyre_trainer.training.program import run_training
from gyre_trainer.training.workers import StepReport, Workers


def train(folder: RunFolder, variant: Variant, stop: Callable[[], bool]) -> None:
    """From what people wrote to `<variant>/result.json`; raises GyreError for what a person should
    know.
    """
    data = RunData(folder)
    config = with_precision(GeneratorSftConfig.from_settings(data.spec.settings))
    own = folder.variant(variant)
    base, chats = open_to_train(data.base_folder, config, variant)
    taught = with_declining_bounded(data.samples(DataSetPart.FIT), config.declined_share)
    fit = tokenized(taught, chats, config)
    validation = tokenized(data.samples(DataSetPart.VALIDATION), chats, config)
    check_something_is_left(fit)
    batches = Batches(fit.samples, config)
    check_memory(base, config, variant)

    workers = Workers()
    untrained = TrainableGenerator(base, compute_type(config)).to(workers.device)
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
    course = Course(folder, variant, config, batches.steps, engine, workers, checkpoints)
    position = course.begin(len(fit.samples))

    for step in range(position.step, batches.steps):
        began, spent = time.monotonic(), time.process_time()
        course.set_rate(step)
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
        report = StepReport(loss, tokens, time.process_time() - spent, stop=stop())
        course.finish_step(position, report, time.monotonic() - began)

    after = validation_loss(model, validation.samples, config, workers)
    losses = Losses(before=before, after=after, questions=len(validation.samples))
    course.finish(position, fit=fit, validation=losses)


if __name__ == "__main__":
    run_training(train, Variant)
