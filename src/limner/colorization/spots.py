"""Color spots: hints as numbered places with one exact color each, from pictures or from text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch.nn import functional

from limner.color.names import parse_color
from limner.colorization.strokes import find_colored, find_opaque, find_strokes
from limner.errors import OptionError, printable
from limner.io import Picture, on_white
from limner.nn import images

MAX_SPOTS = 1000
Point = tuple[tuple[float, float], str]  # (x, y) in pixels of the upright drawing, and a color

_WORK = 1536  # pixels of the longest side at which strokes are looked for, at most
_ASPECT = 0.02  # by how much the aspect ratio of hints may differ from the drawing's
_BARE = 1e-3  # share of transparent pixels from which a picture counts as transparent
_DISC = 1 / 128  # radius of a point's disc, as a share of the short side


@dataclass(frozen=True, eq=False)
class Spots:
    """Color hints on a drawing.

    Attributes
    ----------
    places : ndarray
        Int32 [H, W], of the drawing's size: 0 where there is no hint, k in spot k (1 to n).
    colors : ndarray
        Float32 [n, 3], sRGB in 0..1: the color of spot k is ``colors[k - 1]``.
    centers : ndarray
        Float32 [n, 2]: row and column of a spot that is a point, NaN for a stroke. A point colors
        the region under it alone, whatever its disc touches.
    """

    places: npt.NDArray[np.int32]
    colors: npt.NDArray[np.float32]
    centers: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of spots."""
        return len(self.colors)


def read_spots(hints: Picture, drawing: Picture, option: str = "--hints") -> Spots:
    """Read the strokes of a picture of hints.

    On a transparent picture, everything opaque is a hint, also white, gray and black. On an opaque
    picture, such as a copy of the drawing or a white page, only pixels that are clearly colored
    and differ from the drawing are hints.

    Parameters
    ----------
    hints : Picture
        Of the aspect ratio of the drawing; of any size.
    drawing : Picture
        The drawing.
    option : str
        The option as it was typed, for error messages.

    Returns
    -------
    Spots
        One for each stroke. A stroke is a connected area of nearly one color. Its color is the
        median of its inner pixels, so a plain color is exact.

    Raises
    ------
    OptionError
        The hints have another aspect ratio, hold no color, or more than `MAX_SPOTS` strokes.
    """
    name = f"{option} {printable(hints.name)}"
    size = images.size_of(drawing.rgb)
    _check_shape(images.size_of(hints.rgb), size, name)
    step = images.reduction(_WORK, *images.size_of(hints.rgb))
    rgb, alpha = hints.rgb[..., ::step, ::step], hints.alpha
    drawn = on_white(drawing)
    if images.size_of(drawn) != images.size_of(hints.rgb):
        drawn = functional.interpolate(drawn, images.size_of(rgb), mode="area")
    else:
        drawn = drawn[..., ::step, ::step]
    under = drawn[0].permute(1, 2, 0).numpy()  # [h, w, 3]
    if alpha is not None and float((alpha < 0.5).float().mean()) > _BARE:
        colors = rgb[0].permute(1, 2, 0).numpy()
        strength = find_opaque(colors, alpha[0, 0, ::step, ::step].numpy(), under)
        if not strength.any():
            raise OptionError(
                f"{name}: is empty; paint a stroke of color wherever you want that color"
            )
        strokes, found = find_strokes(colors, strength)
    else:
        colors = on_white(hints)[0, :, ::step, ::step].permute(1, 2, 0).numpy()
        strength = find_colored(colors, under)
        strokes, found = find_strokes(colors, strength, under)
        if not len(found):
            raise OptionError(
                f"{name}: holds no color; paint strokes of color on a copy of the drawing or on a "
                "transparent picture (white, gray and black count on a transparent one only)"
            )
    if len(found) > MAX_SPOTS:
        raise OptionError(
            f"{name}: holds {len(found)} patches of color, more than {MAX_SPOTS}; paint a few "
            "strokes, each in one plain color"
        )
    return _compact(_to_size(strokes, size), found, np.full((len(found), 2), np.nan, np.float32))


