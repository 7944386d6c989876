"""A building block that several networks share."""

import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """A residual block (He et al. 2016): two 3×3 convolutions, each after a SiLU.

    The second convolution begins at zero, so a new block passes its input through unchanged.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Compute features [N, C, H, W] from features of the same shape."""
        residual: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + residual
