"""What is minimised: how far the model is from preferring the better answer of each pair."""

from torch import Tensor
from torch.nn.functional import logsigmoid


def preference_margins(policy: Tensor, reference: Tensor, *, beta: float) -> Tensor:
    """By how much the model's preference for the chosen answer exceeds the reference's: the
    argument of the sigmoid in eq. 7 of Rafailov et al. 2023, arXiv:2305.18290.

    Shapes: both (pairs, 2), log-probabilities of the chosen and of the rejected completion, in
    nats. Returns (pairs,); above 0 the pair is preferred rightly.
    """
    chosen, rejected = (policy - reference).unbind(dim=1)
    return beta * (chosen - rejected)


def dpo_loss(margins: Tensor, wrong: Tensor, weights: Tensor, total_weight: float) -> Tensor:
    """The part that these pairs have in the step's weighted mean loss, in nats.

    Eq. 7 of Rafailov et al. 2023, expected over labels that are the wrong way round with
    probability `wrong` ("conservative DPO", Mitchell 2023, https://ericmitchell.ai/cdpo.pdf): it is
    least where the margin is log((1 - wrong) / wrong), and not ever larger. Parts add up to the
    whole, however a step is cut: `total_weight` is the sum over all its pairs.

    Shapes: all (pairs,). Returns a scalar.
    """
    losses = -(1 - wrong) * logsigmoid(margins) - wrong * logsigmoid(-margins)
    return (losses * weights).sum() / total_weight
