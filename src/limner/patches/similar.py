"""Find, for each patch of a source, the patches of the same source that look most like it.

They are the candidates of k-coherence search (Tong et al. 2002): when a place fits, the places that
look like it may fit better. The table depends on the source alone, so it is made once.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from limner.nn.seeding import generator

_LEAF = 96  # most patches in a leaf, which are compared with each other
_TREES = 2  # a patch near the border of a leaf in one tree is inside a leaf in the next
_MANY = 300_000  # patches; more get one tree
_EVERY = 4  # one patch in so many decides which axis is widest
_CHUNK = 1 << 22  # distances in memory at once: 16 MiB

Tick = Callable[[], None]


def do_nothing() -> None:
    """A tick that lets everything go on."""


def similar_patches(keys: Tensor, count: int, tick: Tick = do_nothing) -> Tensor:
    """Return the indices of the patches most like each patch, approximately.

    The patches are sorted into balanced k-d trees (Bentley 1975) and compared within each leaf.
    From the second tree on the axes are rotated at random, with a fixed seed.

    Parameters
    ----------
    keys : Tensor
        Descriptions of the patches, [N, D].
    count : int
        Patches to find for each patch.
    tick : callable
        Called often. What it raises ends the search.

    Returns
    -------
    Tensor
        Indices into keys, [N, count], the nearest first. A patch stands for itself where too few
        others were compared.
    """
    total, dimensions = keys.shape
    found = torch.arange(total, device=keys.device)[:, None].repeat(1, count)
    distances = keys.new_full((total, count), torch.inf)
    depth = (total // _LEAF).bit_length()
    leaves = 1 << depth
    trees = 0 if total < 2 * leaves else 1 if total > _MANY else _TREES
    for tree in range(trees):
        axes = torch.randn(dimensions, dimensions, generator=generator(0, tree))
        rotation = torch.linalg.qr(axes)[0].to(keys) if tree else torch.eye(dimensions).to(keys)
        # all leaves have the same size: a few patches at one end or the other are left out
        spare = total % leaves
        order = torch.arange(total - spare, device=keys.device) + spare * (tree % 2)
        members = _split(keys @ rotation, order, depth, tick)
        together = max(1, _CHUNK // members.shape[1] ** 2)
        for first in range(0, leaves, together):
            _compare(keys, members[first : first + together], found, distances)
            tick()
    return found


def _split(keys: Tensor, order: Tensor, depth: int, tick: Tick) -> Tensor:
    """Sort patches into leaves: halve each group along its widest axis. Returns [leaves, size]."""
    for level in range(depth):
        tick()
        groups = order.view(1 << level, -1)
        values = keys[groups]
        axis = values[:, ::_EVERY].var(1).argmax(1)
        along = values.gather(2, axis[:, None, None].expand(-1, values.shape[1], 1))[..., 0]
        order = groups.gather(1, along.argsort(dim=1, stable=True)).flatten()
    return order.view(1 << depth, -1)


def _compare(keys: Tensor, members: Tensor, found: Tensor, distances: Tensor) -> None:
    """Compare the patches of each leaf [leaves, size]; update the nearest of each in place."""
    count = min(found.shape[1], members.shape[1] - 1)
    inside = keys[members]
    squares = inside.square().sum(2)
    pairs = torch.baddbmm(
        squares[:, :, None] + squares[:, None, :], inside, inside.mT, alpha=-2
    ).clamp_(min=0)
    pairs.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    near, positions = pairs.topk(count, 2, largest=False)
    rows = members.flatten()
    offered = members.gather(1, positions.flatten(1)).view(len(rows), count)
    near = near.view(len(rows), count)
    known = (offered[:, :, None] == found[rows][:, None, :]).any(2)  # from another tree
    near = near.masked_fill(known, torch.inf)
    both = torch.cat((distances[rows], near), 1)
    best, columns = both.topk(found.shape[1], 1, largest=False)
    found[rows] = torch.cat((found[rows], offered), 1).gather(1, columns)
    distances[rows] = best
