"""Carry a field of patches from one scale to the next."""

import torch
from torch import Tensor

from limner.patches.search import SIDE


def carry(
    field: Tensor,
    grids: tuple[tuple[int, int], tuple[int, int]],
    sources: tuple[tuple[int, int], tuple[int, int]],
) -> Tensor:
    """Carry a field to a finer level: a patch goes where its middle was, and as far beside it.

    Parameters
    ----------
    field : Tensor
        [2, h, w].
    grids : pair of sizes
        Of the picture, height and width, before and after.
    sources : pair of sizes
        Of the source, before and after.

    Returns
    -------
    Tensor
        [2, H, W].
    """
    half, places, beside = SIDE / 2, [], []
    for axis in range(2):
        before, after = grids[0][axis], grids[1][axis]
        middles = torch.arange(after - SIDE + 1, device=field.device) + half
        old = (middles * (before / after) - half).round().clamp(0, before - SIDE).long()
        places.append(old)
        beside.append(middles - (old + half) * (after / before))
    coarse = field[:, places[0]][:, :, places[1]]
    carried = []
    for axis, off in enumerate((beside[0][:, None], beside[1])):
        before, after = sources[0][axis], sources[1][axis]
        fine = (coarse[axis] + half) * (after / before) - half + off
        carried.append(fine.round().long().clamp_(0, after - SIDE))
    return torch.stack(carried)
