"""A matrix that learns by a thin update, for `torch.nn.utils.parametrize`."""

import torch
from torch import Tensor, nn


class LowRank(nn.Module):
    """W + scale · B A instead of W, where only the thin A and B learn; B begins at 0.

    Hu et al. 2021, arXiv:2106.09685, eq. 3.
    """

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.a = nn.Parameter(torch.empty(rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = scale
        nn.init.kaiming_uniform_(self.a, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Shape (outputs, inputs), as is the result."""
        return weight + self.scale * (self.b @ self.a)
