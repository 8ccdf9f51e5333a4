"""What is minimised: the surprise at what people wrote, each of their tokens alike."""

from torch import Tensor
from torch.nn.functional import cross_entropy


def completion_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, total_weight: float
) -> Tensor:
    """The part that these tokens have in the step's weighted mean cross entropy, in nats.

    Conditional maximum likelihood (Ouyang et al. 2022, arXiv:2203.02155, section 3.5), over the
    tokens of completions only. Parts add up, so a step may be cut into any parts: `total_weight` is
    the sum of the weights of all its completion tokens, in all batches and processes, which makes
    each token count alike. A mean of the parts' means would count those of short answers for more.

    Shapes: `logits` (tokens, vocabulary), `targets` and `weights` (tokens,). Returns a scalar.
    """
    return (cross_entropy(logits.float(), targets, reduction="none") * weights).sum() / total_weight
