"""Find the source patch that is most like each patch of a picture: exactly, or by propagation.

Sources: normalized scores from Granot et al. 2022 ("Drop the GAN"), candidates from the neighbors
of a patch from Ashikhmin 2001 and Barnes et al. 2009 ("PatchMatch").
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.patches.field import PATCH_SIZE

_CHUNK = 1 << 23  # distances in memory at once: 32 MiB
_PCA_SAMPLES = 20_000  # patches from which the principal components are computed
_FEWEST_SAMPLES = 1000  # usable ones, unless there are fewer
_SPREAD = 4096  # patches of a source that are tried where no candidate is usable
NEIGHBORS = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def pca_filters(
    source: Tensor, count: int, patch_size: int = PATCH_SIZE, usable: Tensor | None = None
) -> Tensor:
    """Compute the principal components of the patches of a picture.

    Parameters
    ----------
    source : Tensor
        [1, 3, H, W].
    count : int
        The most components to return.
    patch_size : int
        Pixels per side of a patch, P.
    usable : Tensor or None
        Bool [H − P + 1, W − P + 1]: patches that count. None: all.

    Returns
    -------
    Tensor
        Orthonormal filters [≤ count, 3, P, P].
    """
    step = max(1, math.isqrt(source.shape[-1] * source.shape[-2] // _PCA_SAMPLES))
    if usable is not None:
        while step > 1 and int(usable[::step, ::step].sum()) < _FEWEST_SAMPLES:
            step -= 1
    # on the CPU: MPS has neither float64 nor eigh
    patches = F.unfold(source, patch_size, stride=step)[0].cpu()
    if usable is not None:
        patches = patches[:, usable[::step, ::step].flatten().cpu()]
    patches = patches.double()
    patches -= patches.mean(1, keepdim=True)
    _, vectors = torch.linalg.eigh(patches @ patches.T)
    filters: Tensor = vectors.flip(1)[:, :count].T.reshape(-1, 3, patch_size, patch_size)
    return filters.to(source.dtype).to(source.device)


def describe(picture: Tensor, filters: Tensor) -> Tensor:
    """Describe the patches of a picture [1, 3, H, W]: D numbers for each, [h, w, D]."""
    return F.conv2d(picture, filters)[0].permute(1, 2, 0).contiguous()


def nearest(queries: Tensor, keys: Tensor, alpha: float = math.inf) -> Tensor:
    """Find the nearest key of every query, by comparing all pairs.

    Parameters
    ----------
    queries, keys : Tensor
        [N, D] and [M, D].
    alpha : float
        Above 0. Each squared distance is divided by alpha plus the squared distance from the key to
        its own nearest query. A small alpha makes the result use more of the keys. Infinite: plain
        distances.

    Returns
    -------
    Tensor
        Indices into keys, [N].
    """
    rows = max(1, _CHUNK // len(keys))
    key_squares, doubled_keys = keys.square().sum(1), -2 * keys.T
    query_squares = queries.square().sum(1, keepdim=True)

    def distances(start: int) -> Tensor:
        part = slice(start, start + rows)
        squares = torch.addmm(key_squares, queries[part], doubled_keys)
        return squares.add_(query_squares[part]).clamp_(min=0)

    starts = range(0, len(queries), rows)
    if math.isinf(alpha):
        return torch.cat([distances(start).argmin(1) for start in starts])
    to_nearest_query = torch.stack([distances(start).amin(0) for start in starts]).amin(0)
    factor = 1 / (to_nearest_query + alpha)
    return torch.cat([distances(start).mul_(factor).argmin(1) for start in starts])


def nearest_of_few(queries: Tensor, keys: Tensor, places: Tensor) -> Tensor:
    """Find a key for each query among a few of the places, spread evenly: indices into keys."""
    few = places[:: max(1, len(places) // _SPREAD)]
    return few[nearest(queries, keys[few])]


def propagate(
    field: Tensor, queries: Tensor, keys: Tensor, usable: Tensor, fixed: Tensor | None = None
) -> Tensor:
    """Let each patch choose the best of nine places: its own, and one from each neighbor.

    A neighbor's candidate is the place beside the neighbor's own, so that both would be cut from
    the source in one piece. Where all candidates are the same place nothing is computed. That is
    most of a picture.

    Parameters
    ----------
    field : Tensor
        [2, h, w].
    queries, keys : Tensor
        Descriptions of the patches of the picture and of the source, [h, w, D] and [H, W, D].
    usable : Tensor
        Bool [H, W]: the places that can be chosen. Where none of the nine is among them, the best
        of a few all over the source is.
    fixed : Tensor or None
        Bool [h, w]: patches that keep their place. None: no patch.

    Returns
    -------
    Tensor
        The better field, [2, h, w].
    """
    height, width, depth = keys.shape
    own = (field[0] * width + field[1]).flatten()
    candidates = [_candidates(field, step, (height, width)).flatten() for step in NEIGHBORS]
    allowed = usable.flatten()
    differ = torch.stack([other != own for other in candidates]).any(0) | ~allowed[own]
    if fixed is not None:
        differ &= ~fixed.flatten()
    places = differ.nonzero()[:, 0]
    targets, flat = queries.view(-1, depth)[places], keys.view(-1, depth)
    best = own[places]
    least = (flat[best] - targets).square_().sum(1).masked_fill_(~allowed[best], torch.inf)
    for candidate in candidates:
        offered = candidate[places]
        squares = (flat[offered] - targets).square_().sum(1)
        squares.masked_fill_(~allowed[offered], torch.inf)
        nearer = squares < least
        best, least = torch.where(nearer, offered, best), torch.where(nearer, squares, least)
    lost = least.isinf().nonzero()[:, 0]
    if len(lost):
        best[lost] = nearest_of_few(targets[lost], flat, allowed.nonzero()[:, 0])
    own[places] = best
    return torch.stack((own // width, own % width)).view_as(field)


def _candidates(field: Tensor, step: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """For each patch, the place that its neighbor `step` rows and columns away suggests: [h, w]."""
    own = [torch.arange(side, device=field.device) for side in field.shape[1:]]
    neighbor = [(s + d).clamp(0, len(s) - 1) for s, d in zip(own, step, strict=True)]
    places = field[:, neighbor[0]][:, :, neighbor[1]]
    rows = places[0] + (own[0] - neighbor[0])[:, None]
    columns = places[1] + own[1] - neighbor[1]
    return rows.clamp_(0, grid[0] - 1) * grid[1] + columns.clamp_(0, grid[1] - 1)
