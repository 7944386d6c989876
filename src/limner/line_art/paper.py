"""The paper of a scanned or photographed drawing: where the sheet is, and how light falls on it."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import convex_hull_image

from limner.nn import images

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_SHEET_SIZE = 384  # pixels of the longest side at which the sheet is looked for
_LEAST, _MOST = 0.20, 0.97  # share of the picture that a sheet covers
_SOLID = 0.95  # a sheet fills at least this share of its convex hull
_CORNERS = 6  # a sheet has four corners, or up to six where the picture cuts it
_BARE = 0.65  # at least this share of a sheet is bright
_BARE_OUTSIDE = 0.05  # at most this share of what is outside looks like lit paper
_SAME_HUE = 0.03  # largest difference of red, green and blue, as shares of their sum
_SHADE = 0.33  # of the luma of lit paper: paper in the shade is lighter
_EDGE = 0.012  # of the longest side: how wide the edge of the sheet is
_REACH = 0.035  # of the longest side: half the width of the widest gray line
_WIDE = 0.3  # of the longest side: window in which the light is known to change slowly
_BLACK = 0.35, 0.5  # of the light around: what is darker is ink, what is lighter is shadow


def find_sheet(rgb: Plane) -> Mask | None:
    """Find the sheet of paper in a photographed drawing.

    The sheet is the largest bright component of the blurred picture (threshold of Otsu 1979), with
    what has the same hue in the shade, closed over lines, with its holes filled. It must cover
    20% to 97% of the picture and have the outline of a sheet: convex, with few corners.

    Parameters
    ----------
    rgb : ndarray
        [H, W, 3] in 0..1.

    Returns
    -------
    ndarray or None
        Bool [H, W], without the edge of the sheet; None if there is no sheet, or nothing but it.
    """
    height, width, _ = rgb.shape
    step = images.reduction(_SHEET_SIZE, height, width)
    small = shrink(rgb, step)
    longest = images.page_side(*small.shape[:2])
    if min(small.shape[:2]) < 16:
        return None
    sigma = 0.006 * longest
    color = ndimage.gaussian_filter(small, (sigma, sigma, 0))
    smooth = color @ LUMA
    if np.ptp(smooth) < 0.1:
        return None
    bright = smooth > threshold_otsu(smooth)
    lit = _largest(bright)
    if lit is None:
        return None
    hue = color / np.maximum(color.sum(-1, keepdims=True), 0.05)
    paper, level = np.median(hue[lit & bright], 0), np.median(smooth[lit & bright])
    alike = (np.abs(hue - paper).max(-1) < _SAME_HUE) & (smooth > _SHADE * level)
    shaded = _largest(alike | lit)
    if shaded is None:
        return None
    sheet = shaded
    if shaded.mean() > _MOST:  # all is paper, or the table is as gray as paper in the shade
        if _border(lit).mean() > 0.2:
            return None
        sheet = lit
    if not _is_sheet(sheet) or (bright | alike)[sheet].mean() < _BARE:
        if sheet is lit or not _is_sheet(lit) or bright[lit].mean() < _BARE:
            return None
        sheet = lit
    if smooth[sheet].mean() - smooth[~sheet].mean() < 0.08:
        return None
    # bare paper between dense strokes outside: it is a part of the drawing
    outside = ~ndimage.maximum_filter(sheet, 2 * round(0.03 * longest) + 1)
    hue = small / np.maximum(small.sum(-1, keepdims=True), 0.05)
    lit_paper = (np.abs(hue - paper).max(-1) < _SAME_HUE) & (small @ LUMA > 0.8 * level)
    if outside.any() and lit_paper[outside].mean() > _BARE_OUTSIDE:
        return None
    edge = max(2, round(_EDGE * longest))
    inside = ndimage.minimum_filter(sheet, 2 * edge + 1, mode="constant", cval=1)
    full: Plane = enlarge(inside.astype(np.float32), (height, width), step)
    found: Mask = full > 0.5
    return found


def _largest(mask: Mask) -> Mask | None:
    """Return the largest component of a mask, closed over drawn lines and filled."""
    longest = images.page_side(*mask.shape)
    # a drawn frame must not cut the sheet in two
    labels, count = ndimage.label(_close(mask, round(0.02 * longest)))
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    filled = ndimage.binary_fill_holes(labels == sizes.argmax())
    # tongues of light on the table are no paper
    margin = round(0.03 * longest)
    window = 2 * (margin // 2) + 1
    padded = np.pad(filled, margin, mode="edge")
    opened = ndimage.maximum_filter(ndimage.minimum_filter(padded, window), window)
    found: Mask = opened[margin:-margin, margin:-margin]
    return found if found.any() else None


def _is_sheet(mask: Mask) -> bool:
    """Whether a mask has the size and the outline of a sheet of paper."""
    if not _LEAST <= mask.mean() <= _MOST:
        return False
    hull = convex_hull_image(mask)
    return bool(mask.sum() >= _SOLID * hull.sum()) and _corners(hull) <= _CORNERS


def _border(mask: Mask) -> Mask:
    """Return the values along the border of a mask."""
    return np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def around(sheet: Mask) -> tuple[slice, slice]:
    """Return the rows and the columns that a mask covers."""
    rows, columns = (np.flatnonzero(sheet.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def light_on(luma: Plane, sheet: Mask | None = None) -> Plane:
    """Estimate the luma of bare paper everywhere, through lines and across shadows.

    A morphological closing removes lines and keeps the edges of shadows where they are, so that
    the picture divided by it has neither. What is much darker than the paper around it is ink, and
    takes the light from farther away.

    Parameters
    ----------
    luma : ndarray
        [H, W] in 0..1, dark lines on light paper.
    sheet : ndarray or None
        Bool [H, W], where the paper is.

    Returns
    -------
    ndarray
        [H, W] in 0.05..1.
    """
    longest = images.page_side(*luma.shape)
    reach = max(2, round(_REACH * longest))
    plane = luma if sheet is None else np.where(sheet, luma, 0).astype(np.float32)
    smooth = ndimage.gaussian_filter(plane, min(1.0, longest / 1000))
    # paper goes on a little beyond the border, or the edge of a shadow would bend there
    beyond = round(0.6 * reach)
    padded = np.pad(smooth, beyond)
    window = (2 * reach + 1,) * 2
    light = ndimage.minimum_filter(ndimage.maximum_filter(padded, window), window)
    light = light[beyond : beyond + len(luma), beyond : beyond + luma.shape[1]]
    step = max(1, longest // 128)
    small = shrink(light, step)
    far = 2 * round(_WIDE * images.page_side(*small.shape) / 2) + 1
    wide = ndimage.grey_closing(small, size=(far, far), mode="nearest")
    wide = np.maximum(wide, 0.3 * wide.max())
    wide = enlarge(ndimage.gaussian_filter(wide, far / 8), luma.shape, step)
    low, high = _BLACK
    trust = np.clip((light / np.maximum(wide, 0.01) - low) / (high - low), 0, 1)
    found: Plane = np.maximum(trust * light + (1 - trust) * wide, 0.05).astype(np.float32)
    return found


def shrink(plane: Plane, step: int) -> Plane:
    """Average blocks of ``step`` by ``step`` pixels of a plane [H, W] or a picture [H, W, C].

    Blocks at the right and at the bottom may be cut.
    """
    if step == 1:
        return plane
    channels = torch.from_numpy(np.atleast_3d(plane)).permute(2, 0, 1)[None]
    mean = F.avg_pool2d(channels, step, ceil_mode=True, count_include_pad=False)
    shrunk: Plane = mean[0].permute(1, 2, 0).numpy().reshape(*mean.shape[2:], *plane.shape[2:])
    return shrunk


def enlarge(plane: Plane, size: tuple[int, int], step: int) -> Plane:
    """Undo `shrink`, bilinear: [H, W] of ``size``."""
    if step == 1:
        return plane
    large = plane
    for axis, length in enumerate(size):
        place = (np.arange(length) + 0.5) / step - 0.5
        place = np.clip(place, 0, large.shape[axis] - 1)
        below = np.minimum(place.astype(int), max(0, large.shape[axis] - 2))
        above = np.minimum(below + 1, large.shape[axis] - 1)
        share = (place - below).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        large = (large.take(below, axis) * (1 - share) + large.take(above, axis) * share).astype(
            np.float32
        )
    return large


def _close(mask: Mask, radius: int) -> Mask:
    """Close a mask with a square; the picture goes on beyond its border."""
    padded = np.pad(mask, radius, mode="edge")
    window = (2 * radius + 1,) * 2
    closed = ndimage.minimum_filter(ndimage.maximum_filter(padded, window), window)
    found: Mask = closed[radius:-radius, radius:-radius]
    return found


def _corners(hull: Mask) -> int:
    """Count the corners of a convex mask, with a tolerance of 2% of its size."""
    padded = np.pad(hull, 1)
    outline = padded & ~ndimage.binary_erosion(padded)
    points = np.argwhere(outline)
    middle = points.mean(0)
    order = np.argsort(np.arctan2(*(points - middle).T))
    polygon = points[np.append(order, order[0])]
    # start at a corner: the point farthest from the middle
    start = int(np.hypot(*(polygon[:-1] - middle).T).argmax())
    polygon = np.roll(polygon[:-1], -start, axis=0)
    polygon = np.append(polygon, polygon[:1], axis=0)
    # here, because it imports scipy.signal, which takes half a second
    from skimage.measure import approximate_polygon

    return len(approximate_polygon(polygon, 0.02 * max(hull.shape))) - 1
