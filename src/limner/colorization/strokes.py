"""Find the color strokes of a picture of hints: connected areas of nearly one color."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

_FAINT = 0.1  # opacity up to which a pixel is bare
_COLORED = 0.1  # difference between the largest and the smallest channel of a clear color
_DIFFERENT = 0.1  # largest difference of a channel between a hint and the drawing under it
_RINGING = 0.15  # colorfulness of a JPEG's artifacts, as a share of the stroke's beside them
_BLOCK = 17  # pixels: an artifact is within a JPEG block of its stroke, on either side
_SAME = 0.15  # distance in RGB up to which touching pixels have one color
_MAX_CLASSES = 256  # colors that are told apart where strokes touch
_BETWEEN = 0.12  # distance in RGB of a mixed color from the line between its two parts
_SOLID = 0.75  # of a stroke's strongest pixel: weaker ones do not count for its color
_EDGE = 5  # pixels: the soft edge of a stroke is within a window of this size
_SPECK = 4  # pixels: smaller pieces of an opaque picture are no strokes
_ARTIFACT = 0.15  # a tint of a stroke beside it is noise if it is smaller than this share of it
_LINE = 1 / 64  # of the short side: the widest line that a stroke goes on behind


def find_opaque(rgb: Floats, alpha: Floats, drawn: Floats) -> Floats:
    """Measure how clearly each pixel of a transparent picture is a hint: its alpha, or 0.

    The soft edge of a stroke does not count. Nor do the lines of the drawing, if the picture
    holds a copy of them.

    Parameters
    ----------
    rgb, drawn : ndarray
        Hints and drawing, [h, w, 3] in 0..1.
    alpha : ndarray
        [h, w], from 0 (transparent) to 1.

    Returns
    -------
    ndarray
        Float32 [h, w].
    """
    marked = alpha > _FAINT
    dark = drawn.mean(2) < 0.5
    shown = rgb * alpha[..., None] + 1 - alpha[..., None]
    copied = dark & marked & (_distance(shown, drawn) < 2 * _DIFFERENT)
    if copied.sum() > 0.5 * dark.sum():
        gray = rgb.max(2) - rgb.min(2) < _COLORED
        marked &= ~(gray & ndimage.maximum_filter(copied, _EDGE))
    areas, count = label(marked, connectivity=2, return_num=True)
    members, opacity = areas[marked], alpha[marked]
    strength = np.zeros(alpha.shape, np.float32)
    solid = opacity >= 0.5 * _largest(opacity, members, count)[members]
    strength[marked] = np.where(solid, opacity, 0)
    return strength


def find_colored(rgb: Floats, drawn: Floats) -> Floats:
    """Measure how clearly each pixel of an opaque picture is a hint: its colorfulness, or 0.

    Parameters
    ----------
    rgb, drawn : ndarray
        Hints and drawing, [h, w, 3] in 0..1.

    Returns
    -------
    ndarray
        Float32 [h, w]: the difference between the largest and the smallest channel, on a page
        whose paper is made white.
    """
    page = np.median(rgb[::4, ::4].reshape(-1, 3), 0)
    if page.min() < 0.6:  # not paper: most of the picture is colored
        page[:] = 1
    red, green, blue = ((rgb[..., i] / page[i]).clip(0, 1) for i in range(3))
    largest, smallest = np.maximum(red, green), np.minimum(red, green)
    strength: Floats = np.maximum(largest, blue) - np.minimum(smallest, blue)
    strength[_distance(rgb, drawn) < _DIFFERENT] = 0
    strength[strength < _COLORED] = 0
    if strength.any():
        strength[strength < _RINGING * ndimage.maximum_filter(strength, _BLOCK)] = 0
    return strength


def find_strokes(rgb: Floats, strength: Floats, drawn: Floats | None = None) -> tuple[Ints, Floats]:
    """Number the strokes of a picture of hints.

    Parameters
    ----------
    rgb : ndarray
        The hints, [h, w, 3] in 0..1.
    strength : ndarray
        [h, w]: how clearly a pixel is a hint; 0 for none.
    drawn : ndarray or None
        The drawing under opaque hints, [h, w, 3]; None for hints on transparency.

    Returns
    -------
    tuple of ndarray
        The strokes, int32 [h, w], 0 for none, 1 to n; and their colors, float32 [n, 3].
    """
    whole = np.zeros(strength.shape, np.int32)
    if not strength.any():
        return whole, np.zeros((0, 3), np.float32)
    rows, columns = np.nonzero(strength.any(1))[0], np.nonzero(strength.any(0))[0]
    part = np.s_[max(0, rows[0] - 1) : rows[-1] + 2, max(0, columns[0] - 1) : columns[-1] + 2]
    rgb, strength = rgb[part], strength[part]
    classes = _classify(rgb, strength > 0)
    pieces = label(classes, background=0, connectivity=2).astype(np.int32)
    inner = _is_inner(pieces)
    colors = _median_colors(rgb, strength, pieces, inner)
    kept = _drop_edges(pieces, inner, strength, colors, opaque=drawn is not None)
    pieces, colors = kept[pieces], colors[kept[1:] > 0]
    if drawn is not None and len(colors):
        inner = _is_inner(pieces)
        pieces = _join(pieces, colors, inner, drawn[part], min(whole.shape))
        inner = _is_inner(pieces)
        colors = _median_colors(rgb, strength, pieces, inner)
    whole[part] = pieces
    return whole, colors


def _classify(rgb: Floats, marked: npt.NDArray[np.bool_]) -> Ints:
    """Give each marked pixel the number of its color, int32 [h, w]: 0 if it is not marked.

    The most frequent color takes everything near it, then the most frequent of what is left.
    """
    values = rgb[marked]
    codes = (values * 31.999).astype(np.int64) @ np.array([1024, 32, 1])
    bins, member, counts = np.unique(codes, return_inverse=True, return_counts=True)
    sums = [np.bincount(member, channel, len(bins)) for channel in values.T]
    means = np.stack(sums, 1) / counts[:, None]  # [bins, 3]
    number = np.zeros(len(bins), np.int32)
    centers: list[npt.NDArray[np.float64]] = []
    left = counts.copy()
    while left.any() and len(centers) < _MAX_CLASSES:
        centers.append(means[left.argmax()])
        near = (left > 0) & (np.linalg.norm(means - centers[-1], axis=1) < _SAME)
        near[left.argmax()] = True
        number[near] = len(centers)
        left[near] = 0
    for index in np.nonzero(left)[0]:
        number[index] = 1 + np.linalg.norm(np.array(centers) - means[index], axis=1).argmin()
    classes = np.zeros(marked.shape, np.int32)
    classes[marked] = number[member]
    return classes


def _is_inner(pieces: Ints) -> npt.NDArray[np.bool_]:
    """Find the pixels whose eight neighbors are all of the same piece, bool [h, w]."""
    same = ndimage.maximum_filter(pieces, 3) == ndimage.minimum_filter(pieces, 3)
    inner: npt.NDArray[np.bool_] = (pieces > 0) & same
    return inner


def _median_colors(
    rgb: Floats, strength: Floats, pieces: Ints, inner: npt.NDArray[np.bool_]
) -> Floats:
    """Return the median color of each piece, [n, 3]: of its inner pixels, or of its strongest."""
    count = int(pieces.max())
    marked = pieces > 0
    members, weights, values = pieces[marked], strength[marked], rgb[marked]
    weights /= _largest(weights, members, count)[members]
    is_core = inner[marked] & (weights >= _SOLID)
    has_inner = np.bincount(members[is_core], minlength=count + 1) > 0
    solid = np.where(has_inner[members], is_core, weights >= _SOLID)
    members, values = members[solid], values[solid]
    order = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[order], np.arange(2, count + 1))
    groups = np.split(values[order], starts)
    return np.array([np.median(group, 0) for group in groups], np.float32).reshape(-1, 3)


def _drop_edges(
    pieces: Ints,
    inner: npt.NDArray[np.bool_],
    strength: Floats,
    colors: Floats,
    *,
    opaque: bool,
) -> Ints:
    """Renumber pieces without those that are the blurred edge or the noise of another stroke.

    Returns
    -------
    ndarray
        Int32 [n + 1]: the new number of each piece, 0 for dropped ones.
    """
    count = len(colors)
    marked = pieces > 0
    members = pieces[marked]
    areas = np.bincount(members, minlength=count + 1)[1:]
    cores = np.bincount(pieces[inner], minlength=count + 1)[1:]
    depth = ndimage.distance_transform_cdt(np.pad(inner, 1), "chessboard")[1:-1, 1:-1]
    depths = _largest(depth[marked].astype(np.float32), members, count)[1:]
    rank = cores * 1e3 + np.bincount(members, strength[marked], count + 1)[1:]
    around = ndimage.maximum_filter(inner, _EDGE)[marked]
    beside = np.bincount(members, around, count + 1)[1:] / areas  # share at another's edge
    dropped = (areas < _SPECK) & opaque
    small, large = _by_rank(_touching(pieces), rank)
    apart = np.linalg.norm(colors[small] - colors[large], axis=1)
    mixed = opaque & _is_between(colors[small], colors[large])
    edge = (cores[large] > 0) & (beside[small] > 0.5)
    thin = (cores[small] == 0) & (edge | (mixed & (cores[large] == 0)))
    noisy = (apart < 1.5 * _SAME) & (areas[small] < 0.25 * areas[large])
    blurred = mixed & (depths[small] <= 0.5 * depths[large])
    dropped[small[thin | noisy | blurred]] = True
    if opaque:  # artifacts may lie apart from their stroke
        left = np.concatenate(([0], np.where(dropped, 0, np.arange(1, count + 1))))
        away, grown = _grow(left[pieces])
        strongest = _largest(strength[marked], members, count)[1:]
        small, large = _by_rank(_touching(np.where(away <= _BLOCK // 4, grown, 0)), rank)
        weak = strongest[small] < 0.5 * strongest[large]
        tint = (cores[small] == 0) | _is_between(colors[small], colors[large])
        share = areas[small] / areas[large]
        speck = (cores[small] == 0) & (share < _ARTIFACT / 3)
        dropped[small[speck | (weak & tint & (share < _ARTIFACT))]] = True
    kept = ~dropped
    return np.concatenate(([0], np.cumsum(kept) * kept)).astype(np.int32)


def _touching(pieces: Ints) -> npt.NDArray[np.int64]:
    """Return the pairs of pieces that touch, [pairs, 2], as indices from 0, each pair once."""
    pairs = []
    height, width = pieces.shape
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left, right = max(0, -across), width - max(0, across)
        one = pieces[: height - down, left:right]
        other = pieces[down:, left + across : right + across]
        meets = (one != other) & (one > 0) & (other > 0)
        pairs.append(np.stack((one[meets], other[meets]), 1))
    first, second = np.sort(np.concatenate(pairs).astype(np.int64), 1).T - 1
    base = int(pieces.max()) + 1
    return np.stack(np.divmod(np.unique(first * base + second), base), 1)


def _by_rank(pairs: npt.NDArray[np.int64], rank: Floats) -> npt.NDArray[np.int64]:
    """Put the one of lower rank first in each pair; return [2, pairs]."""
    swapped = rank[pairs[:, 1]] < rank[pairs[:, 0]]
    return np.where(swapped[:, None], pairs[:, ::-1], pairs).T


def _grow(pieces: Ints) -> tuple[Floats, Ints]:
    """Return the distance to the nearest piece in pixels, and its number; both [h, w]."""
    away, (rows, columns) = ndimage.distance_transform_edt(pieces == 0, return_indices=True)
    return away, pieces[rows, columns]


def _is_between(colors: Floats, ends: Floats) -> npt.NDArray[np.bool_]:
    """Whether each color, [n, 3], is a mixture of white and its end."""
    along, offsets = ends - 1, colors - 1
    share = (offsets * along).sum(1) / np.maximum((along**2).sum(1), 1e-6)
    rest = offsets - share.clip(0, 1)[:, None] * along
    between: npt.NDArray[np.bool_] = np.linalg.norm(rest, axis=1) < _BETWEEN
    return between


def _join(
    pieces: Ints, colors: Floats, inner: npt.NDArray[np.bool_], drawn: Floats, short: int
) -> Ints:
    """Join pieces of one color that a line of the drawing cuts apart, and bits of a thin stroke.

    ``short`` is the short side of the whole picture, in pixels.
    """
    count = len(colors)
    thin = np.bincount(pieces[inner], minlength=count + 1)[1:] == 0
    reach = max(_EDGE, round(_LINE / 2 * short))  # pixels, from either side
    away, grown = _grow(pieces)
    dark = (away <= reach) & (drawn.mean(2) < 0.6)
    behind = np.where((pieces > 0) | dark, grown, 0)
    torn = np.where(away <= _EDGE, grown, 0)
    same = []
    for areas, tolerance, only_thin in ((behind, 0.5, False), (torn, 2, True)):
        ones, others = _touching(areas).T
        apart = np.linalg.norm(colors[ones] - colors[others], axis=1)
        near = (apart < tolerance * _SAME) & ((not only_thin) | (thin[ones] & thin[others]))
        same.append((ones[near], others[near]))
    ones, others = np.concatenate(same, 1)
    links = coo_array((np.ones(len(ones)), (ones, others)), (count, count))
    numbers = connected_components(links, directed=False)[1] + 1
    joined: Ints = np.concatenate(([0], numbers)).astype(np.int32)[pieces]
    return joined


def _largest(values: Floats, members: Ints, count: int) -> Floats:
    """Return the largest value of each member from 0 to count, [count + 1]; 0 for none."""
    largest = np.zeros(count + 1, np.float32)
    np.maximum.at(largest, members, values)
    return largest


def _distance(one: Floats, other: Floats) -> Floats:
    """Return the largest difference of a channel, [h, w]."""
    red, green, blue = (np.abs(one[..., i] - other[..., i]) for i in range(3))
    largest: Floats = np.maximum(np.maximum(red, green), blue)
    return largest
