"""The loss of a batch: questions towards their votes, rehearsed texts towards what they find."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gyre_trainer.recipes.query_encoder.batches import Batch
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.loss import log_likelihood, soft_cross_entropy
from gyre_trainer.recipes.query_encoder.targets import Shares, TrainingExample

_OUT_OF_SIGHT = -10.0
"""Added to the cosine of a passage that whoever asks cannot find: far below every other."""


def step_loss(
    vectors: Tensor, base: Tensor, batch: Batch, passages: Tensor, config: QueryEncoderConfig
) -> Tensor:
    """This batch's part of the step's loss: the parts of all batches of a step add up to it.

    Shapes: `vectors` (asked and rehearsed, d) in that order, `base` (rehearsed, d) as the base
    encodes those, `passages` (n, d). Returns a scalar in nats.
    """
    question_vectors, rehearsal_vectors = (
        vectors[: len(batch.questions)],
        vectors[len(vectors) - len(batch.rehearsals) :],
    )
    total = 0.0 * vectors.sum()
    if batch.questions:
        each = _question_losses(question_vectors, batch.questions, passages, config)
        total = total + each.sum() / batch.question_total
    if batch.rehearsals:
        each = _rehearsal_losses(rehearsal_vectors, base, batch.rehearsals, passages, config)
        total = total + config.rehearsal_weight * each.sum() / batch.rehearsal_total
    return total


def _question_losses(
    vectors: Tensor,
    examples: Sequence[TrainingExample],
    passages: Tensor,
    config: QueryEncoderConfig,
) -> Tensor:
    """Each question's loss by its votes, weighted."""
    beside = config.bm25_weight * _rows([example.lexical for example in examples], passages)
    for row, example in enumerate(examples):
        if example.hidden is not None:
            beside[row, torch.from_numpy(example.hidden)] = _OUT_OF_SIGHT
    log_probabilities = log_likelihood(
        vectors, passages, temperature=config.temperature, beside=beside
    )
    targets = _rows([example.target for example in examples], passages)
    each = soft_cross_entropy(log_probabilities, targets, robustness=config.robustness)
    return torch.tensor([example.weight for example in examples]).to(each) * each


def _rehearsal_losses(
    vectors: Tensor,
    base: Tensor,
    examples: Sequence[TrainingExample],
    passages: Tensor,
    config: QueryEncoderConfig,
) -> Tensor:
    """Each text's distance from its own passage and from what the base finds for it.

    The second part is distillation: Hinton et al. 2015, arXiv:1503.02531.
    """
    temperature = config.rehearsal_temperature
    own = _rows([example.target for example in examples], passages)
    base_probabilities = log_likelihood(base, passages, temperature=temperature).exp()
    targets = own + (1 - own.sum(dim=1, keepdim=True)) * base_probabilities
    log_probabilities = log_likelihood(vectors, passages, temperature=temperature)
    return soft_cross_entropy(log_probabilities, targets, robustness=0)


def _rows(shares: Sequence[Shares], passages: Tensor) -> Tensor:
    """As a matrix of shape (examples, n)."""
    result = torch.zeros(len(shares), len(passages))
    for row, each in enumerate(shares):
        if each:
            result[row, list(each)] = torch.tensor(list(each.values()), dtype=result.dtype)
    return result.to(passages)
