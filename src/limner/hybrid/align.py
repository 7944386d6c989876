"""Align the far photo with the near one: find a similarity transform that makes the edges meet."""

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.errors import OptionError
from limner.hybrid.metrics import shrink
from limner.hybrid.spectrum import gaussian_blur
from limner.nn import images

COARSE, FINE = 64, 192  # longest sides, in pixels, of the edge maps for search and refinement

# What is searched
_SCALES = [2 ** (step / 8) for step in range(-4, 5)]
_ANGLES = [math.radians(degrees) for degrees in range(-24, 25, 4)]
_MAX_SHIFT = 0.25  # as a share of the longest side of the near photo

# An alignment is used only above these correlations. Edges of different things reach 0.5 by
# chance, or more in a small part of the picture; edges of the same thing 0.9.
_MIN_CORRELATION = 0.7  # where both photos are
_MIN_OVERALL = 0.4  # over the whole near photo; where there is no far photo, nothing correlates

_MIN_AREA = 0.1  # share of the near photo that must remain


@dataclass(frozen=True)
class Similarity:
    """A transform from places in the near photo to places in the far one: scale, turn and shift.

    Places are measured from the center of a photo, x to the right and y down. The unit is the
    longest side of the near photo. At scale 1 the far photo just covers the near one.

    Attributes
    ----------
    scale : float
    angle : float
        In radians, from x towards y.
    x, y : float
        The shift, applied last.
    """

    scale: float = 1.0
    angle: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def relative_to(self, x: float, y: float) -> "Similarity":
        """Return the same transform for places measured from (x, y) in the near photo."""
        moved = complex(self.x, self.y) + cmath.rect(self.scale, self.angle) * complex(x, y)
        return Similarity(self.scale, self.angle, moved.real, moved.imag)

    def matrix(self) -> Tensor:
        """Return the transform as a matrix [2, 3] for (x, y, 1), on the CPU."""
        return _matrix(torch.tensor((self.scale, self.angle, self.x, self.y)))


def _matrix(parameters: Tensor) -> Tensor:
    scale, angle, x, y = parameters
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    return torch.stack((cosine, -sine, x, sine, cosine, y)).view(2, 3)


def pixels_per_unit(near: tuple[int, int], far: tuple[int, int]) -> float:
    """Return the pixels of the far photo in a unit of `Similarity`, from heights and widths."""
    return max(near) * min(far[0] / near[0], far[1] / near[1])


def from_points(points: Sequence[int], near: tuple[int, int], far: tuple[int, int]) -> Similarity:
    """Return the transform that moves two points of the near photo to two points of the far one.

    Parameters
    ----------
    points : sequence of int
        x, y, x, y of the points in the near photo, then in the far one, in pixels.
    near, far : tuple of int
        Heights and widths of the photos.

    Raises
    ------
    OptionError
        Not eight numbers, a point outside its photo, or two points at the same place.
    """
    typed = ",".join(map(str, points))
    if len(points) != 8:
        raise OptionError(
            f"--points {typed}: must be eight numbers, x,y,x,y of two points in the near photo and "
            "x,y,x,y of the same two in the far one"
        )
    places = []
    for name, (height, width), (x, y, x2, y2) in (
        ("near", near, points[:4]),
        ("far", far, points[4:]),
    ):
        if not (0 <= min(x, x2) <= max(x, x2) < width and 0 <= min(y, y2) <= max(y, y2) < height):
            raise OptionError(
                f"--points {typed}: a point is outside the {name} photo of {width}×{height} px"
            )
        if (x, y) == (x2, y2):
            raise OptionError(f"--points {typed}: the two points of the {name} photo must differ")
        length = max(near) if name == "near" else pixels_per_unit(near, far)
        center = complex(width, height) / 2 - complex(0.5, 0.5)
        places.append([(complex(*point) - center) / length for point in ((x, y), (x2, y2))])
    (near_first, near_second), (far_first, far_second) = places
    turn = (far_second - far_first) / (near_second - near_first)
    shift = far_first - turn * near_first
    return Similarity(abs(turn), cmath.phase(turn), shift.real, shift.imag)


