"""The losses of the recipe: pure functions of tensors."""

import torch
from torch import Tensor


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
