"""Random tensors, textures and the field of an unchanged picture, which these tests share."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.patches import index


@pytest.fixture(autouse=True)
def forget() -> Callable[[], None]:
    """Forget the indices of earlier calls, now and when called."""
    index._kept.clear()
    return index._kept.clear


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Tensor]:
    """Draw random numbers in 0..1, the same for the same shape and seed."""

    def draw(*shape: int, seed: int = 0) -> Tensor:
        return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))

    return draw


@pytest.fixture(scope="session")
def texture(drawn: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a picture [1, channels, height, width] of soft spots, some 4 pixels wide."""

    def make(height: int, width: int, seed: int = 0, channels: int = 3) -> Tensor:
        coarse = drawn(1, channels, -(-height // 4), -(-width // 4), seed=seed)
        return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)

    return make


@pytest.fixture(scope="session")
def identity() -> Callable[[int, int], Tensor]:
    """Make the field of a picture of this height and width whose patches stay in place."""

    def make(height: int, width: int) -> Tensor:
        rows, columns = torch.arange(height - 6), torch.arange(width - 6)
        return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))

    return make
