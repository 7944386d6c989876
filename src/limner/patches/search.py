"""Patches of one picture, laid into another: which is nearest, and what they make together.

A *field* says, for every place of a patch in the picture that is made, from where in the source its
patch comes: int64 [2, H − 6, W − 6], rows and columns of the patches' upper left corners.

The ideas are those of Granot et al. 2022 ("Drop the GAN", normalised scores), Lefebvre and Hoppe
2005 ("Parallel controllable texture synthesis", coordinates carried up), Ashikhmin 2001 and Barnes
et al. 2009 (neighbours as candidates) and Kwatra et al. 2005 (search and vote by turns).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 7  # pixels of a patch
_CHUNK = 1 << 23  # distances held at once: 32 MiB
_LEARNT = 20_000  # patches that are enough to know what patches are like
_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def basis(source: Tensor, most: int) -> Tensor:
    """Find the directions in which patches of a picture differ most: principal components.

    Parameters
    ----------
    source : Tensor
        [1, 3, H, W].
    most : int
        How many there may be.

    Returns
    -------
    Tensor
        Orthonormal filters [≤ most, 3, 7, 7].
    """
    step = max(1, math.isqrt(source.shape[-1] * source.shape[-2] // _LEARNT))
    seen = F.unfold(source, SIDE, stride=step)[0].cpu().double()  # where every device has eigh
    seen -= seen.mean(1, keepdim=True)
    _, vectors = torch.linalg.eigh(seen @ seen.T)
    filters: Tensor = vectors.flip(1)[:, :most].T.reshape(-1, 3, SIDE, SIDE).to(source)
    return filters


def describe(picture: Tensor, filters: Tensor) -> Tensor:
    """Patches of a picture [1, 3, H, W] in few numbers, [H − 6, W − 6, D]."""
    return F.conv2d(picture, filters)[0].permute(1, 2, 0).contiguous()


def nearest(queries: Tensor, keys: Tensor, alpha: float = math.inf) -> Tensor:
    """Find the nearest key of every query, by all distances there are.

    Parameters
    ----------
    queries, keys : Tensor
        [N, D] and [M, D].
    alpha : float
        Above 0. Squared distances are divided by so much plus that from the key to its own nearest
        query: the smaller it is, the more of the keys are used. Infinite: plain distances.

    Returns
    -------
    Tensor
        Indices into keys, [N].
    """
    rows = max(1, _CHUNK // len(keys))
    squares, doubled = keys.square().sum(1), -2 * keys.T
    lengths = queries.square().sum(1, keepdim=True)

    def distances(start: int) -> Tensor:
        part = slice(start, start + rows)
        away = torch.addmm(squares, queries[part], doubled)
        return away.add_(lengths[part]).clamp_(min=0)

    starts = range(0, len(queries), rows)
    if math.isinf(alpha):
        return torch.cat([distances(start).argmin(1) for start in starts])
    own = torch.stack([distances(start).amin(0) for start in starts]).amin(0)
    share = 1 / (own + alpha)
    return torch.cat([distances(start).mul_(share).argmin(1) for start in starts])


def refine(field: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Let every patch choose among its own place in the source and those its neighbours point to.

    Where all of them point to the same, as within a piece that was copied whole, nothing is
    computed: that is most of a picture.

    Parameters
    ----------
    field : Tensor
        [2, h, w].
    queries, keys : Tensor
        Patches of the picture and of the source, [h, w, D] and [H, W, D].

    Returns
    -------
    Tensor
        [2, h, w].
    """
    height, width, depth = keys.shape
    own = (field[0] * width + field[1]).flatten()
    others = [_pointed(field, step, (height, width)).flatten() for step in _AROUND]
    places = torch.stack([other != own for other in others]).any(0).nonzero()[:, 0]
    wanted, flat = queries.view(-1, depth)[places], keys.view(-1, depth)
    best = own[places]
    least = (flat[best] - wanted).square_().sum(1)
    for other in others:
        offered = other[places]
        away = (flat[offered] - wanted).square_().sum(1)
        nearer = away < least
        best, least = torch.where(nearer, offered, best), torch.where(nearer, away, least)
    own[places] = best
    return torch.stack((own // width, own % width)).view_as(field)


def _pointed(field: Tensor, step: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Where each patch's neighbour, so many rows and columns away, says that it should be from."""
    sides = [torch.arange(side, device=field.device) for side in field.shape[1:]]
    there = [(s + d).clamp(0, len(s) - 1) for s, d in zip(sides, step, strict=True)]
    theirs = field[:, there[0]][:, :, there[1]]
    rows = theirs[0] + (sides[0] - there[0])[:, None]
    columns = theirs[1] + sides[1] - there[1]
    return rows.clamp_(0, grid[0] - 1) * grid[1] + columns.clamp_(0, grid[1] - 1)
