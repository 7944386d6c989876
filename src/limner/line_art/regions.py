"""Split a line drawing into regions that small gaps in its lines do not join."""

import math
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed
from torch.nn import functional

from limner import io
from limner.checks import check_range
from limner.io import Source
from limner.line_art.drawing import read_drawing
from limner.nn import images

MAX_GAP = 64  # pixels

_MAX_SIDE = 2048  # pixels: regions of larger drawings are found in a reduced copy
_UNIT = 512  # lengths below are pixels of a drawing whose longest side is this
_GAP = 8  # the default
_THIN = 8  # wider pieces are regions, whatever their shape
_ACROSS = 3  # a narrower closed piece, or a smaller one than its square, is part of the line
_DOUBLE = 5  # a wider strip is not the inside of a doubled line
_LINE = 6  # two thin pieces that are this near to each other are only a line apart
_WASH = 12  # wider gray areas are shade, not lines
_HALO = 6  # this near to a strong line ...
_SKIRT = 0.2  # ... fainter ones, relative to it, are its skirt or an artifact
_BLACK = 0.6  # ink that is a line, however wide
_FAINT = 0.06  # the least ink over its surroundings that makes a line
_SPECK = 8  # pixels of the smallest stroke
_STRIP = 3.0  # area over squared width of a strip
_STROKE = 7.0  # the same between the strokes of a hatching; the teeth of a mouth are shorter
_ROOM = 1.25  # a tube about as wide as a ball is not cut where the ball gets through
_BULB = 1.6  # a piece behind a neck is a region of its own if it is this many times as wide
_STRIPS = 3  # so many strips side by side are hatching
_MANY = 8  # so many small pieces side by side are a texture if it opens to a region
_CELLS = 40  # so many are one even if closed

_Any = TypeVar("_Any", bound=np.generic)
_Ink = NDArray[np.float32]
_Labels = NDArray[np.int32]
_Mask = NDArray[np.bool_]
_Floats = NDArray[np.float32]
_Squares = NDArray[np.int16]


def regions(drawing: Source, *, gap: int | None = None, allow_huge: bool = False) -> _Labels:
    """Split a line drawing into regions, as for flat colors.

    Parameters
    ----------
    drawing : str, path or PIL image
        The line drawing.
    gap : int
        Gaps in lines up to this many pixels, from 0 to 64, do not join regions; 0 closes none.
        Default: 8 for a drawing with a longest side of 512 pixels, and in proportion.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.

    Returns
    -------
    ndarray
        Int32 [H, W]: 0 on lines, 1 to n in the regions.

    Raises
    ------
    InputError
        The drawing cannot be read, or has no lines.
    OptionError
        The gap is out of its range.
    """
    check_range("gap", gap, 0, MAX_GAP)
    picture = io.read(drawing, allow_huge=allow_huge)
    ink = read_drawing(picture, force=True).ink
    return find_regions(ink[0, 0].numpy(), gap)


def find_regions(ink: _Ink, gap: int | None = None) -> _Labels:
    """Split a drawing into regions with trapped balls (Zhang et al. 2009, section 4).

    Balls roll about between the lines, the largest first; gaps narrower than a ball do not let it
    through. What no ball reaches goes to the region it opens to. Hatching belongs to the region
    around it, the strip between doubled lines to the line.

    Parameters
    ----------
    ink : ndarray
        Float32 [H, W], from 0 (paper) to 1 (line).
    gap : int
        Gaps in lines up to this many pixels do not join regions. Default: 8 for a drawing with a
        longest side of 512 pixels, and in proportion.

    Returns
    -------
    ndarray
        Int32 [H, W]: 0 on lines, 1 to n in the regions.
    """
    step = images.reduction(_MAX_SIDE, *ink.shape)
    width = _GAP * images.page_side(*ink.shape) / _UNIT if gap is None else float(gap)
    small = _reduce(ink, step)
    scale = images.page_side(*small.shape) / _UNIT
    labels = _Finder(small, scale, width / step).find()
    return _numbered(labels if step == 1 else _refine(labels, ink, small, step, scale))


