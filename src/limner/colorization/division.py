"""Divide regions among color spots, so that each region holds one color at most."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.segmentation import watershed
from torch.nn import functional

from limner.colorization.min_cut import Grid, cut
from limner.colorization.spots import Spots

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

_SHARE = 0.2  # of a spot: what a region must hold of it to take its color
_COVERED = 0.5  # of a region: from here on a spot means this region
_ON_LINE = 0.25  # of a spot: from here on it lies on a line, and means one side only
_REACH = 1 / 32  # of the short side: how far from a region a spot in black may be
_STEP = 16  # pixels: larger blocks are refined in two rounds
_CELLS = 64  # along the longest side of a region, for the cut
_MANY = 32  # colors in one region: more than these need smaller cells
_RIDGE = 0.06  # ink that counts as much as the middle between two spots, for the exact border
_SOFTNESS = 0.12  # sigma of a smooth transition, as a share of the root of a region's area
_GRAIN = 0.04  # ink up to which a pixel is bare paper


def divide(labels: Ints, ink: Floats, spots: Spots) -> tuple[Ints, Floats]:
    """Give the spots' colors to regions, and divide regions with spots of several colors.

    A spot colors each region that holds a good part of it, or that it covers. A spot on a line
    colors the side that holds most of it. Regions are divided along the minimal cut through the
    weakest lines (LazyBrush, Sýkora et al. 2009).

    Parameters
    ----------
    labels : ndarray
        Int32 [H, W]: 0 on lines, regions 1 to n.
    ink : ndarray
        Float32 [H, W], from 0 (paper) to 1 (line).
    spots : Spots
        Of the same size.

    Returns
    -------
    tuple of ndarray
        The new labels, int32 [H, W], regions 1 to m; the first n keep their number. And their
        colors, float32 [m + 1, 3], sRGB in 0..1, NaN for regions without a spot.
    """
    assert labels.shape == ink.shape == spots.places.shape, (labels.shape, ink.shape)
    count = int(labels.max())
    colors: list[Floats] = []
    divided = labels.copy()
    first = np.full((count + 1, 3), np.nan, np.float32)
    claims = _claims(labels, spots)
    shared = {
        region for region, found in claims.items() if len(_distinct(spots.colors[found])[0]) > 1
    }
    boxes = ndimage.find_objects(labels) if shared else []
    for region, found in claims.items():
        own, member = _distinct(spots.colors[found])
        first[region] = own[0]
        if region not in shared:
            continue
        box = boxes[region - 1]
        inside = labels[box] == region
        seeds = np.zeros(inside.shape, np.int32)
        for spot, color in zip(found, member, strict=True):
            seeds[_seed(labels, spots.places, region, spot, box)] = color + 1
        kept = [color for color in range(len(own)) if (seeds == color + 1).any()]
        first[region] = own[kept[0]]
        if len(kept) < 2:  # spots that lie on each other
            continue
        parts = _split(inside, ink[box], seeds)
        for color in kept[1:]:
            colors.append(own[color])
            divided[box][parts == color + 1] = count + len(colors)
    return divided, np.concatenate((first, np.array(colors, np.float32).reshape(-1, 3)))


def soften(flat: Floats, before: Ints, after: Ints, spots: Spots) -> Floats:
    """Make smooth transitions between the parts of regions that spots have divided.

    The colors diffuse within each region for a while; the spots hold theirs.

    Parameters
    ----------
    flat : ndarray
        Float32 [H, W, 3]: one color in each region of `after`.
    before, after : ndarray
        Int32 [H, W]: the regions before and after `divide`.
    spots : Spots
        The spots that divided them.

    Returns
    -------
    ndarray
        Float32 [H, W, 3]: the same as `flat` in all other regions and on lines.
    """
    soft = flat.copy()
    parts = after != before  # all parts but the first of each divided region
    if not parts.any():
        return soft
    boxes = ndimage.find_objects(before)
    for region in np.nonzero(np.bincount(before[parts]))[0]:
        box = boxes[region - 1]
        inside = before[box] == region
        smooth = _diffuse(flat[box], inside, inside & (spots.places[box] > 0))
        soft[box][inside] = smooth[inside]
    return soft


def _distinct(colors: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the different colors, and which of them each color is."""
    levels = (colors * 255).round()
    _, first, member = np.unique(levels, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # in order of appearance
    return colors[np.sort(first)], order[member.ravel()]


def _claims(labels: Ints, spots: Spots) -> dict[int, list[int]]:
    """Find the spots of each region: indices from 0, in ascending order."""
    marked = spots.places > 0
    stride = int(labels.max()) + 1
    codes = spots.places[marked].astype(np.int64) * stride + labels[marked]
    pairs, counts = np.unique(codes, return_counts=True)
    areas = np.bincount(labels.ravel(), minlength=stride)
    boxes = ndimage.find_objects(spots.places)
    claims: dict[int, list[int]] = {}
    for spot in range(len(spots)):
        here = pairs // stride == spot + 1
        regions, held = pairs[here] % stride, counts[here]
        on_line = held[regions == 0].sum() / held.sum()
        regions, held = regions[regions > 0], held[regions > 0]
        covered = held >= _COVERED * areas[regions]
        if not np.isnan(spots.centers[spot, 0]):
            row, column = spots.centers[spot].astype(int)
            won = _nearest(labels, spots.places, spot, np.s_[row : row + 1, column : column + 1])
        elif len(regions) and held[covered].sum() >= 0.5 * held.sum():
            won = regions[covered].tolist()
        elif on_line >= _ON_LINE:
            won = _nearest(labels, spots.places, spot, boxes[spot])
        else:
            won = regions[covered | (held >= _SHARE * held.sum())].tolist()
        for region in won:
            claims.setdefault(int(region), []).append(spot)
    return claims


def _nearest(labels: Ints, places: Ints, spot: int, box: tuple[slice, slice]) -> list[int]:
    """Find the region that holds most of a spot in a box; where it is on a line, the nearest."""
    limit, reach = _reach(labels), 4
    while True:
        rows, columns = (slice(max(0, s.start - reach), s.stop + reach) for s in box)
        around = labels[rows, columns]
        away, (y, x) = ndimage.distance_transform_edt(around == 0, return_indices=True)
        inner = np.zeros(around.shape, bool)
        inner[
            box[0].start - rows.start : box[0].stop - rows.start,
            box[1].start - columns.start : box[1].stop - columns.start,
        ] = True
        if box[0].stop - box[0].start > 1 or box[1].stop - box[1].start > 1:
            inner &= places[rows, columns] == spot + 1
        if around.any() and away[inner].max() <= reach:
            return [int(np.bincount(around[y, x][inner]).argmax())]
        if reach >= limit:
            return []
        reach = min(2 * reach, limit)


def _seed(labels: Ints, places: Ints, region: int, spot: int, box: tuple[slice, slice]) -> Bools:
    """Return the pixels of a spot in a region, or the nearest ones if it lies on a line.

    The result is for the box around the region.
    """
    seed: Bools = (places[box] == spot + 1) & (labels[box] == region)
    if seed.any():
        return seed
    margin = _reach(labels)
    around = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
    away = ndimage.distance_transform_edt(places[around] != spot + 1)
    rows, columns = (
        slice(s.start - a.start, s.stop - a.start) for s, a in zip(box, around, strict=True)
    )
    away = np.where(labels[box] == region, away[rows, columns], np.inf)
    nearest: Bools = away <= away.min() + 2
    return nearest


def _reach(labels: Ints) -> int:
    """How far a spot on a line may be from the region that it colors, in pixels."""
    return int(max(8, round(_REACH * min(labels.shape))))


def _split(inside: Bools, ink: Floats, seeds: Ints) -> Ints:
    """Divide one region among seeds.

    Parameters
    ----------
    inside : ndarray
        Bool [H, W]: the region.
    ink : ndarray
        [H, W].
    seeds : ndarray
        Int32 [H, W], 1 to k; 0 elsewhere.

    Returns
    -------
    ndarray
        Int32 [H, W], 1 to k in the region, 0 elsewhere.
    """
    cells = _CELLS if seeds.max() <= _MANY else 2 * _CELLS
    step = -(-max(inside.shape) // cells)
    if step > _STEP:  # at a lower resolution first
        step = -(-max(inside.shape) // (cells * _STEP))
        marks = _scatter(seeds, step)
        coarse = _split(_blocks(inside, step), _blocks(np.where(inside, ink, 0), step), marks)
    else:
        bare = (np.where(inside, ink, 1) - _GRAIN).clip(0, 1)
        grid = Grid(inside, bare, step)
        marks = _scatter(seeds, step)
        numbers = np.unique(marks[marks > 0])
        coarse = np.zeros(grid.cells.shape, np.int32)
        coarse[grid.cells] = numbers[cut(grid, [marks == number for number in numbers])]
    rows, columns = (np.arange(n) // step for n in inside.shape)
    parts: Ints = coarse[rows[:, None], columns]
    parts[~inside] = 0
    if step > 1:
        _refine(parts, ink, seeds, coarse, step)
    marked = inside & (seeds > 0)
    parts[marked] = seeds[marked]
    return parts


def _blocks(values: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """Return the maximum of each block of pixels, [⌈H / step⌉, ⌈W / step⌉]."""
    height, width = (-(-n // step) for n in values.shape)
    padding = [(0, n * step - m) for n, m in zip((height, width), values.shape, strict=True)]
    blocks: npt.NDArray[Any] = np.pad(values, padding).reshape(height, step, width, step)
    highest: npt.NDArray[Any] = blocks.max((1, 3))
    return highest


def _scatter(seeds: Ints, step: int) -> Ints:
    """Mark the blocks of pixels that hold a seed; the last pixel wins."""
    height, width = (-(-n // step) for n in seeds.shape)
    rows, columns = np.nonzero(seeds)
    marks = np.zeros((height, width), np.int32)
    marks[rows // step, columns // step] = seeds[rows, columns]
    return marks


def _refine(parts: Ints, ink: Floats, seeds: Ints, coarse: Ints, step: int) -> None:
    """Move the borders between parts, in place, from the sides of blocks to lines, or smooth them.

    Parameters
    ----------
    parts : ndarray
        Int32 [H, W], 1 to k in the region, 0 outside.
    ink, seeds : ndarray
        As for `_split`.
    coarse : ndarray
        Int32 [h, w]: the parts in blocks of `step` × `step` pixels; 0 outside the region.
    step : int
        Side of a block in pixels.
    """
    known = coarse > 0
    highest = ndimage.maximum_filter(coarse, 3)
    lowest = -ndimage.maximum_filter(np.where(known, -coarse, -(2**30)), 3)
    mixed = known & (highest != lowest)
    if not mixed.any():
        return
    ring = ndimage.maximum_filter(mixed, 3)
    box = ndimage.find_objects(ring.astype(np.int32))[0]
    full = tuple(slice(s.start * step, s.stop * step) for s in box)
    here, ink, seeds = parts[full], ink[full], seeds[full]
    rows, columns = (np.arange(n) // step for n in here.shape)
    inside = here > 0
    band = inside & mixed[box][rows[:, None], columns]
    winner, margin = _contour(coarse[box], mixed[box], band, step)
    height = np.zeros(here.shape, np.float32)
    height[band] = ink[band] + _RIDGE * (1 - margin)
    mask = inside & ring[box][rows[:, None], columns]
    markers = np.where(band, seeds, here) * mask
    flooded = watershed((height * 1000).astype(np.int32), markers, mask=mask)[band]
    here[band] = np.where(flooded > 0, flooded, winner)


def _contour(coarse: Ints, mixed: Bools, band: Bools, step: int) -> tuple[Ints, Floats]:
    """Smooth the borders between parts of blocks.

    Returns
    -------
    tuple of ndarray
        For each pixel of `band`: its part, and by how much it belongs to it more than to the
        next one, from 0 on the border to 1.
    """
    weights = ndimage.gaussian_filter((coarse > 0).astype(np.float32), 1)
    best, second = np.zeros((2, *band.shape), np.float32)
    winner = np.zeros(band.shape, np.int32)
    boxes = ndimage.find_objects(coarse)
    for number in np.unique(coarse[mixed]):
        # a part matters within two blocks
        box = tuple(slice(max(0, s.start - 3), s.stop + 3) for s in boxes[number - 1])
        full = tuple(
            slice(max(0, s.start - 2) * step, (s.stop + 2) * step) for s in boxes[number - 1]
        )
        share = ndimage.gaussian_filter((coarse[box] == number).astype(np.float32), 1)
        share /= np.maximum(weights[box], 1e-3)
        here = np.nonzero(band[full])
        places = [
            (axis + f.start + 0.5) / step - 0.5 - b.start
            for axis, f, b in zip(here, full, box, strict=True)
        ]
        value = ndimage.map_coordinates(share, places, order=1, mode="nearest")
        top, next_one = best[full][here], second[full][here]
        better = value > top
        second[full][here] = np.where(better, top, np.maximum(next_one, value))
        best[full][here] = np.where(better, value, top)
        winner[full][here] = np.where(better, number, winner[full][here])
    return winner[band], (best - second)[band]


def _diffuse(flat: Floats, inside: Bools, held: Bools) -> Floats:
    """Diffuse the colors [H, W, 3] of one region, but for pixels that are held."""
    step = -(-max(inside.shape) // _CELLS)
    skip = -(-step // _STEP)  # a few pixels of each cell suffice
    some = inside[::skip, ::skip]
    grid = Grid(some, np.zeros(some.shape, np.float32), -(-step // skip))
    step = grid.step * skip
    colors = grid.means(flat[::skip, ::skip], some)
    kept = _blocks(held, skip)
    fixed = np.zeros(len(grid), bool)
    fixed[grid.means(kept[..., None].astype(np.float32), kept & some)[:, 0] > 0] = True
    known = grid.means(flat[::skip, ::skip], kept & some)[fixed]
    sigma = _SOFTNESS * len(grid) ** 0.5  # cells
    spread = grid.spread()
    for _ in range(round(sigma**2 / 2 / Grid.RATE)):
        colors = spread @ colors
        colors[fixed] = known
    cells = np.zeros((4, *grid.cells.shape), np.float32)
    cells[:3, grid.cells], cells[3] = colors.T, grid.cells
    size = [n * step for n in grid.cells.shape]
    planes = functional.interpolate(torch.from_numpy(cells)[None], size, mode="bilinear")[0]
    planes = planes[:, : inside.shape[0], : inside.shape[1]]
    smooth: Floats = (planes[:3] / planes[3:].clamp(min=1e-6)).permute(1, 2, 0).numpy()
    smooth[held] = flat[held]
    return smooth
