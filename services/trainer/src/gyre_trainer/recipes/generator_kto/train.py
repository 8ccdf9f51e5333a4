"""Verb `train`: trains one variant, from its last checkpoint on; DeepSpeed's launcher starts it.

    deepspeed --module gyre_trainer.recipes.generator_kto.train --run FOLDER --variant low-rank|full

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
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig
from gyre_trainer.recipes.generator_kto.labelled import (
    answer_tensors,
    kl_of,
    labelled,
    lambdas_of,
    validation_losses,
    with_mismatched,
)
from gyre_trainer.recipes.generator_kto.loss import kto_loss
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.checkpoint import Checkpoints
from gyre_trainer.training.program import run_training
from gyre_trainer.training.workers import StepReport, Workers


def train(folder: RunFolder, variant: Variant, stop: Callable[[], bool]) -> None:
    """From answers with a label to `<variant>/result.json`; raises GyreError for what a person
    should know.
    """
    data = RunData(folder)
    config = with_precision(GeneratorKtoConfig.from_settings(data.spec.settings))
    own = folder.variant(variant)
    base, chats = open_to_train(data.base_folder, config, variant)
    fit = tokenized(data.samples(DataSetPart.FIT), chats, config)
    held_out = tokenized(data.samples(DataSetPart.VALIDATION), chats, config)
    check_something_is_left(fit)
    check_memory(base, config, variant)

    workers = Workers()
    torch.manual_seed(config.seed)
    model = make_trainable(base, config, variant, data.start_folder).to(workers.device)
    referenced = with_reference(
        model,
        [
            *with_mismatched(fit, longest=config.longest),
            *with_mismatched(held_out, longest=config.longest),
        ],
        config,
        workers,
        reference_file=own / "reference.json",
        data=data.digest(),
    )
    lambdas = lambdas_of(fit, config)
    batches = Batches(labelled(referenced[: len(fit.samples)], fit, lambdas), config)
    validation = labelled(referenced[len(fit.samples) :], held_out, lambdas)
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
        kl = kl_of(model, batch, config, workers).to(workers.device)
        loss, tokens = 0.0, 0
        packs = packed(batch, tokens=config.packed_tokens, rank=workers.rank, ranks=workers.count)
        for number, members in enumerate(packs, start=1):
            row = pack([sample.matched for sample in members]).to(workers.device)
            reference, desirable, weights = answer_tensors(members, workers.device)
            with memory_in_words(variant):
                policy = completion_log_probabilities(engine(row), row, len(members))
                ratios = policy - reference
                part = kto_loss(ratios, kl, desirable, weights, len(batch), beta=config.beta)
                engine.set_gradient_accumulation_boundary(is_boundary=number == len(packs))
                # DeepSpeed takes the mean over processes; the parts are to be added up.
                engine.backward(part * workers.count)
                engine.step()
            loss += part.item()
            tokens += sum(len(each.ids) for each in members)
        report = StepReport(loss, tokens, time.process_time() - spent, stop=stop())
        course.finish_step(position, report, time.monotonic() - began, {"kl": kl.item()})

    losses = validation_losses(model, validation, config, workers)
    course.finish(position, fit=fit, validation=losses)


if __name__ == "__main__":
    run_training(train, Variant)
