"""A patch field: for every patch of a picture, where in the source it comes from.

A field is an int64 tensor [2, H − 6, W − 6] for a picture of H × W pixels. It holds the row and the
column, in the source, of the upper left corner of each patch.
"""

import torch
from torch import Tensor

PATCH_SIZE = 7  # pixels per side of a patch


def upsample(
    field: Tensor,
    picture_sizes: tuple[tuple[int, int], tuple[int, int]],
    source_sizes: tuple[tuple[int, int], tuple[int, int]],
) -> Tensor:
    """Carry a field to the next finer pyramid level.

    Each fine patch takes the place of the coarse patch at its center, and keeps its own offset from
    it (coordinate upsampling: Lefebvre & Hoppe 2005).

    Parameters
    ----------
    field : Tensor
        [2, h, w].
    picture_sizes : pair of sizes
        Height and width of the picture that is made, on the coarse and on the fine level.
    source_sizes : pair of sizes
        The same of the source.

    Returns
    -------
    Tensor
        [2, H, W].
    """
    half, coarse_places, offsets = PATCH_SIZE / 2, [], []
    for axis in range(2):
        coarse, fine = picture_sizes[0][axis], picture_sizes[1][axis]
        centers = torch.arange(fine - PATCH_SIZE + 1, device=field.device) + half
        places = (centers * (coarse / fine) - half).round().clamp(0, coarse - PATCH_SIZE).long()
        coarse_places.append(places)
        offsets.append(centers - (places + half) * (fine / coarse))
    repeated = field[:, coarse_places[0]][:, :, coarse_places[1]]
    upsampled = []
    for axis, offset in enumerate((offsets[0][:, None], offsets[1])):
        coarse, fine = source_sizes[0][axis], source_sizes[1][axis]
        places = (repeated[axis] + half) * (fine / coarse) - half + offset
        upsampled.append(places.round().long().clamp_(0, fine - PATCH_SIZE))
    return torch.stack(upsampled)
