"""Find where a photo has detail that strokes should keep: eyes, mouths, windows, branches.

Edges are found by their contrast. Small round parts, of which eyes are the most important, are
found by the fast radial symmetry transform (Loy & Zelinsky 2003, "Fast radial symmetry for
detecting points of interest") and count more than other edges.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images

_EDGES = (3 / 512, 4 / 512)  # sigmas: finer structure is detail, and how far its area reaches
_MUCH_DETAIL = 1.0  # times the average: there the photo is followed most closely
_LEAST_DETAIL = 0.05  # contrast that counts as detail even in a flat photo, in logarithms
_DARK = 0.1  # added to the luma: below, noise would look like detail
_EDGE_SHARE = 0.7  # detail of an edge that is not part of something round

_LONGEST = 256  # pixels of the longest side in which round parts are found
_RADII = (
    2,
    3,
    4,
    6,
    8,
)  # in these pixels: from the pupils of a distant face to the eyes of a near one
_STEEPEST = 0.15  # gradient beyond which an edge counts no more
_SURROUNDINGS = 16  # sigma in which a round part must stand out
_CLUTTER = (2.0, 0.1)  # weight of the surroundings' edges, and what is added to them
_ROUND = 0.15  # least score
_RAREST = 0.003  # share of the pixels that have the highest scores
_REACH = (1.5, 2)  # how far beyond its center a part is marked: times the radius, and pixels


def find_detail(photo: Tensor) -> Tensor:
    """Find where a photo has detail.

    Parameters
    ----------
    photo : Tensor
        [1, 3, H, W], sRGB in 0..1.

    Returns
    -------
    Tensor
        [1, 1, H, W] in 0..1: 1 at the edges of round parts, less at other edges.
    """
    luma = images.luma(photo)
    round_share = (1 - _EDGE_SHARE) * find_round_parts(luma)
    return find_edges(luma) * (_EDGE_SHARE + round_share)


def find_edges(luma: Tensor) -> Tensor:
    """Return the local contrast of a luma [1, 1, H, W], relative to its average: 0..1.

    The contrast is that of logarithms, as the eye sees it, so that dark faces count as much as
    light ones.
    """
    size = images.size_of(luma)
    log = _logarithm(luma, images.fit(*size, 512) if max(size) > 512 else size)
    fine, reach = (max(0.5, sigma * max(images.size_of(log))) for sigma in _EDGES)
    contrast = images.gaussian_blur((log - images.gaussian_blur(log, fine)).square(), reach)
    contrast = contrast.sqrt()
    edges = contrast / (_MUCH_DETAIL * contrast.mean() + _LEAST_DETAIL)
    return images.resize(edges.clamp(0, 1), size)


def find_round_parts(luma: Tensor) -> Tensor:
    """Mark small dark round parts of a luma [1, 1, H, W], relative to the picture's size: 0..1.

    What is marked must stand out of its surroundings, and be among the roundest of the picture, so
    that little of foliage is. It is computed on the CPU, where votes are added in a fixed order.
    """
    size = images.size_of(luma)
    log = _logarithm(luma.cpu(), images.fit(*size, _LONGEST))
    scores = [_roundness(log, radius) for radius in _RADII]
    highest = torch.cat(scores, 1).amax(1)
    wanted = max(_ROUND, float(highest.quantile(1 - _RAREST)))
    marks = torch.zeros_like(log)
    for radius, score in zip(_RADII, scores, strict=True):
        found = ((score / wanted - 0.8) / 0.4).clamp(0, 1)
        reach = round(_REACH[0] * radius + _REACH[1])
        found = F.max_pool2d(found, 2 * reach + 1, 1, reach)
        marks = torch.maximum(marks, images.gaussian_blur(found, radius / 2))
    return images.resize(marks, size).to(luma)


def _roundness(log: Tensor, radius: int) -> Tensor:
    """Return how much each pixel looks like the center of a dark disk, [1, 1, H, W].

    Each edge pixel votes for the pixel at this distance on its dark side. Unlike in the paper,
    votes count only if they come from all sides (the first and second moment of their directions
    are small), or the straight edges of houses would win, and are relative to the edges around.
    """
    height, width = images.size_of(log)
    padded = F.pad(images.gaussian_blur(log, 0.3 * radius), (1, 1, 1, 1), mode="replicate")[0, 0]
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    steep = torch.hypot(down, right)
    down, right = down / (steep + 1e-6), right / (steep + 1e-6)
    rows = (torch.arange(height)[:, None] - radius * down).round().long()
    columns = (torch.arange(width) - radius * right).round().long()
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = (rows * width + columns)[inside]
    directions = (torch.ones_like(down), down, right, down**2 - right**2, 2 * down * right)
    votes = [
        torch.bincount(places, (steep.clamp(max=_STEEPEST) * d)[inside], height * width)
        for d in directions
    ]
    moments = torch.stack(votes).view(1, -1, height, width).to(log)
    moments = images.gaussian_blur(moments, 0.25 * radius)
    total = moments[:, :1]
    first, second = (
        moments[:, pair].norm(dim=1, keepdim=True) / (total + 1e-6)
        for pair in (slice(1, 3), slice(3, 5))
    )
    from_all_sides = (1 - first).clamp(min=0) * (1 - second).clamp(min=0)
    weight, added = _CLUTTER
    clutter = radius * images.gaussian_blur(steep[None, None], _SURROUNDINGS)
    score: Tensor = total * from_all_sides / (weight * clutter + added)
    return score * (radius / (2 * math.pi))


def _logarithm(luma: Tensor, size: tuple[int, int]) -> Tensor:
    return (images.resize(luma, size) + _DARK).log()
