"""Pictures at all scales, with their patches described for the search."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limner.generation.pieces import Piece
from limner.nn import images
from limner.patches import search, sources
from limner.patches.field import PATCH_SIZE
from limner.patches.sources import SourcePicture, Sources

_COARSEST = 16  # pixels of the shorter side where patches are first arranged: about two patches
_SCALE_STEP = 1.5  # ratio of the sizes of two levels
_MAX_EXACT = 20_000_000  # most pairs of patches of a level that compares all pairs
_MAX_SEARCHED = 1_600_000  # most pixels of a level that is searched; finer ones are upsampled only
_FEWEST = 20  # patches beside the pieces: if there are fewer, those of the pieces are used too
_COMPONENTS = (32, 16)  # principal components of a patch, on exact levels and on finer ones
_HEIGHT_WEIGHT = 1.0  # weight of a patch's height in the picture, relative to their deviation
MARGIN = PATCH_SIZE - 1  # pixels: what a patch reaches beyond its first


@dataclass(frozen=True)
class Level:
    """The pictures at one scale, and the size of the result there.

    Attributes
    ----------
    sources : Sources
        The pictures.
    size : tuple of int
        Height and width of the result.
    exact : bool
        Whether all pairs of patches are compared.
    filters : Tensor or None
        [D, 3, 7, 7]; None: the level is too large to be searched.
    keys : Tensor or None
        [H − 6, W − 6, D + 1]: descriptions of the patches, and their weighted height.
    height_weight : float
        Weight of the height of a patch in its picture.
    """

    sources: Sources
    size: tuple[int, int]
    exact: bool
    filters: Tensor | None
    keys: Tensor | None
    height_weight: float


@dataclass(frozen=True)
class Pyramid:
    """Pictures at all scales.

    Attributes
    ----------
    levels : sequence of Level
        The coarsest first.
    tiles : bool
        Whether the right border of the result continues at the left, and the lower at the upper.
    pieces : sequence of Piece
        Parts of the first picture that are kept whole.
    """

    levels: Sequence[Level]
    tiles: bool = False
    pieces: Sequence[Piece] = ()


def build_pyramid(
    pictures: Sequence[SourcePicture],
    target: tuple[int, int],
    *,
    tiles: bool = False,
    pieces: Sequence[Piece] = (),
) -> Pyramid:
    """Prepare what all results of a size share.

    Parameters
    ----------
    pictures : sequence of SourcePicture
        What is outside their masks is not used.
    target : tuple of int
        Height and width of the results.
    tiles : bool
        See `Pyramid`.
    pieces : sequence of Piece
        See `Pyramid`.
    """
    scales: list[float] = []
    for picture in pictures:
        height, width = images.size_of(picture.rgb)
        area = target[0] * target[1] / (height * width)
        # A picture gets the area of the result, or its height. We use the geometric mean of both
        # scales: the vertical order makes a scene, but sideways things can be repeated.
        scale = min(area**0.25 * (target[0] / height) ** 0.5, (2 * area) ** 0.5)
        if pieces and not scales:  # those of the first picture must fit
            widest = max(piece.width for piece in pieces)
            spare = 0 if widest == 1 else 2 * PATCH_SIZE
            scale = min(scale, target[0] / height, (target[1] - spare) / (widest * width))
        scales.append(max(scale, _COARSEST / min(height, width)))
    scaled = [
        SourcePicture(
            _scaled(picture.rgb, scale),
            None if picture.mask is None else _scaled(picture.mask, scale),
        )
        for picture, scale in zip(pictures, scales, strict=True)
    ]
    shortest = min(*target, *(side for one in scaled for side in images.size_of(one.rgb)))
    coarsest = min(1.0, _COARSEST / shortest)
    count = math.ceil(-math.log(coarsest) / math.log(_SCALE_STEP))
    levels = []
    for index in range(count + 1):
        factor = coarsest ** (1 - index / count) if count else 1.0
        size = (
            max(PATCH_SIZE + 1, round(target[0] * factor)),
            max(PATCH_SIZE + 1, round(target[1] * factor)),
        )
        combined = sources.combine(scaled, factor, PATCH_SIZE)
        for piece in pieces:
            inside = piece.patches(combined.sizes[0], PATCH_SIZE).to(combined.usable.device)
            rest = combined.usable.clone()
            rest[: inside.shape[0], : inside.shape[1]] &= ~inside
            if int((rest & (combined.owner == 0)).sum()) >= _FEWEST:
                combined = replace(combined, usable=rest)
        levels.append(_make_level(combined, size, tiles=tiles))
    return Pyramid(levels, tiles, pieces)


def _scaled(picture: Tensor, scale: float) -> Tensor:
    height, width = images.size_of(picture)
    return images.resize(picture, (round(height * scale), round(width * scale)))


def _make_level(combined: Sources, size: tuple[int, int], *, tiles: bool) -> Level:
    """Prepare what all results share at one scale."""
    queries = (size[0] - MARGIN) * (size[1] - MARGIN)
    exact = queries * int(combined.usable.sum()) <= _MAX_EXACT
    pixels = combined.usable.numel() // len(combined.sizes)  # with what is between the pictures
    if max(size[0] * size[1], pixels) > _MAX_SEARCHED:
        return Level(combined, size, exact, None, None, 0.0)
    count = _COMPONENTS[0] if exact else _COMPONENTS[1]
    filters = search.pca_filters(combined.rgb, count, PATCH_SIZE, combined.usable)
    keys = search.describe(combined.rgb, filters)
    # a tile has no top: a patch may come from any height
    weight = 0.0 if tiles else _HEIGHT_WEIGHT * float(keys[combined.usable].var(0).sum()) ** 0.5
    keys = torch.cat((keys, weight * _heights(combined)[..., None]), 2)
    return Level(combined, size, exact, filters, keys, weight)


def _heights(combined: Sources) -> Tensor:
    """Return the height of each patch in its picture, 0 to 1: [H − 6, W − 6]."""
    device = combined.rgb.device
    tops = torch.tensor(combined.tops, device=device)[combined.owner]
    last = torch.tensor([size[0] - PATCH_SIZE for size in combined.sizes], device=device)
    rows = torch.arange(combined.owner.shape[0], device=device)[:, None]
    return (rows - tops) / last[combined.owner].clamp(min=1)