def cover_lines(labels: _Labels, ink: _Ink) -> _Labels:
    """Give each pixel of a line to the region it borders on, so that colors meet under the line.

    Parameters
    ----------
    labels : ndarray
        Int32 [H, W]: 0 on lines, 1 to n in the regions.
    ink : ndarray
        Float32 [H, W], from 0 (paper) to 1 (line). Regions meet where the line is darkest; within
        black, in its middle.

    Returns
    -------
    ndarray
        Int32 [H, W] from 1 to n. All 1 if there is no region.
    """
    bare = labels == 0
    if bare.all():
        return np.ones_like(labels)
    levels = (ink * 16).astype(np.uint8)  # few levels: the grain of the ink must not fray borders
    return _grow(labels, bare, levels)


class _Finder:
    """Finds the regions of one drawing; `scale` is pixels per unit, `gap` is in pixels."""

    def __init__(self, ink: _Ink, scale: float, gap: float) -> None:
        self.paper = ~_find_lines(ink, scale)
        self.thin = max(3.0, _THIN * scale)  # pixels
        self.across = max(2.0, _ACROSS * scale)
        self.double = _DOUBLE * scale
        self.margin = math.ceil(_LINE * scale / 2)
        # a line's soft end is up to a pixel shorter than it looks
        self.radius = gap / 2 + 1 if gap else 0.0
        self.reach = math.ceil(max(_ROOM * self.radius, self.thin / 2)) + 1
        self.depth = _squared_distance(~self.paper, self.reach)

    def find(self) -> _Labels:
        """Return the labels, with holes in the numbering."""
        closed, count = ndimage.label(self.paper)
        if not self.radius:
            return self._sort_small(closed)
        seeds = self._trap_balls()
        # a piece without a seed is a region, one with a single seed belongs to it
        most = int(seeds.max())
        home = np.zeros(most + 1, np.int32)
        home[seeds.ravel()] = closed.ravel()
        held = np.bincount(home[1:], minlength=count + 1)
        number = np.arange(most, most + count + 1, dtype=np.int32)
        number[home[1:]] = np.arange(1, most + 1)
        number[held > 1] = 0
        number[0] = 0
        labels = number[closed]
        if held.max() > 1:
            shared = self.paper & (labels == 0)
            labels += np.where(shared, seeds, 0)
            # flooded from the widest places to the narrowest: regions meet in the gaps
            labels = _grow(
                labels, shared & (seeds == 0), self.reach**2 + 2 * self.reach - self.depth
            )
        return self._sort_small(labels)

    def _trap_balls(self) -> _Labels:
        """Label where the centers of balls can be; a smaller ball counts where no larger one is."""
        labels = np.zeros(self.paper.shape, np.int32)
        radius = self.radius
        while radius >= 1.5:
            room, count = ndimage.label(self.depth > radius**2)
            new = np.ones(count + 1, bool)
            new[room[labels > 0]] = False
            new[0] = False
            top = radius == self.radius
            wide = np.zeros(count + 1, bool)
            wide[room[self.depth > (radius * (_ROOM if top else _BULB)) ** 2]] = True
            new &= wide
            if not top and new.any():
                area, width = self._measure(room, new)
                # the pieces lost a margin on every side
                area *= width / np.maximum(width - 2 * radius, 1)
                strip = (width <= self.thin) & (area > _STRIP * width**2)
                new &= ~strip & (area >= 3 * self.across**2)
            if new.any():
                number = np.cumsum(new, dtype=np.int32) + labels.max()
                number[~new] = 0
                labels += number[room]
            radius /= 2
        return labels

    def _measure(self, labels: _Labels, chosen: _Mask) -> tuple[_Floats, _Floats]:
        """Return the area and the width of the chosen regions, in pixels."""
        inside = chosen[labels]
        numbers = labels[inside]
        deepest = np.zeros(len(chosen), np.int16)
        np.maximum.at(deepest, numbers, self.depth[inside])
        area = np.bincount(numbers, minlength=len(chosen)).astype(np.float32)
        return area, np.where(chosen, 2 * np.sqrt(deepest.astype(np.float32)) - 0.5, 0)

    def _sort_small(self, labels: _Labels) -> _Labels:
        """Join hatching, and drop the strips between doubled lines."""
        small = np.ones(int(labels.max()) + 1, bool)
        small[labels[self.depth > ((self.thin + 1) / 2) ** 2]] = False
        small[0] = False
        if not small.any():
            return labels
        area, width = self._measure(labels, small)
        strip = small & (area > _STRIP * width**2) & (width <= self.double)
        stroke = small & (area > _STROKE * width**2)
        tiny = small & ((width < self.across) | (area < self.across**2))
        target = np.arange(len(small), dtype=np.int32)
        target[strip | tiny] = 0
        if strip.sum() >= _STRIPS or small.sum() >= _MANY:
            self._join_textures(labels, small & ~tiny, stroke, target)
        return target[labels]

    def _join_textures(
        self, labels: _Labels, small: _Mask, stroke: _Mask, target: NDArray[np.int32]
    ) -> None:
        """Let many small pieces side by side be one region, or part of the one around them.

        `stroke` marks the long ones. `target` is what each label becomes; it is changed.
        """
        near = _squared_distance(small[labels], self.margin) <= self.margin**2
        groups, count = ndimage.label(near)
        reach = self.margin + 0.75 * self.thin  # wider than one piece
        wide = np.zeros(count + 1, bool)
        wide[groups[_squared_distance(~near, math.ceil(reach)) > reach**2]] = True
        wide[0] = False
        home = np.zeros(len(small), np.int32)  # the group of each small piece
        home[labels.ravel()] = groups.ravel()
        home[~small] = 0
        strips = np.bincount(home[stroke], minlength=count + 1)
        pieces = np.bincount(home[small], minlength=count + 1)
        texture = wide & ((strips >= _STRIPS) | (pieces >= _MANY))
        short = np.flatnonzero(wide[home] & ~stroke)  # side by side, such as teeth
        target[short] = short
        members = np.flatnonzero(texture[home])
        if len(members) == 0:
            return
        owner = self._owners(labels, np.where(texture[groups], groups, 0), count, small)
        first = np.zeros(count + 1, np.int32)
        first[home[members[::-1]]] = members[::-1]
        first[(strips < _STRIPS) & (pieces < _CELLS)] = 0  # closed cells stay apart
        joined = np.where(owner > 0, owner, first)[home[members]]
        target[members] = np.where(joined > 0, joined, target[members])

    def _owners(
        self, labels: _Labels, groups: _Labels, count: int, small: _Mask
    ) -> NDArray[np.int32]:
        """Find the region that the hatching around each group opens to; 0 for none."""
        rim = (groups > 0) & self.paper & ~small[labels]
        # of a region's rim, hatching is what no ball reaches
        reach = self.thin / 2
        ball = _squared_distance(self.depth > reach**2, math.ceil(reach)) <= reach**2
        total = np.bincount(groups[rim], minlength=count + 1)
        thin = rim & ~ball
        stride = len(small)
        pairs, counts = np.unique(
            groups[thin].astype(np.int64) * stride + labels[thin], return_counts=True
        )
        owner = np.zeros(count + 1, np.int32)
        enough = counts > 0.5 * total[pairs // stride]
        owner[pairs[enough] // stride] = pairs[enough] % stride
        return owner


def _find_lines(ink: _Ink, scale: float) -> _Mask:
    """Tell lines from paper, shade and specks: true on lines."""
    found = ink > _threshold(ink, scale)
    strokes, count = ndimage.label(found, np.ones((3, 3)))
    area = np.bincount(strokes.ravel(), minlength=count + 1)
    kept = area >= _SPECK * max(scale, 0.5) ** 2
    kept[0] = False
    result: _Mask = kept[strokes]
    return result


def _threshold(ink: _Ink, scale: float) -> _Ink:
    """Return the ink [H, W] above which there is a line, as opposed to shade, noise and halos."""
    plane = (ink * 255).astype(np.uint8)
    side = 2 * math.ceil(_WASH * scale / 2) + 1
    smooth = ndimage.uniform_filter(plane, 3)  # or else the opening follows the grain
    # the wider second window makes up for the blur
    shade = ndimage.maximum_filter(ndimage.minimum_filter(smooth, side), side + 2)
    strongest = ndimage.maximum_filter(plane, 2 * math.ceil(_HALO * scale) + 1)
    # three quarters of a drawing are paper, or nearly
    over = (plane[::2, ::2] - shade[::2, ::2]).ravel()
    noise = float(np.partition(over, len(over) * 3 // 4)[len(over) * 3 // 4]) / 255
    faint = min(max(_FAINT, 3 * noise), 3 * _FAINT)
    least = np.maximum(faint * 255, strongest * np.float32(_SKIRT)) + shade
    result: _Ink = (np.minimum(least, _BLACK * 255) / 255).astype(np.float32)
    return result


def _squared_distance(mask: _Mask, reach: int) -> _Squares:
    """Measure the squared distance to the mask, exactly up to `reach`; beyond, it is a limit.

    Much faster than an unlimited transform for the few pixels that are needed here.
    """
    limit = (reach + 1) ** 2
    result = np.where(mask, np.int16(0), np.int16(limit))
    for axis in (0, 1):
        start = np.ascontiguousarray(result.swapaxes(0, axis))
        result = start.copy()
        for shift in range(1, min(reach, len(start) - 1) + 1):
            further = start + np.int16(shift**2)
            np.minimum(result[shift:], further[:-shift], out=result[shift:])
            np.minimum(result[:-shift], further[shift:], out=result[:-shift])
        result = result.swapaxes(0, axis)
    return np.minimum(result, np.int16(limit))


def _grow(labels: _Labels, free: _Mask, levels: NDArray[np.generic] | None) -> _Labels:
    """Let regions grow into free pixels, lowest levels first; unreached ones stay 0."""
    if not free.any():
        return labels
    rim = np.zeros_like(free)  # what borders on free pixels: the rest need not be flooded
    rim[1:] = free[:-1]
    rim[:-1] |= free[1:]
    rim[:, 1:] |= free[:, :-1]
    rim[:, :-1] |= free[:, 1:]
    rim &= ~free & (labels > 0)
    image = np.zeros(labels.shape, np.uint8) if levels is None else levels
    grown = watershed(image, labels * rim, mask=free | rim)
    return np.where(free, grown, labels).astype(np.int32)


def _numbered(labels: _Labels) -> _Labels:
    """Number regions from 1 without holes."""
    used = np.bincount(labels.ravel()) > 0
    used[0] = False
    number = np.cumsum(used, dtype=np.int32)
    number[~used] = 0
    return number[labels]


def _reduce(ink: _Ink, step: int) -> _Ink:
    """Reduce ink by a whole number; lines stay as dark as they are."""
    if step == 1:
        return ink
    plane = torch.from_numpy(ink)[None, None]
    return functional.max_pool2d(plane, step, ceil_mode=True)[0, 0].numpy()


def _refine(labels: _Labels, ink: _Ink, small: _Ink, step: int, scale: float) -> _Labels:
    """Enlarge labels that were found in reduced ink; borders follow the full-size ink."""
    height, width = ink.shape

    def enlarge(plane: NDArray[_Any]) -> NDArray[_Any]:
        return plane.repeat(step, 0)[:height].repeat(step, 1)[:, :width]

    lined = ndimage.binary_dilation(labels == 0, np.ones((3, 3)))
    full = enlarge(labels)
    near = enlarge(lined)
    line = near & (ink > enlarge(_threshold(small, scale)))
    full[line] = 0
    free = near & ~line & (full == 0)
    return _grow(full, free, None)
