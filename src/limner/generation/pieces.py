"""Find the parts of a picture that have no twin in it, such as a face: each is kept whole."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.measure import label
from torch import Tensor

from limner.nn import images

_SHORT_SIDE = 32  # pixels; in this size the patches are compared
_PATCH_SIZE = 9  # pixels: two sevenths of the shorter side
_COLOR = 0.7  # weight of a patch's mean color, beside what varies in it
_FLAT = 0.5  # of the variance of patches, added to that in a patch: flat ones are not unique
# How unique the core of a part is, and what belongs to it: at least, and in medians of the picture.
# In a picture where most places have no twin, a part stands out less.
_CORE, _CORE_ABOVE = 0.45, 2.0
_REST, _REST_ABOVE = 0.3, 1.3
_STRICTER = 1.15  # factor for both, while the parts are too large together
_MOST, _LEAST = 0.5, 0.01  # shares of the picture: of all parts together, of one part
_LONGEST = 6  # times the shorter side: longer strips are not searched
_MARGIN = 2  # pixels around a part that belong to it


def uniqueness(rgb: Tensor) -> Tensor:
    """Return how far each place of a picture is from looking like another place.

    Parameters
    ----------
    rgb : Tensor
        [1, 3, H, W] in 0..1.

    Returns
    -------
    Tensor
        [h, w], with 32 pixels on the shorter side. 0: it has a twin. 1: the nearest other patch
        differs as much as a flat one would.
    """
    height, width = images.size_of(rgb)
    scale = _SHORT_SIDE / min(height, width)
    size = round(height * scale), round(width * scale)
    patches = F.unfold(images.resize(rgb, size), _PATCH_SIZE)
    grid = size[0] - _PATCH_SIZE + 1, size[1] - _PATCH_SIZE + 1
    by_channel = patches[0].T.reshape(-1, 3, _PATCH_SIZE**2)
    mean = by_channel.mean(2, keepdim=True)
    varying = by_channel - mean
    energy = varying.square().sum((1, 2)) + _FLAT * patches[0].var(1).sum()
    described = torch.cat((varying.flatten(1), _COLOR * _PATCH_SIZE * mean.flatten(1)), 1)
    rows = torch.arange(len(described)) // grid[1]
    columns = torch.arange(len(described)) % grid[1]
    found = torch.empty(len(described))
    for row in range(grid[0]):
        here = slice(row * grid[1], (row + 1) * grid[1])
        squares = torch.cdist(described[here], described).square()
        beside = (rows[here, None] - rows).abs() < _PATCH_SIZE
        beside &= (columns[here, None] - columns).abs() < _PATCH_SIZE
        found[here] = squares.masked_fill_(beside, torch.inf).amin(1) / (energy[here] + 1e-6)
    # a pixel is as unique as the patches that show it are on average
    border = (_PATCH_SIZE - 1,) * 4
    sums, counts = (
        F.avg_pool2d(F.pad(values.view(1, 1, *grid), border), _PATCH_SIZE, 1, divisor_override=1)
        for values in (found, torch.ones_like(found))
    )
    return (sums / counts.clamp(min=_PATCH_SIZE**2 / 2))[0, 0]  # few patches show a corner


def unique_parts(rgb: Tensor) -> list[Tensor]:
    """Return the parts of a picture that have no twin in it, the largest first.

    Parameters
    ----------
    rgb : Tensor
        [1, 3, H, W] in 0..1.

    Returns
    -------
    list of Tensor
        Masks of 0 and 1, [1, 1, h, w], with 32 pixels on the shorter side. None of them touches
        another, and all together are at most half of the picture.
    """
    if max(images.size_of(rgb)) > _LONGEST * min(images.size_of(rgb)):
        return []
    found = uniqueness(rgb).numpy()
    median = float(np.median(found))
    core, rest = max(_CORE, _CORE_ABOVE * median), max(_REST, _REST_ABOVE * median)
    while True:
        inside = apply_hysteresis_threshold(found, rest, core)
        inside = ndimage.binary_closing(np.pad(inside, 2, mode="edge"))[2:-2, 2:-2]
        inside = ndimage.binary_fill_holes(inside)
        inside = ndimage.binary_dilation(inside, np.ones((3, 3), bool), _MARGIN)
        if inside.mean() <= _MOST:
            break
        core, rest = core * _STRICTER, rest * _STRICTER
    labels = label(inside)
    areas = np.bincount(labels.ravel(), minlength=1)[1:]
    order = [i for i in np.argsort(-areas, kind="stable") if areas[i] >= _LEAST * inside.size]
    return [torch.from_numpy(labels == i + 1).float()[None, None] for i in order]


@dataclass(frozen=True)
class Piece:
    """A part of a picture that is kept whole.

    Attributes
    ----------
    mask : Tensor
        [1, 1, h, w] in 0..1, of any size. A pixel belongs to the piece from 0.5.
    protected : bool
        Whether the user asked for it.
    """

    mask: Tensor
    protected: bool = False

    def patches(self, size: tuple[int, int], patch_size: int) -> Tensor:
        """Return the patches that are at least a quarter its own: bool [H − P + 1, W − P + 1].

        On a coarse level a patch reaches far: those that touch the piece would be too many.
        `size` is the height and width of the picture.
        """
        inside = (images.resize(self.mask, size) >= 0.5).float()
        return F.avg_pool2d(inside, patch_size, 1)[0, 0] >= 0.25

    def at_borders(self, axis: int) -> tuple[bool, bool]:
        """Whether it touches the upper and the lower border, or for axis 1 the left and right."""
        lines = (self.mask[0, 0] >= 0.5).any(1 - axis)
        return bool(lines[0]), bool(lines[-1])

    @property
    def width(self) -> float:
        """Share of the width of the picture that it takes."""
        columns = (self.mask[0, 0] >= 0.5).any(0).nonzero()[:, 0]
        return (float(columns[-1] - columns[0]) + 1) / self.mask.shape[-1]
