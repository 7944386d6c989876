"""A patch field: for every patch of a picture, where in the source it comes from.

A field is an int64 tensor [2, H − P + 1, W − P + 1] for a picture of H × W pixels and patches of
P × P. It holds the row and the column, in the source, of the upper left corner of each patch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Side = int | Tensor  # pixels

PATCH_SIZE = 7  # pixels per side of a patch, unless another size is given


def upsample(
    field: Tensor,
    picture_sizes: tuple[tuple[int, int], tuple[int, int]],
    source_sizes: tuple[Sequence[Side], Sequence[Side]],
    tiles: bool = False,
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
        The same of the source; tensors [H, W] where the patches come from several sources.
    tiles : bool
        The picture continues on the other side: it has a patch for every pixel.

    Returns
    -------
    Tensor
        [2, H, W].
    """
    patch_size = PATCH_SIZE if tiles else picture_sizes[0][0] - field.shape[1] + 1
    (rows, row_offsets), (columns, column_offsets) = parents(
        picture_sizes, patch_size, field.device, tiles
    )
    repeated, half = field[:, rows][:, :, columns], patch_size / 2
    upsampled = []
    for axis, offset in enumerate((row_offsets[:, None], column_offsets)):
        coarse, fine = source_sizes[0][axis], source_sizes[1][axis]
        places = (repeated[axis] + half) * (fine / coarse) - half + offset
        upsampled.append(places.round().long().clamp_(min=0).clamp_(max=fine - patch_size))
    return torch.stack(upsampled)


def parents(
    picture_sizes: tuple[tuple[int, int], tuple[int, int]],
    patch_size: int,
    device: torch.device,
    tiles: bool = False,
) -> list[tuple[Tensor, Tensor]]:
    """For rows and columns of a fine field: the coarse patch at its center, and the offset from it.

    The offset is in pixels of the fine level.
    """
    half, found = patch_size / 2, []
    for coarse, fine in zip(*picture_sizes, strict=True):
        patches = fine if tiles else fine - patch_size + 1
        centers = torch.arange(patches, device=device) + half
        places = (centers * (coarse / fine) - half).round().long()
        if not tiles:
            places = places.clamp(0, coarse - patch_size)
        found.append((places % coarse, centers - (places + half) * (fine / coarse)))
    return found
