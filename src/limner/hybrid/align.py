"""Lay the far picture over the near one: where its edges fall on the other's edges."""

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
from limner.hybrid.metrics import shrunk
from limner.hybrid.spectrum import blurred
from limner.nn import images

COARSE, FINE = 64, 192  # longest side, in pixels, of what is searched and of what is refined
_SCALES = [2 ** (step / 8) for step in range(-4, 5)]
_ANGLES = [math.radians(degrees) for degrees in range(-24, 25, 4)]
_FURTHEST = 0.25  # shift tried, as a share of the near picture's longest side
# Photos of different things meet by chance to 0.5, or to more in some small part; photos of one
# thing to 0.9. Below these the pictures are left as they lie.
_SURE, _COVERED = 0.7, 0.4  # agreement where both are, and with what is uncovered as not met
_LEAST_COMMON = 0.1  # of the near picture that must be left


@dataclass(frozen=True)
class Similarity:
    """From a place in the near picture to one in the far: ``scale · rotation · place + shift``.

    Places count from the middle of a picture, x to the right and y down, in units of the longest
    side of the near one; the far one is enlarged or shrunk so that it just covers the near.

    Attributes
    ----------
    scale, angle : float
        The angle in radians, from x towards y.
    x, y : float
        The shift.
    """

    scale: float = 1.0
    angle: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def around(self, x: float, y: float) -> "Similarity":
        """The same for places that count from another place in the near picture."""
        moved = complex(self.x, self.y) + cmath.rect(self.scale, self.angle) * complex(x, y)
        return Similarity(self.scale, self.angle, moved.real, moved.imag)

    def matrix(self) -> Tensor:
        """The same as a matrix [2, 3] for (x, y, 1)."""
        return _matrix(torch.tensor((self.scale, self.angle, self.x, self.y)))


def _matrix(parameters: Tensor) -> Tensor:
    scale, angle, x, y = parameters
    across, along = scale * angle.cos(), scale * angle.sin()
    return torch.stack((across, -along, x, along, across, y)).view(2, 3)


def unit(near: tuple[int, int], far: tuple[int, int]) -> float:
    """Pixels of the far picture in a unit of `Similarity`; sizes are heights and widths."""
    return max(near) * min(far[0] / near[0], far[1] / near[1])


def from_points(points: Sequence[int], near: tuple[int, int], far: tuple[int, int]) -> Similarity:
    """Two points of the near picture, x, y, x, y in its pixels, and the same two of the far.

    Raises
    ------
    OptionError
        Not eight numbers, a point outside its picture, or two in one place.
    """
    shown = ",".join(map(str, points))
    if len(points) != 8:
        raise OptionError(
            f"--points {shown}: give eight numbers, x,y,x,y of two points in the near picture and "
            "x,y,x,y of the same two in the far"
        )
    places = []
    for name, (height, width), (x, y, x2, y2) in (
        ("near", near, points[:4]),
        ("far", far, points[4:]),
    ):
        if not (0 <= min(x, x2) <= max(x, x2) < width and 0 <= min(y, y2) <= max(y, y2) < height):
            raise OptionError(f"--points {shown}: outside the {name} picture of {width}×{height}")
        if (x, y) == (x2, y2):
            raise OptionError(f"--points {shown}: the {name} picture's two points are one")
        length = max(near) if name == "near" else unit(near, far)
        middle = complex(width, height) / 2 - complex(0.5, 0.5)
        places.append([(complex(*at) - middle) / length for at in ((x, y), (x2, y2))])
    (one, other), (ones, others) = places
    turn = (others - ones) / (other - one)
    shift = ones - turn * one
    return Similarity(abs(turn), cmath.phase(turn), shift.real, shift.imag)