def parse_spots(points: str | Sequence[str | Point], size: tuple[int, int]) -> Spots:
    """Read hints that are points with a color.

    Parameters
    ----------
    points : str or sequence
        ``"x,y=#rrggbb"``, or several such texts, or pairs ``((x, y), "#rrggbb")``. The pixels are
        those of the upright drawing; 0, 0 is at the top left. Color names work too.
    size : tuple of int
        Height and width of the drawing.

    Returns
    -------
    Spots
        One disc for each point. Where discs overlap, each pixel goes to the nearest point, and of
        points at the same place the last one wins.

    Raises
    ------
    OptionError
        A point is outside the drawing, or a text is no point or no color.
    """
    height, width = size
    radius = max(1.0, min(size) * _DISC)  # pixels
    reach = math.ceil(radius)
    places = np.zeros(size, np.int32)
    nearest = np.full(size, np.inf, np.float32)  # squared distance to the point
    colors, centers = [], []
    for number, point in enumerate([points] if isinstance(points, str) else points, 1):
        x, y, color = _parse_point(point, size)
        column, row = int(x), int(y)
        top, left = max(0, row - reach), max(0, column - reach)
        part = np.s_[top : row + reach + 1, left : column + reach + 1]
        rows, columns = np.ogrid[top : min(height, row + reach + 1), left:width]
        columns = columns[:, : column + reach + 1 - left]
        distance = (rows - row) ** 2 + (columns - column) ** 2
        covered = (distance <= radius**2) & (distance <= nearest[part])
        places[part][covered] = number
        nearest[part][covered] = distance[covered]
        colors.append(color)
        centers.append((row, column))
    return _compact(
        places,
        np.array(colors, np.float32).reshape(-1, 3),
        np.array(centers, np.float32).reshape(-1, 2),
    )


def join(first: Spots, second: Spots) -> Spots:
    """Put the spots of `second` over those of `first`. Spots that are wholly covered are dropped.

    Both are of the same drawing.
    """
    assert first.places.shape == second.places.shape, (first.places.shape, second.places.shape)
    if not len(first) or not len(second):
        return second if len(second) else first
    above = np.where(second.places > 0, second.places + len(first), first.places)
    return _compact(
        above.astype(np.int32),
        np.concatenate((first.colors, second.colors)),
        np.concatenate((first.centers, second.centers)),
    )


def _compact(
    places: npt.NDArray[np.int32],
    colors: npt.NDArray[np.float32],
    centers: npt.NDArray[np.float32],
) -> Spots:
    """Drop spots without a pixel, and number the others 1 to n."""
    if not len(colors):
        return Spots(places, colors, centers)
    kept = np.bincount(places.ravel(), minlength=len(colors) + 1)[1:] > 0
    numbers = np.concatenate(([0], np.cumsum(kept) * kept)).astype(np.int32)
    return Spots(numbers[places], colors[kept], centers[kept])


def _check_shape(hints: tuple[int, int], drawing: tuple[int, int], name: str) -> None:
    """Refuse hints whose aspect ratio is not the drawing's, but for rounding."""
    (height, width), (rows, columns) = hints, drawing
    ratio = width * rows / (height * columns)
    rounding = max(abs(width - columns * height / rows), 0) <= 1 or (
        abs(height - rows * width / columns) <= 1
    )
    if not rounding and not 1 / (1 + _ASPECT) <= ratio <= 1 + _ASPECT:
        raise OptionError(
            f"{name}: is {width} × {height} pixels, but the drawing is {columns} × {rows}; paint "
            "the hints over the whole drawing, so that both have the same shape"
        )


def _to_size(strokes: npt.NDArray[np.int32], size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Bring numbered strokes [h, w] to a size. Thin strokes survive being made smaller."""
    height, width = strokes.shape
    if (height, width) == size:
        return strokes
    if height <= size[0] and width <= size[1]:
        rows, columns = (np.arange(n) * m // n for n, m in zip(size, strokes.shape, strict=True))
        places: npt.NDArray[np.int32] = strokes[rows[:, None], columns]
        return places
    places = np.zeros(size, np.int32)
    rows, columns = np.nonzero(strokes)
    places[rows * size[0] // height, columns * size[1] // width] = strokes[rows, columns]
    return places


def _parse_point(
    point: str | Point, size: tuple[int, int]
) -> tuple[float, float, tuple[float, float, float]]:
    """Read one point: x, y, and the color."""
    try:
        if isinstance(point, str):
            place, color = point.split("=")
            x, y = (float(word) for word in place.split(","))
        else:
            (x, y), color = point
            x, y = float(x), float(y)
            assert isinstance(color, str)
    except (ValueError, TypeError, OverflowError, AssertionError):
        raise OptionError(
            f"--hint {printable(str(point))}: write a place and a color as x,y=#rrggbb, such as "
            "120,80=#ffcc00"
        ) from None
    height, width = size
    if not (0 <= x < width and 0 <= y < height):
        raise OptionError(
            f"--hint {x:.10g},{y:.10g}: is outside the drawing, which is {width} × {height} "
            f"pixels; x goes from 0 to {width - 1}, y from 0 to {height - 1}"
        )
    return x, y, parse_color(color, f"--hint {x:.10g},{y:.10g}")
