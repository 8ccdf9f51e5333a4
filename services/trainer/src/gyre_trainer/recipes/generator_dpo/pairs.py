"""Pairs as tensors, and how well the model tells those that it does not learn from apart."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gyre_trainer.language_models.log_probabilities import ReferencedSample, log_probabilities
from gyre_trainer.language_models.model import TrainableGenerator
from gyre_trainer.language_models.result import Losses
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.recipes.generator_dpo.loss import dpo_loss, preference_margins
from gyre_trainer.training.workers import Workers


def pair_tensors(
    pairs: Sequence[ReferencedSample], config: GeneratorDpoConfig, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """What the loss takes of each pair beside the policy: the reference (pairs, 2), in nats; how
    likely it is the wrong way round, and its weight, both (pairs,).
    """
    reference = torch.tensor([pair.reference for pair in pairs], device=device).view(-1, 2)
    of_pairs = torch.tensor([config.wrong_and_weight(pair.weight) for pair in pairs], device=device)
    wrong, weights = of_pairs.view(-1, 2).unbind(dim=1)
    return reference, wrong, weights


def validation_losses(
    model: TrainableGenerator,
    pairs: Sequence[ReferencedSample],
    config: GeneratorDpoConfig,
    workers: Workers,
) -> Losses:
    """The base's mean loss of pairs that the model does not learn from, for which every margin is
    0, and the model's. All processes take part.
    """
    policy = torch.tensor(log_probabilities(model, pairs, config, workers)).view(-1, 2)
    if not pairs:
        return Losses(before=None, after=None, questions=0)
    reference, wrong, weights = pair_tensors(pairs, config, torch.device("cpu"))
    margins = preference_margins(policy, reference, beta=config.beta)
    after = dpo_loss(margins, wrong, weights, weights.sum().item())
    return Losses(before=math.log(2), after=after.item(), questions=len(pairs))
