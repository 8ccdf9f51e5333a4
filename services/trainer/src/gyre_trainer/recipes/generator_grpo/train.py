"""Verb `train`: trains the adapter, from its last checkpoint on; DeepSpeed's launcher starts it.

    deepspeed --module gyre_trainer.recipes.generator_grpo.train --run FOLDER --variant low-rank

A failure is one line, `error: …`, and exit status 1.
"""

import time
from collections.abc import Callable

import torch

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.batches import (
    Batches,
    Tokenized,
    check_something_is_left,
    pack,
    tokenized,
)
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.engine import Course, start_engine
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import (
    Beginning,
    check_memory,
    make_trainable,
    memory_in_words,
    open_to_train,
    open_tokenizer,
    with_precision,
)
from gyre_trainer.language_models.result import Losses
from gyre_trainer.recipes.generator_grpo.config import GeneratorGrpoConfig
from gyre_trainer.recipes.generator_grpo.loss import divergence, grpo_loss
from gyre_trainer.recipes.generator_grpo.reward_model import open_reward_model
from gyre_trainer.recipes.generator_grpo.rollouts import (
    Rollouts,
    of_tokens,
    questions_of,
    token_log_probabilities,
)
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.checkpoint import Checkpoints
from gyre_trainer.training.program import run_training
from gyre_trainer.training.workers import StepReport, Workers


def train(folder: RunFolder, variant: Variant, stop: Callable[[], bool]) -> None:
    """From questions to `<variant>/result.json`; raises GyreError for what a person should know."""
    data = RunData(folder)
    config = with_precision(GeneratorGrpoConfig.from_settings(data.spec.settings))
    own = folder.variant(variant)
    base, chats = open_to_train(data.base_folder, config, variant)
    # A prompt leaves room for what is written to it.
    room = config.model_copy(update={"longest": config.longest - config.completion_tokens})
    fit = tokenized(data.samples(DataSetPart.FIT), chats, room)
    validation = tokenized(data.samples(DataSetPart.VALIDATION), chats, room)
    check_something_is_left(fit)
    batches = Batches(questions_of(fit), config)
    check_memory(base, config, variant)

    workers = Workers()
    reward_model = open_reward_model(folder, workers.device)
    torch.manual_seed(config.seed)
    model = make_trainable(base, config, variant, data.start_folder)
    beginning = Beginning(model)
    engine = start_engine(model, config, variant)
    rollouts = Rollouts(model, open_tokenizer(data.base_folder), chats.end, reward_model, config)
    checkpoints = Checkpoints(
        own / "checkpoints",
        engine,
        workers,
        {"settings": config.model_dump_json(), "data": data.digest(), "variant": variant},
    )
    course = Course(folder, variant, config, batches.steps, engine, workers, checkpoints)
    torch.manual_seed(config.seed + workers.rank)  # each process draws answers of its own
    before = minus_mean_reward(rollouts, validation, workers)
    position = course.begin(len(fit.samples))

    for step in range(position.step, batches.steps):
        began, spent = time.monotonic(), time.process_time()
        course.set_rate(step)
        questions = batches.at(step)
        answers = config.group * len(questions)
        groups = [rollouts.group(each) for each in questions[workers.rank :: workers.count]]
        loss, tokens, moved = 0.0, 0, 0.0
        # One group a pack, and as many packs for all: one of them may be empty.
        packs = [[each] for each in groups]
        packs += [[]] * (-(-len(questions) // workers.count) - len(packs))
        for number, members in enumerate(packs, start=1):
            row = pack(members).to(workers.device)
            advantages, weights = of_tokens(members, answers, workers.device)
            with memory_in_words(variant):
                with torch.no_grad(), beginning.restored():
                    reference = token_log_probabilities(model(row), row)
                policy = token_log_probabilities(engine(row), row)
                part = grpo_loss(
                    policy,
                    policy.detach(),  # each answer is learned from once, as it was written
                    reference,
                    advantages,
                    weights,
                    beta=config.beta,
                    clip_range=config.clip_range,
                )
                engine.set_gradient_accumulation_boundary(is_boundary=number == len(packs))
                # DeepSpeed takes the mean over processes; the parts are to be added up.
                engine.backward(part * workers.count)
                engine.step()
            loss += part.item()
            moved += (divergence(policy.detach(), reference) * weights).sum().item()
            tokens += sum(each.length for each in members)
        rewards = sum(sum(each.rewards) for each in groups)
        reward, kl = workers.sum((rewards / answers, moved))
        report = StepReport(loss, tokens, time.process_time() - spent, stop=stop())
        metrics = {"reward": reward, "kl": kl}
        course.finish_step(position, report, time.monotonic() - began, metrics)

    after = minus_mean_reward(rollouts, validation, workers)
    losses = Losses(before=before, after=after, questions=len(validation.samples))
    course.finish(position, fit=fit, validation=losses)


def minus_mean_reward(rollouts: Rollouts, fit: Tokenized, workers: Workers) -> float | None:
    """Of what the model writes to these questions, by all processes together."""
    questions = questions_of(fit)
    if not questions:
        return None
    own = questions[workers.rank :: workers.count]
    rewards = [reward for each in own for reward in rollouts.group(each).rewards]
    total, count = workers.sum((sum(rewards), len(rewards)))
    return -total / count


if __name__ == "__main__":
    run_training(train, Variant)
