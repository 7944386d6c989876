"""Give a compact network that repeats pixels the smooth base of `Compact`, by linear regression."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import seeding
from limner.upscaling.compact import Compact
from limner.upscaling.dataset import Patches

BATCHES, BATCH_SIZE = 80, 8
_RIDGE = 1e-6  # of the mean square of the features


@torch.no_grad()
def with_smooth_base(network: Compact, patches: Patches, seed: int) -> Compact:
    """Return a network with the same features and a new last convolution.

    It is linear in the features, so ridge regression finds the best one at once: the one whose
    output comes closest to what the bilinearly enlarged picture lacks.

    Parameters
    ----------
    network : Compact
        On the CPU, with the base of Real-ESRGAN.
    patches : Patches
        What to learn from.
    seed : int
        Random seed of the patches.
    """
    smooth = Compact(*network.shape, smooth=True)
    smooth.load_state_dict(network.state_dict() | {"smooth": torch.ones(1)})
    last = smooth.body[-1]
    assert isinstance(last, torch.nn.Conv2d)
    inputs = last.weight[0].numel() + 1
    squares = torch.zeros(inputs, inputs, dtype=torch.float64)
    products = torch.zeros(inputs, len(last.weight), dtype=torch.float64)
    for batch in range(BATCHES):
        small, large, _ = patches.batch(BATCH_SIZE, seeding.generator(seed, batch))
        features = smooth.body[:-1](small)
        base = F.interpolate(small, scale_factor=smooth.scale, mode="bilinear")
        wanted = _rows(F.pixel_unshuffle(large - base, smooth.scale))
        seen = _rows(F.unfold(features, 3, padding=1))
        seen = torch.cat((seen, torch.ones(len(seen), 1, dtype=seen.dtype)), dim=1)
        squares += seen.mT @ seen
        products += seen.mT @ wanted
    squares.diagonal().add_(_RIDGE * squares.diagonal().mean())
    found = torch.linalg.solve(squares, products).mT.float()  # [outputs, inputs]
    last.weight.copy_(found[:, :-1].reshape(last.weight.shape))
    last.bias.copy_(found[:, -1])  # type: ignore[union-attr]
    return smooth


def _rows(values: Tensor) -> Tensor:
    """Turn [N, C, …] into float64 [N·…, C]."""
    return values.flatten(2).mT.flatten(0, 1).double()
