"""How surprised the model is at answers that it does not learn from."""

from collections.abc import Sequence

import torch

from gyre_trainer.language_models.batches import TokenizedSample, pack, packed, total_weight
from gyre_trainer.language_models.config import LanguageModelConfig
from gyre_trainer.language_models.model import TrainableGenerator
from gyre_trainer.recipes.generator_sft.loss import completion_loss
from gyre_trainer.training.workers import StepReport, Workers


def validation_loss(
    model: TrainableGenerator,
    samples: Sequence[TokenizedSample],
    config: LanguageModelConfig,
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