def find(near: Tensor, far: Tensor) -> tuple[Similarity, float]:
    """Find how the far picture is to lie, and how well the edges then meet.

    Every scale and angle of a grid, at all shifts at once by Fourier transform, on small maps of
    edges; then the best is refined on larger ones. Where little is gained by it, the pictures stay
    as they are: a tilted horizon is a price.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1, each of its own size.

    Returns
    -------
    Similarity
    float
        Correlation of the two maps of edges where both are, -1 to 1.
    """
    same = Similarity()
    near, far = shrunk(near, FINE), shrunk(far, FINE)
    guess = _search(*(edges(picture, COARSE) for picture in (near, far)))
    one, other = (edges(picture, FINE) for picture in (near, far))
    found = _refine(one, other, guess)
    (before, after), (_, whole) = (
        [_agreement(one, other, lies.matrix(), whole=whole).item() for lies in (same, found)]
        for whole in (False, True)
    )
    far_off = math.hypot(found.x, found.y) > 2 * _FURTHEST
    if after > max(before, _SURE) and whole > _COVERED and not far_off:
        return found, after
    return same, before


def edges(picture: Tensor, longest: int) -> Tensor:
    """Return where a picture [1, 3, H, W] changes: a soft map [1, 1, H', W'] without mean."""
    grey = images.luma(shrunk(picture, longest))
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    right = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    soft = blurred((down**2 + right**2).sqrt(), longest / 64)
    return soft - soft.mean()


def lay(
    far: Tensor,
    matrix: Tensor,
    length: float,
    span: tuple[float, float],
    size: tuple[int, int],
    beyond: Literal["zeros", "border"] = "zeros",
) -> Tensor:
    """Return a far picture as it lies in a frame around the near one's middle; bilinear.

    Parameters
    ----------
    far : Tensor
        [1, C, H, W].
    matrix : Tensor
        [2, 3], of a `Similarity`.
    length : float
        Its `unit`, in pixels of this picture.
    span : tuple of float
        Height and width of the frame, in units.
    size : tuple of int
        The same in pixels of the result.
    beyond : str
        What lies beyond the far picture.
    """
    halves = torch.tensor(images.size_of(far)[::-1]) / 2
    grid = _places(matrix, span, size) * length / halves
    return F.grid_sample(far, grid[None].to(far), padding_mode=beyond, align_corners=False)


def _places(matrix: Tensor, span: tuple[float, float], size: tuple[int, int]) -> Tensor:
    """Where the pixels of a frame lie in the far picture: x and y in units, [height, width, 2]."""
    y, x = (
        ((torch.arange(count) + 0.5) / count - 0.5) * extent
        for count, extent in zip(size, span, strict=True)
    )
    here = torch.stack((x.expand(size), y[:, None].expand(size), torch.ones(size)))
    return torch.einsum("ij,jhw->hwi", matrix, here)


def laid_over(
    far: Tensor,
    similarity: Similarity,
    near: tuple[int, int],
    rows: slice,
    columns: slice,
    size: tuple[int, int],
) -> Tensor:
    """Return a far picture [1, C, H, W] as it lies over a part of the near one.

    Bilinear is good enough: of the far picture only low frequencies are used.

    Parameters
    ----------
    near : tuple of int
        Height and width of the near picture.
    rows, columns : slice
        The part, in its pixels.
    size : tuple of int
        Height and width of the result.
    """
    longest = max(near)
    y, x = (
        ((part.start + part.stop) / 2 - whole / 2) / longest
        for part, whole in zip((rows, columns), near, strict=True)
    )
    span = ((rows.stop - rows.start) / longest, (columns.stop - columns.start) / longest)
    length = unit(near, images.size_of(far))
    finer = length * similarity.scale * span[0] / size[0]  # its pixels to one of the result
    if finer > 1:
        far = images.resize(far, tuple(max(1, round(n / finer)) for n in images.size_of(far)))
        length = unit(near, images.size_of(far))
    return lay(far, similarity.around(x, y).matrix(), length, span, size, beyond="border")


