"""Source pictures for patches: several pictures as one, each patch with its place and owner."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn.images import resize, size_of
from limner.patches import field as fields

REACH = 4  # patches: how far away a neighbor may be whose place is tried


@dataclass(frozen=True)
class SourcePicture:
    """A picture to take patches from.

    Attributes
    ----------
    rgb : Tensor
        [1, 3, H, W].
    mask : Tensor or None
        [1, 1, H, W] in 0..1. Patches with a pixel below 0.5 are not used. None: all are used.
    guides : Tensor or None
        [1, G, H, W], further channels to compare, already multiplied by their weights.
    """

    rgb: Tensor
    mask: Tensor | None = None
    guides: Tensor | None = None


@dataclass(frozen=True)
class Sources:
    """Source pictures at one scale, one below the other.

    To the right of each picture there is space without usable patches. So a place a few columns
    beyond the border is never taken for a place on the next row.

    Attributes
    ----------
    rgb : Tensor
        [1, 3, H, W].
    guides : Tensor or None
        [1, G, H, W].
    usable : Tensor
        Bool [H − P + 1, W − P + 1]: patches that lie in one picture and in its mask.
    owner : Tensor
        Int64 [H − P + 1, W − P + 1]: the picture of each patch.
    tops : tuple of int
        The first row of each picture.
    sizes : tuple of sizes
        Height and width of each picture.
    """

    rgb: Tensor
    guides: Tensor | None
    usable: Tensor
    owner: Tensor
    tops: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]

    @property
    def patch_size(self) -> int:
        """Pixels per side of a patch."""
        return self.rgb.shape[-2] - self.usable.shape[0] + 1


def combine(pictures: Sequence[SourcePicture], scale: float, patch_size: int) -> Sources:
    """Resize source pictures by one factor and put them one below the other.

    A picture whose mask leaves no patch is used whole.
    """
    sizes = tuple(
        (
            max(patch_size + 1, round(picture.rgb.shape[-2] * scale)),
            max(patch_size + 1, round(picture.rgb.shape[-1] * scale)),
        )
        for picture in pictures
    )
    width = max(size[1] for size in sizes) + REACH + patch_size
    below = patch_size - 1 + REACH
    rgb, guides, usable, owner, tops, top = [], [], [], [], [], 0
    for index, (picture, size) in enumerate(zip(pictures, sizes, strict=True)):
        border = (0, width - size[1], 0, below)
        resized = picture.rgb if size_of(picture.rgb) == size else resize(picture.rgb, size)
        rgb.append(F.pad(resized, border))
        if picture.guides is not None:
            guides.append(F.pad(resize_guides(picture.guides, size), border))
        inside = _usable(picture, size, patch_size)
        usable.append(F.pad(inside, (0, width - size[1], 0, below + patch_size - 1)))
        owner.append(torch.full_like(usable[-1], index, dtype=torch.int64))
        tops.append(top)
        top += size[0] + below
    assert len(guides) in (0, len(pictures)), "guides for all pictures or for none"
    last = top - patch_size + 1
    return Sources(
        torch.cat(rgb, 2),
        torch.cat(guides, 2) if guides else None,
        torch.cat(usable)[:last],
        torch.cat(owner)[:last],
        tuple(tops),
        sizes,
    )


def _usable(picture: SourcePicture, size: tuple[int, int], patch_size: int) -> Tensor:
    """Whether all pixels of each patch are inside the mask: bool [H − P + 1, W − P + 1]."""
    grid = size[0] - patch_size + 1, size[1] - patch_size + 1
    everything = torch.ones(grid, dtype=torch.bool, device=picture.rgb.device)
    if picture.mask is None:
        return everything
    outside = (resize(picture.mask, size) < 0.5).float()
    inside = F.max_pool2d(outside, patch_size, 1)[0, 0] < 0.5
    return inside if inside.any() else everything


def resize_guides(guides: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize guide channels [1, G, H, W], which have no fixed range."""
    return F.interpolate(guides, size, mode="bicubic", antialias=True)


def upsample(
    field: Tensor,
    picture_sizes: tuple[tuple[int, int], tuple[int, int]],
    coarse: Sources,
    fine: Sources,
    tiles: bool = False,
) -> Tensor:
    """Carry a field to the next finer level, with each patch in the same source picture."""
    (rows, _), (columns, _) = fields.parents(picture_sizes, coarse.patch_size, field.device, tiles)
    owner = coarse.owner[field[0], field[1]]
    fine_owner = owner[rows][:, columns]
    tops, fine_tops, sizes, fine_sizes = (
        torch.tensor(values, device=field.device)
        for values in (coarse.tops, fine.tops, coarse.sizes, fine.sizes)
    )
    local = torch.stack((field[0] - tops[owner], field[1]))
    source_sizes = sizes[fine_owner].unbind(-1), fine_sizes[fine_owner].unbind(-1)
    places = fields.upsample(local, picture_sizes, source_sizes, tiles)
    places[0] += fine_tops[fine_owner]
    return places
