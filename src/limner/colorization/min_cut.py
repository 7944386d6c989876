"""Divide a region among seeds along the cheapest cut, on a coarse grid of cells."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SHARPNESS = 10.0  # a cut along ink i costs exp(-10 i) of one over bare paper
_FAR = 50.0  # a step across a black line is as long as this many over bare paper
_LINE = 0.3  # ink from which a pixel is a line, for the room between lines
_WIDE = 0.12  # of the root of a region's area: ways with less room are longer
_PULL = 12.0  # weight of being near to a seed, against the length of the cut
_POSSIBLE = 3.0  # of the distance to the nearest seed: farther seeds get no cell
# the two cells of an edge: to the right, down, and the two diagonals
_Part = tuple[slice, ...] | slice
_FIRST: tuple[_Part, ...] = (np.s_[:, :-1], np.s_[:-1], np.s_[:-1, :-1], np.s_[:-1, 1:])
_SECOND: tuple[_Part, ...] = (np.s_[:, 1:], np.s_[1:], np.s_[1:, 1:], np.s_[1:, :-1])
_UNITS = 1000  # capacities are whole numbers
_FIRM = 10**7  # capacity that is never cut
_ROUNDS = 2  # of expansion moves over all seeds


class Grid:
    """A region as a graph of square cells.

    Parameters
    ----------
    region : ndarray
        Bool [H, W].
    ink : ndarray
        Float32 [H, W], from 0 (paper) to 1 (line).
    step : int
        Side of a cell in pixels.

    Attributes
    ----------
    step : int
        Side of a cell in pixels.
    cells : ndarray
        Bool [h, w]: the cells that hold a pixel of the region. They are the nodes, row by row.
    ends : ndarray
        Int64 [2, edges]: the nodes that each edge joins; cells have eight neighbors.
    open : ndarray
        Float64 [edges], from 0 to 1: how freely one gets from the middle of one cell to that of
        the other: 1 over bare paper, near 0 across a line or outside the region.
    room : ndarray
        Float64 [edges]: the distance to the nearest line at the narrowest place on the way, in
        cells.
    diagonal : ndarray
        Bool [edges].
    """

    def __init__(
        self, region: npt.NDArray[np.bool_], ink: npt.NDArray[np.float32], step: int
    ) -> None:
        self.step = step
        height, width = (-(-n // step) * step for n in region.shape)
        padding = [(0, full - n) for full, n in zip((height, width), region.shape, strict=True)]
        barrier = np.pad(np.where(region, ink, 1), padding, constant_values=1)
        blocks = (height // step, step, width // step, step)
        self.cells: npt.NDArray[np.bool_] = np.pad(region, padding).reshape(blocks).max((1, 3))
        number = np.cumsum(self.cells).reshape(self.cells.shape) - 1
        ways = _ways(barrier, step)
        opens = _around(*(np.exp(-_SHARPNESS * way).mean(2) for way in ways))
        # a few values in each cell suffice for the distance to lines
        fine = next(n for n in range(max(1, step // 4), 0, -1) if step % n == 0)
        lines = barrier.reshape(height // fine, fine, width // fine, fine).max((1, 3)) > _LINE
        clear = ndimage.distance_transform_edt(np.pad(~lines, 1, constant_values=True))
        clear = clear[1:-1, 1:-1] * fine / step
        rooms = _around(*(-way.min(2) for way in _ways(-clear, step // fine)))
        ends, found = [], []
        for one, other, passage, room in zip(_FIRST, _SECOND, opens, rooms, strict=True):
            both = self.cells[one] & self.cells[other]
            ends.append(np.stack((number[one][both], number[other][both])))
            found.append(np.stack((passage[both], room[both], np.full(both.sum(), len(ends) > 2))))
        self.ends = np.concatenate(ends, 1)
        self.open, self.room, diagonal = np.concatenate(found, 1)
        self.diagonal = diagonal > 0

    RATE = 0.1  # of the difference between two neighbors that one step of `spread` balances

    def means(self, values: npt.NDArray[np.float32], where: npt.NDArray[np.bool_]) -> Floats:
        """Return the mean of values [H, W, C] in each node, [nodes, C], where `where` is True."""
        rows, columns = np.nonzero(where)
        number = (np.cumsum(self.cells) - 1).reshape(self.cells.shape)
        node = number[rows // self.step, columns // self.step]
        counts = np.maximum(np.bincount(node, minlength=len(self)), 1)
        sums = [np.bincount(node, channel, len(self)) for channel in values[where].T]
        means: Floats = np.stack(sums, 1) / counts[:, None]
        return means

    def spread(self) -> sparse.csr_array:
        """Return one step of diffusion as a matrix [nodes, nodes], without any across lines.

        Its variance is 2 `RATE` cells² along each axis.
        """
        shares = np.where(self.diagonal, 1 / 4, 1 / 2) * self.RATE * self.open
        one, other = self.ends
        count = len(self)
        off = sparse.coo_array((shares, (one, other)), (count, count))
        off = off + off.T
        return sparse.csr_array(off + sparse.diags_array(1 - off.sum(1)))

    def __len__(self) -> int:
        """Return the number of nodes."""
        return int(self.cells.sum())


def cut(grid: Grid, seeds: list[npt.NDArray[np.bool_]]) -> Ints:
    """Assign each cell to a seed: the cheapest cut between the seeds (Sýkora et al. 2009).

    A cut costs its length, and next to nothing along a line. As the cheapest cut over bare paper
    is a small loop around a seed, cells also prefer the nearest seed, by the way around lines.

    Parameters
    ----------
    grid : Grid
        The region.
    seeds : list of ndarray
        Bool [h, w] each, on the grid's cells: where each seed is. At least two.

    Returns
    -------
    ndarray
        Int64 [nodes]: the index of a seed.
    """
    marked = np.stack([seed[grid.cells] for seed in seeds])  # [seeds, nodes]
    distance = _distances(grid, marked)
    distance += 0.5
    nearest, second = np.partition(distance, 1, 0)[:2]
    rival = np.where(distance > nearest, nearest, second)
    # the sum over a part grows with its area, the length of its border with the root of it; many
    # parts are only a few cells large, and need more
    pull = _PULL * (len(seeds) / 2) ** 0.75 / len(grid) ** 0.5 * _UNITS
    cost = distance / (distance + rival) * pull  # [seeds, nodes]
    held = marked.any(0)
    cost[:, held] = np.where(marked[:, held], 0, _FIRM)
    # lengths of cuts from crossings of eight neighbors (Boykov & Kolmogorov 2003, section 2)
    length = np.where(grid.diagonal, np.pi / 8 / 2**0.5, np.pi / 8)
    weight = (length * grid.open * _UNITS).astype(np.int64)
    found: Ints = cost.argmin(0)
    if len(seeds) == 2:
        return _expand(grid, np.ones_like(found), 0, cost, weight, np.ones_like(held))
    for _ in range(_ROUNDS):
        before = found
        for index in range(len(seeds)):
            possible = distance[index] < _POSSIBLE * nearest
            found = _expand(grid, found, index, cost, weight, possible)
        if (found == before).all():
            break
    return found


def _ways(values: Floats, step: int) -> tuple[Floats, Floats]:
    """Return the largest value on the straight ways between the middles of neighboring cells.

    Returns
    -------
    tuple of ndarray
        [h, w - 1, step] to the right, and [h - 1, w, step] down: one for each row or column of
        pixels in the cell.
    """

    def right(values: Floats) -> Floats:
        height, width = values.shape
        if step == 1:
            return np.maximum(values[:, :-1], values[:, 1:])[..., None]
        inner = values[:, step // 2 : step // 2 + width - step]
        highest = inner.reshape(height // step, step, width // step - 1, step).max(3)
        swapped: Floats = highest.swapaxes(1, 2)
        return swapped

    return right(values), right(values.T).swapaxes(0, 1)


def _around(right: Floats, down: Floats) -> tuple[Floats, ...]:
    """Add the two diagonals to what is free to the right and down.

    The way to a diagonal neighbor is as free as the better of the two ways around the corner.
    """
    falling = np.maximum(np.minimum(right[:-1], down[:, 1:]), np.minimum(down[:, :-1], right[1:]))
    rising = np.maximum(np.minimum(right[:-1], down[:, :-1]), np.minimum(down[:, 1:], right[1:]))
    return right, down, falling, rising


def _distances(grid: Grid, marked: npt.NDArray[np.bool_]) -> Floats:
    """Measure the shortest way from each seed to each node, [seeds, nodes], in cells."""
    count, seeds = len(grid), len(marked)
    # the way through a gap in a line is long, so that one seed does not reach through it
    narrow = np.maximum(_WIDE * count**0.5 / np.maximum(grid.room, 0.1), 1) ** 2
    way = np.where(grid.diagonal, 2**0.5, 1.0) * narrow / (grid.open + 1 / _FAR)
    sources, targets = np.nonzero(marked)
    ones = np.concatenate((grid.ends[0], sources + count))
    others = np.concatenate((grid.ends[1], targets))
    lengths = np.concatenate((way, np.full(len(targets), 1e-6)))
    size = count + seeds
    graph = sparse.coo_array((lengths, (ones, others)), (size, size)).tocsr()
    found = csgraph.dijkstra(graph, directed=False, indices=np.arange(count, size))[:, :count]
    distances: Floats = np.minimum(found, 1e6)
    return distances


def _expand(
    grid: Grid,
    found: Ints,
    index: int,
    cost: Floats,
    weight: Ints,
    possible: npt.NDArray[np.bool_],
) -> Ints:
    """Give nodes to one seed where that is cheaper (expansion move, Boykov et al. 2001).

    Only nodes that are `possible` may change.
    """
    one, other = grid.ends
    reached = possible[one] | possible[other]
    one, other, weight = one[reached], other[reached], weight[reached]
    apart = np.where(found[one] != found[other], weight, 0)
    one_keeps = np.where(found[one] != index, weight, 0)  # and the other changes
    other_keeps = np.where(found[other] != index, weight, 0)
    both = possible[one] & possible[other]
    size = len(found)
    change = cost[index] - cost[found, np.arange(size)]  # of the cost if a node changes
    change += np.bincount(one, np.where(possible[one], other_keeps - apart, 0), size)
    change += np.bincount(other, np.where(both, -other_keeps, one_keeps - apart), size)
    change = change[possible].clip(-_FIRM, _FIRM).astype(np.int64)
    count = len(change)
    number = np.cumsum(possible) - 1
    source, sink, nodes = count, count + 1, np.arange(count)
    # nodes on the side of the source change; an edge from `other` to `one` is cut if only the
    # other changes
    starts = np.concatenate((number[other[both]], np.full(count, source), nodes))
    stops = np.concatenate((number[one[both]], nodes, np.full(count, sink)))
    between = (one_keeps + other_keeps - apart)[both]
    capacity = np.concatenate((between, np.maximum(-change, 0), np.maximum(change, 0)))
    graph = sparse.coo_array((capacity, (starts, stops)), (count + 2, count + 2))
    graph = sparse.csr_array(graph, dtype=np.int32)
    flow = csgraph.maximum_flow(graph, source, sink).flow
    left = graph - flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    side = csgraph.breadth_first_order(left, source, return_predecessors=False)
    changed: Ints = found.copy()
    changed[np.nonzero(possible)[0][side[side < count]]] = index
    return changed
