"""What a training leaves: the learned weights, and `result.json`, which says how it went."""

from collections.abc import Sequence
from pathlib import Path

import torch
from gyre_common.errors import Retryable
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError

from gyre_trainer.recipes.generator_sft.batches import (
    Tokenized,
    TokenizedSample,
    pack,
    packed,
    total_weight,
)
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig, Variant
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.recipes.generator_sft.model import TrainableGenerator, save_learned
from gyre_trainer.runs.folder import write_json
from gyre_trainer.training.checkpoint import Position
from gyre_trainer.training.workers import StepReport, Workers

RESULT, LEARNED = "result.json", "learned"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Losses(_Part):
    """Of `questions` that taught nothing, in nats a token; None where there are none."""

    before: float | None
    after: float | None
    questions: int


class VariantResult(_Part):
    """How a variant was trained. `samples` were learned from: of them `cut` lost a part of a
    passage; `left_out` were too long. `loss` is that of each step.
    """

    variant: Variant
    settings: GeneratorSftConfig
    samples: int
    cut: int
    left_out: int
    steps: int
    tokens: int
    seconds: float
    cpu_seconds: float
    loss: tuple[float, ...]
    validation: Losses


def validation_loss(
    model: TrainableGenerator,
    samples: Sequence[TokenizedSample],
    config: GeneratorSftConfig,
    workers: Workers,
) -> float | None:
    """The mean over all tokens that were written, by all processes together; the model is left in
    training mode.
    """
    if not samples:
        return None
    weight, loss = total_weight(samples), 0.0
    packs = packed(samples, tokens=config.packed_tokens, rank=workers.rank, ranks=workers.count)
    model.eval()
    with torch.no_grad():
        for members in packs:
            row = pack(members).to(workers.device)
            loss += completion_loss(model(row), row.targets, row.weights, weight).item()
    model.train()
    return workers.sum_reports(StepReport(loss, 0, 0.0, stop=False)).loss


def write_result(
    folder: Path,
    variant: Variant,
    config: GeneratorSftConfig,
    position: Position,
    model: TrainableGenerator,
    *,
    fit: Tokenized,
    validation: Losses,
) -> None:
    """The weights first, then the mark. Raises Retryable when the disk is full or read-only."""
    result = VariantResult(
        variant=variant,
        settings=config,
        samples=len(fit.samples),
        cut=fit.cut,
        left_out=fit.left_out,
        steps=position.step,
        tokens=position.tokens,
        seconds=position.seconds,
        cpu_seconds=position.cpu_seconds,
        loss=tuple(position.losses),
        validation=validation,
    )
    try:
        save_learned(model, folder / LEARNED)
        write_json(folder / RESULT, result)
    except (OSError, SafetensorError) as error:
        raise Retryable(f"cannot write to {folder}: {error}") from error