def common_frame(
    similarity: Similarity, near: tuple[int, int], far: tuple[int, int]
) -> tuple[slice, slice]:
    """Rows and columns of the near picture that the far one covers: the largest such rectangle.

    Raises
    ------
    OptionError
        Hardly any.
    """
    height, width = near
    cells = images.fit(height, width, 128)
    span = (height / max(near), width / max(near))
    reach = torch.tensor(far[::-1]) / 2 / unit(near, far) + 1e-6
    covered = (_places(similarity.matrix(), span, cells).abs() <= reach).all(-1)
    if covered.all():
        return slice(0, height), slice(0, width)
    top, bottom, left, right = _largest_rectangle(covered)
    rows = slice(math.ceil(top / cells[0] * height), bottom * height // cells[0])
    columns = slice(math.ceil(left / cells[1] * width), right * width // cells[1])
    kept = max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
    if kept < _LEAST_COMMON * height * width:
        raise OptionError(
            f"--points: only {kept / height / width:.0%} of the near picture would be left; "
            "choose points further apart, or pictures that show the thing at like sizes"
        )
    return rows, columns


def _largest_rectangle(covered: Tensor) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the largest rectangle of a mask [H, W] that is all true."""
    height, width = covered.shape
    best, found = 0, (0, 0, 0, 0)
    for top in range(height):
        column = covered[top].clone()
        for bottom in range(top + 1, height + 1):
            column &= covered[bottom - 1]
            ends = [-1, *(~column).nonzero().flatten().tolist(), width]
            widest, left = max((b - a - 1, a + 1) for a, b in pairwise(ends))
            if widest * (bottom - top) > best:
                best, found = widest * (bottom - top), (top, bottom, left, left + widest)
            if not widest:
                break
    return found


def _search(near: Tensor, far: Tensor) -> Similarity:
    """The best of all scales, angles and shifts, for maps of edges [1, 1, H, W]."""
    longest = max(images.size_of(near))
    length = unit(images.size_of(near), images.size_of(far))
    frame = (2 * longest, 2 * longest)  # the near picture lies in the middle of twice its size
    room = [frame[axis] - images.size_of(near)[axis] for axis in (1, 0)]
    seen = torch.fft.rfft2(F.pad(near, [part for r in room for part in (r // 2, r - r // 2)]))
    reach = max(1, round(_FURTHEST * longest))
    best, found = -math.inf, Similarity()
    for scale in _SCALES:
        for angle in _ANGLES:
            turned = lay(far, Similarity(scale, angle).matrix(), length, (2.0, 2.0), frame)
            turned = turned / turned.norm().clamp(min=1e-9)
            fit = torch.fft.irfft2(torch.fft.rfft2(turned).conj() * seen, frame)
            tried = torch.roll(fit, (reach, reach), (-2, -1))[..., : 2 * reach, : 2 * reach]
            value, place = tried.flatten().max(0)
            if value.item() > best:
                best = value.item()
                down, right = divmod(int(place.item()), 2 * reach)
                # by so much the far picture moves; a place in the near one moves back
                moved = complex(right - reach, down - reach) / longest
                moved *= -cmath.rect(scale, angle)
                found = Similarity(scale, angle, moved.real, moved.imag)
    return found


def _refine(near: Tensor, far: Tensor, guess: Similarity) -> Similarity:
    """Climb from a guess, for maps of edges, along the gradient of their agreement."""
    parameters = torch.tensor((guess.scale, guess.angle, guess.x, guess.y), requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=25, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = -_agreement(near, far, _matrix(parameters), whole=False)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return Similarity(*parameters.tolist())


def _agreement(near: Tensor, far: Tensor, matrix: Tensor, *, whole: bool) -> Tensor:
    """Correlation of two maps of edges: where both are, or with what is uncovered as not met."""
    size = images.size_of(near)
    span = (size[0] / max(size), size[1] / max(size))
    length = unit(size, images.size_of(far))
    both = torch.cat((far, torch.ones_like(far)), 1)
    laid, weight = lay(both, matrix, length, span, size).chunk(2, 1)
    area = weight.sum().clamp(min=1)
    one, other = (field - (weight * field).sum() / area for field in (near, laid))
    power = ((1 if whole else weight) * one.square()).sum() * (weight * other.square()).sum()
    agreement: Tensor = (weight * one * other).sum() / power.sqrt().clamp(min=1e-9)
    return agreement