def find_similarity(near: Tensor, far: Tensor) -> tuple[Similarity, float]:
    """Find the transform that makes the edges of two photos meet.

    All scales and angles of a grid are tried on small edge maps, each with all shifts at once by
    Fourier transform. The best is refined on larger maps. The far photo stays as it is unless the
    edges then meet clearly better: turning it also tilts its horizon.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1. Their sizes may differ.

    Returns
    -------
    Similarity
    float
        Correlation of the edge maps where both photos are, -1 to 1.
    """
    identity = Similarity()
    near, far = shrink(near, FINE), shrink(far, FINE)
    coarse = _grid_search(edge_map(near, COARSE), edge_map(far, COARSE))
    near_edges, far_edges = edge_map(near, FINE), edge_map(far, FINE)
    refined = _refine(near_edges, far_edges, coarse)

    def correlation(similarity: Similarity, *, overall: bool) -> float:
        matrix = similarity.matrix()
        return _edge_correlation(near_edges, far_edges, matrix, overall=overall).item()

    before, after = (correlation(one, overall=False) for one in (identity, refined))
    too_far = math.hypot(refined.x, refined.y) > 2 * _MAX_SHIFT
    sure = after > max(before, _MIN_CORRELATION) and not too_far
    if sure and correlation(refined, overall=True) > _MIN_OVERALL:
        return refined, after
    return identity, before


def edge_map(picture: Tensor, longest: int) -> Tensor:
    """Return the blurred gradient of a picture [1, 3, H, W], [1, 1, H', W'] with mean 0.

    `longest` is the longest side of the map in pixels.
    """
    gray = images.luma(shrink(picture, longest))
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    right = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    edges = gaussian_blur((down**2 + right**2).sqrt(), longest / 64)
    return edges - edges.mean()


def warp(
    far: Tensor,
    matrix: Tensor,
    length: float,
    span: tuple[float, float],
    size: tuple[int, int],
    outside: Literal["zeros", "border"] = "zeros",
) -> Tensor:
    """Transform a far photo into a frame around the center of the near one. Bilinear.

    Parameters
    ----------
    far : Tensor
        [1, C, H, W].
    matrix : Tensor
        [2, 3], of a `Similarity`.
    length : float
        Pixels of the far photo in a unit of the `Similarity`.
    span : tuple of float
        Height and width of the frame in units.
    size : tuple of int
        Height and width of the frame in pixels.
    outside : str
        What is used outside the far photo: ``zeros``, or its ``border`` repeated.

    Returns
    -------
    Tensor
        [1, C, *size].
    """
    halves = torch.tensor(images.size_of(far)[::-1]) / 2
    grid = _sampling_grid(matrix, span, size) * length / halves
    return F.grid_sample(far, grid[None].to(far), padding_mode=outside, align_corners=False)


def _sampling_grid(matrix: Tensor, span: tuple[float, float], size: tuple[int, int]) -> Tensor:
    """Return the place in the far photo of each pixel of a frame: x and y in units, [H, W, 2]."""
    y, x = (
        ((torch.arange(count) + 0.5) / count - 0.5) * extent
        for count, extent in zip(size, span, strict=True)
    )
    places = torch.stack((x.expand(size), y[:, None].expand(size), torch.ones(size)))
    return torch.einsum("ij,jhw->hwi", matrix, places)


def warp_to_part(
    far: Tensor,
    similarity: Similarity,
    near: tuple[int, int],
    rows: slice,
    columns: slice,
    size: tuple[int, int],
) -> Tensor:
    """Transform a far photo [1, C, H, W] into a part of the near one.

    Bilinear interpolation is enough, because a hybrid uses only the low frequencies of the far
    photo.

    Parameters
    ----------
    near : tuple of int
        Height and width of the near photo.
    rows, columns : slice
        The part, in pixels of the near photo.
    size : tuple of int
        Height and width of the result.
    """
    longest = max(near)
    y, x = (
        ((part.start + part.stop) / 2 - whole / 2) / longest
        for part, whole in zip((rows, columns), near, strict=True)
    )
    span = ((rows.stop - rows.start) / longest, (columns.stop - columns.start) / longest)
    length = pixels_per_unit(near, images.size_of(far))
    reduction = length * similarity.scale * span[0] / size[0]  # pixels of far per pixel of result
    if reduction > 1:  # shrink first, or the bilinear samples would alias
        smaller = tuple(max(1, round(n / reduction)) for n in images.size_of(far))
        far = images.resize(far, smaller)
        length = pixels_per_unit(near, images.size_of(far))
    matrix = similarity.relative_to(x, y).matrix()
    return warp(far, matrix, length, span, size, outside="border")


