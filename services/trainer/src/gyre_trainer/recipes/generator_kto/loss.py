"""What is minimised: how far the model is from valuing good answers, and not valuing bad ones."""

from torch import Tensor


def kl_estimate(policy: Tensor, reference: Tensor) -> Tensor:
    """How far the model has left the reference, in nats, as eq. 8 of Ethayarajh et al. 2024
    (arXiv:2402.01306, section 4.1) has it: the mean log-ratio of completions that belong to other
    prompts, at least 0. It is the point from which answers are valued, and no gradient goes
    through it.

    Shapes: both (samples,), log-probabilities in nats. Returns a scalar.
    """
    return (policy - reference).mean().clamp(min=0).detach()


def kto_loss(
    ratios: Tensor, kl: Tensor, desirable: Tensor, weights: Tensor, total: float, *, beta: float
) -> Tensor:
    """The part that these answers have in the step's loss, between 0 and the largest λ: eq. 7 of
    Ethayarajh et al. 2024, arXiv:2402.01306, λ(1 - v) with the value v = σ(β(ratio - kl)) of a
    desirable answer and σ(β(kl - ratio)) of another. `weights` have λ in them; parts add up to the
    whole, whose divisor is `total`.

    Shapes: all (answers,), `ratios` of log-probabilities to the reference's, in nats, `desirable`
    boolean; `kl` a scalar. Returns a scalar.
    """
    gains = (ratios - kl).where(desirable, kl - ratios)
    return ((1 - (beta * gains).sigmoid()) * weights).sum() / total
