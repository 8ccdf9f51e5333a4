"""The losses of the recipe: pure functions of tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.recipes.query_encoder.examples import Batch, Shares

_OUT_OF_SIGHT = -10.0
"""Added to the cosine of a passage that whoever asks cannot find, or that repeats a wanted one: far
below every other."""


def log_likelihood(
    vectors: Tensor, passages: Tensor, *, temperature: float, beside: Tensor | None = None
) -> Tensor:
    """Log probability of every passage for every question: a softmax over all that is stored.

    Eq. 2 of Karpukhin et al. 2020 (arXiv:2004.04906) with the whole corpus instead of a sample of
    negatives, and the temperature of Wu et al. 2018 (arXiv:1805.01978, eq. 2). `beside`, of shape
    (questions, n), is added to the cosines: what another leg of retrieval brings needs no learning.
    Shapes: vectors (questions, d), passages (n, d), both of unit length. Returns (questions, n).
    """
    similarity = vectors @ passages.T
    if beside is not None:
        similarity = similarity + beside
    return torch.log_softmax(similarity / temperature, dim=1)


def soft_cross_entropy(log_probabilities: Tensor, targets: Tensor, *, robustness: float) -> Tensor:
    """How far each question is from what it should find. Returns (questions,), in nats.

    `robustness` 0: cross entropy with soft targets, −Σ t log p (ListNet's top-one loss, eq. 4 and 5
    of Cao et al. 2007, ICML). Above 0: the generalized cross entropy Σ t (1 − p^q) / q, which gives
    less weight to labels that the model finds implausible (eq. 6 of Zhang and Sabuncu 2018,
    arXiv:1805.07836); its limit for q → 0 is the former, q = 1 is the mean absolute error.
    Shapes: both (questions, n); the rows of `targets` sum to 1.
    """
    if robustness == 0:
        return -(targets * log_probabilities).sum(dim=1)
    return (targets * -torch.expm1(robustness * log_probabilities)).sum(dim=1) / robustness


def step_loss(
    vectors: Tensor, base: Tensor, batch: Batch, passages: Tensor, config: QueryEncoderConfig
) -> Tensor:
    """This batch's part of the step's loss: the parts of all batches of a step add up to it.

    Questions go towards their votes, rehearsed texts towards their own passage and what the base
    finds for them (distillation: Hinton et al. 2015, arXiv:1503.02531). Shapes: `vectors` (asked
    and rehearsed, d) in that order, `base` (rehearsed, d) as the base encodes those, `passages`
    (n, d). Returns a scalar in nats.
    """
    questions, rehearsals = batch.questions, batch.rehearsals
    total = 0.0 * vectors.sum()
    if questions:
        beside = config.bm25_weight * _matrix([example.lexical for example in questions], passages)
        for row, example in enumerate(questions):
            if example.hidden is not None:
                beside[row, torch.from_numpy(example.hidden)] = _OUT_OF_SIGHT
            beside[row, list(example.repeats)] = _OUT_OF_SIGHT
        question_vectors = vectors[: len(questions)]
        log_probabilities = log_likelihood(
            question_vectors, passages, temperature=config.temperature, beside=beside
        )
        targets = _matrix([example.target for example in questions], passages)
        each = soft_cross_entropy(log_probabilities, targets, robustness=config.robustness)
        weights = torch.tensor([example.weight for example in questions]).to(each)
        total = total + (weights * each).sum() / batch.question_total
    if rehearsals:
        temperature = config.rehearsal_temperature
        own = _matrix([example.target for example in rehearsals], passages)
        base_probabilities = log_likelihood(base, passages, temperature=temperature).exp()
        targets = own + (1 - own.sum(dim=1, keepdim=True)) * base_probabilities
        rehearsal_vectors = vectors[len(vectors) - len(rehearsals) :]
        log_probabilities = log_likelihood(rehearsal_vectors, passages, temperature=temperature)
        each = soft_cross_entropy(log_probabilities, targets, robustness=0)
        total = total + config.rehearsal_weight * each.sum() / batch.rehearsal_total
    return total


def _matrix(shares: Sequence[Shares], passages: Tensor) -> Tensor:
    result = torch.zeros(len(shares), len(passages))
    for row, each in enumerate(shares):
        if each:
            result[row, list(each)] = torch.tensor(list(each.values()), dtype=result.dtype)
    return result.to(passages)