def common_rectangle(
    similarity: Similarity, near: tuple[int, int], far: tuple[int, int]
) -> tuple[slice, slice]:
    """Return rows and columns of the largest part of the near photo that the far one covers.

    Raises
    ------
    OptionError
        The part is too small.
    """
    height, width = near
    cells = images.fit(height, width, 128)
    span = (height / max(near), width / max(near))
    reach = torch.tensor(far[::-1]) / 2 / pixels_per_unit(near, far) + 1e-6
    covered = (_sampling_grid(similarity.matrix(), span, cells).abs() <= reach).all(-1)
    if covered.all():
        return slice(0, height), slice(0, width)
    top, bottom, left, right = _largest_rectangle(covered)
    rows = slice(math.ceil(top / cells[0] * height), bottom * height // cells[0])
    columns = slice(math.ceil(left / cells[1] * width), right * width // cells[1])
    area = max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
    if area < _MIN_AREA * height * width:
        raise OptionError(
            f"--points: only {area / height / width:.0%} of the near photo would remain, and at "
            f"least {_MIN_AREA:.0%} must; choose points farther apart, or photos that show the "
            "subject at about the same size"
        )
    return rows, columns


def _largest_rectangle(mask: Tensor) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the largest rectangle of True in a mask [H, W]."""
    height, width = mask.shape
    largest, found = 0, (0, 0, 0, 0)
    for top in range(height):
        columns = mask[top].clone()
        for bottom in range(top + 1, height + 1):
            columns &= mask[bottom - 1]
            ends = [-1, *(~columns).nonzero().flatten().tolist(), width]
            widest, left = max((b - a - 1, a + 1) for a, b in pairwise(ends))
            if widest * (bottom - top) > largest:
                largest, found = widest * (bottom - top), (top, bottom, left, left + widest)
            if not widest:
                break
    return found


def _grid_search(near: Tensor, far: Tensor) -> Similarity:
    """Return the best of all scales, angles and shifts for edge maps [1, 1, H, W]."""
    height, width = images.size_of(near)
    longest = max(height, width)
    length = pixels_per_unit((height, width), images.size_of(far))
    frame = (2 * longest, 2 * longest)  # the near photo is in the middle of a larger frame
    across, down = frame[1] - width, frame[0] - height
    padding = (across // 2, across - across // 2, down // 2, down - down // 2)
    spectrum = torch.fft.rfft2(F.pad(near, padding))
    reach = max(1, round(_MAX_SHIFT * longest))
    best, found = -math.inf, Similarity()
    for scale in _SCALES:
        for angle in _ANGLES:
            turned = warp(far, Similarity(scale, angle).matrix(), length, (2.0, 2.0), frame)
            turned = turned / turned.norm().clamp(min=1e-9)
            correlations = torch.fft.irfft2(torch.fft.rfft2(turned).conj() * spectrum, frame)
            shifts = torch.roll(correlations, (reach, reach), (-2, -1))
            value, place = shifts[..., : 2 * reach, : 2 * reach].flatten().max(0)
            if value.item() > best:
                best = value.item()
                row, column = divmod(int(place.item()), 2 * reach)
                # A shift of the far photo moves places in the near one the other way.
                moved = complex(column - reach, row - reach) / longest
                moved *= -cmath.rect(scale, angle)
                found = Similarity(scale, angle, moved.real, moved.imag)
    return found


def _refine(near: Tensor, far: Tensor, start: Similarity) -> Similarity:
    """Raise the correlation of edge maps [1, 1, H, W] from a start, by its gradient."""
    parameters = torch.tensor((start.scale, start.angle, start.x, start.y), requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=25, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = -_edge_correlation(near, far, _matrix(parameters), overall=False)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Similarity(*parameters.tolist())


def _edge_correlation(near: Tensor, far: Tensor, matrix: Tensor, *, overall: bool) -> Tensor:
    """Correlate edge maps [1, 1, H, W]: where both are, or overall, over all of the near one."""
    size = images.size_of(near)
    span = (size[0] / max(size), size[1] / max(size))
    length = pixels_per_unit(size, images.size_of(far))
    with_mask = torch.cat((far, torch.ones_like(far)), 1)
    warped, mask = warp(with_mask, matrix, length, span, size).chunk(2, 1)
    area = mask.sum().clamp(min=1)
    one, other = (field - (mask * field).sum() / area for field in (near, warped))
    power = ((1 if overall else mask) * one.square()).sum() * (mask * other.square()).sum()
    correlation: Tensor = (mask * one * other).sum() / power.sqrt().clamp(min=1e-9)
    return correlation
