"""Verb `train`: trains one variant, from its last checkpoint on; DeepSpeed's launcher starts it.

    deepspeed --module gyre_trainer.recipes.query_encoder.train --run FOLDER --variant full|low-rank

A failure is one line, `error: …`, and exit status 1.
"""

import copy
import sys
import time
from collections.abc import Callable

import deepspeed
import torch

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.examples import Batches, examples_of, merge_questions
from gyre_trainer.recipes.query_encoder.inputs import RunData
from gyre_trainer.recipes.query_encoder.loss import step_loss
from gyre_trainer.recipes.query_encoder.model import (
    TrainableQueryEncoder,
    make_trainable,
    merged_weights,
    open_base,
    open_tokenizer,
)
from gyre_trainer.recipes.query_encoder.validation import write_result
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.training.checkpoint import Checkpoints
from gyre_trainer.training.divergence import check_loss
from gyre_trainer.training.program import Stopped, run_training
from gyre_trainer.training.workers import StepReport, Workers
from gyre_trainer.training.zero import zero_settings


def train(folder: RunFolder, variant: Variant, stop: Callable[[], bool]) -> None:
    """From the votes to `<variant>/result.json`; raises GyreError for what a person should know."""
    data = RunData(folder)
    config = QueryEncoderConfig.from_settings(data.spec.settings)
    own, base_folder = folder.variant(variant), data.base_folder
    base = open_base(base_folder, data.corpus.dimensions)
    tokenizer = open_tokenizer(base_folder, config.longest_question)
    questions = examples_of(merge_questions(data.questions, "fit"), data.corpus, data.live)
    batches = Batches(questions, data.corpus, config)

    workers = Workers()
    torch.manual_seed(config.seed)
    tuned = make_trainable(copy.deepcopy(base), config, variant)
    engine = start_engine(tuned, config, variant, workers)
    base.to(workers.device)
    passages = torch.from_numpy(data.corpus.vectors).to(workers.device)
    checkpoints = Checkpoints(
        own / "checkpoints",
        engine,
        workers,
        {"settings": config.model_dump_json(), "data": data.digest(), **_form(variant)},
    )
    position = checkpoints.resume()
    if workers.first:
        write_json(own / "config.json", config)
        sys.stdout.write(f"{variant}: {len(questions)} questions, {config!r}\n")

    for step in range(position.step, batches.steps):
        began, spent = time.monotonic(), time.process_time()
        for group in engine.optimizer.param_groups:
            group["lr"] = config.rate_at(step, batches.steps, variant)
        loss, tokens = 0.0, 0
        for batch in batches.at(step, rank=workers.rank, ranks=workers.count):
            question_ids = [tokenizer.encode(each.text).ids for each in batch.questions]
            rehearsal_ids = [tokenizer.encode(each.text).ids for each in batch.rehearsals]
            with torch.no_grad():
                base_vectors = base(rehearsal_ids)
            # A worker without a share takes part.
            vectors = engine([*question_ids, *rehearsal_ids] or [[0]])
            part = step_loss(vectors, base_vectors, batch, passages, config)
            # DeepSpeed takes the mean over processes and batches; the parts are to be added up.
            engine.backward(part * workers.count * config.accumulation)
            engine.step()
            loss += part.item()
            tokens += sum(map(len, (*question_ids, *rehearsal_ids)))
        spent = time.process_time() - spent
        totals = workers.sum_reports(StepReport(loss, tokens, spent, stop=stop()))
        check_loss([*position.losses, totals.loss], batches.steps)
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
        every = config.checkpoint_every
        if done or totals.stop or checkpoints.is_due(position, every=every):
            checkpoints.save(position)
        if totals.stop and not done:
            raise Stopped(
                f"stopped after step {position.step} of {batches.steps}; started again, it goes on"
            )

    if workers.first:
        write_result(own, variant, config, position, base, merged_weights(tuned), data)


def _form(variant: Variant) -> dict[str, str]:
    """What the learned weights are called: checkpoints of before PEFT had other names."""
    return {"low-rank updates": "PEFT's"} if variant is Variant.LOW_RANK else {}


def start_engine(
    model: TrainableQueryEncoder, config: QueryEncoderConfig, variant: Variant, workers: Workers
) -> deepspeed.DeepSpeedEngine:
    """DeepSpeed in single precision with torch's own AdamW: nothing is compiled at run time."""
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        learning, lr=config.highest_rate(variant), weight_decay=config.weight_decay
    )
    settings = {
        "train_micro_batch_size_per_gpu": 1,  # batches are made here; DeepSpeed only counts them
        "gradient_accumulation_steps": config.accumulation,
        "gradient_clipping": config.clip,
        "zero_optimization": zero_settings(config.zero_stage, learning),
        "zero_allow_untested_optimizer": True,
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)
    return engine


if __name__ == "__main__":
    run_training(train, Variant)
