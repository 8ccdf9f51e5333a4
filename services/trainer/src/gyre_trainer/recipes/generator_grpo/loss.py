"""What is minimised: better answers of a group become likelier, not too far from the base."""

import torch
from torch import Tensor

_LEAST_SPREAD = 1e-4
"""Keeps a group whose answers are all alike from being divided by nothing."""


def group_advantages(rewards: Tensor) -> Tensor:
    """How much better each answer is than its group, in the group's standard deviations: section
    4.1.2 of Shao et al. 2024, arXiv:2402.03300.

    Shapes: `rewards` (groups, answers), returns the same.
    """
    mean, spread = rewards.mean(dim=1, keepdim=True), rewards.std(dim=1, keepdim=True)
    return (rewards - mean) / (spread + _LEAST_SPREAD)


def divergence(policy: Tensor, reference: Tensor) -> Tensor:
    """An estimate of KL(policy, reference) at each token, never below 0: eq. 4 of the same paper
    (k3 of Schulman 2020, http://joschu.net/blog/kl-approx.html).

    Shapes: both (tokens,), log-probabilities in nats. Returns (tokens,).
    """
    gap = reference - policy
    return torch.exp(gap) - gap - 1


def grpo_loss(
    policy: Tensor,
    written: Tensor,
    reference: Tensor,
    advantages: Tensor,
    weights: Tensor,
    *,
    beta: float,
    clip_range: float,
) -> Tensor:
    """The part that these tokens have in the step's loss, eq. 3 of the same paper. `written` are
    the log-probabilities with which the tokens were drawn. A token's weight is 1 over the length of
    its answer and the number of answers in the step, so parts add up, however a step is cut.

    Shapes: all (tokens,). Returns a scalar.
    """
    ratio = torch.exp(policy - written)
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    gain = torch.minimum(ratio * advantages, clipped * advantages)
    return -((gain - beta * divergence(policy, reference)) * weights).sum()
