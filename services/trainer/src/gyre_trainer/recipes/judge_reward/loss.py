"""What is minimised: how surprising people's preferences are to the rewards."""

from torch import Tensor
from torch.nn.functional import logsigmoid


def reward_loss(
    rewards: Tensor, wrong: Tensor, weights: Tensor, total_weight: float, *, centering: float
) -> Tensor:
    """The part that these pairs have in the step's weighted mean loss, in nats.

    People prefer the first answer with probability σ(r₁ − r₂): Bradley and Terry 1952, as eq. 1 of
    Ouyang et al. 2022, arXiv:2203.02155, has it for a pair; here expected over labels that are the
    wrong way round with probability `wrong` (Mitchell 2023, https://ericmitchell.ai/cdpo.pdf). That
    leaves open what is added to both, so `centering` · (r₁ + r₂)² keeps rewards around 0 (eq. 2 of
    Eisenstein et al. 2023, arXiv:2312.09244). Parts add up to the whole, however a step is cut:
    `total_weight` is the sum over all its pairs.

    Shapes: `rewards` (pairs, 2), of the chosen and the rejected answer; the others (pairs,).
    Returns a scalar.
    """
    chosen, rejected = rewards.unbind(dim=1)
    margins = chosen - rejected
    losses = -(1 - wrong) * logsigmoid(margins) - wrong * logsigmoid(-margins)
    losses = losses + centering * (chosen + rejected).square()
    return (losses * weights).sum() / total_weight
