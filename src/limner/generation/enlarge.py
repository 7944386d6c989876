"""Enlarge a painter's small picture with the strokes of one of the works that it learned from."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from skimage.measure import label
from torch import Tensor

from limner import io
from limner.color.transfer import apply_color_map, color_map
from limner.errors import LimnerError
from limner.nn import images
from limner.patches import search
from limner.patches.sources import SourcePicture
from limner.patches.synthesis import PATCH_SIZE, Settings, synthesize

REDRAWN = 3  # times, if too much of a picture is copied in one piece
_THUMBNAIL = 64  # pixels of the longer side of the works from which one is chosen
_COMPARED = 48  # pixels of the longer side of the small picture, for that choice
_COMPONENTS = 20  # principal components of a patch, for that choice
_COLOR_WEIGHT = 2.0  # of the difference of colors, beside that of patches in their variances
_COARSEST = 64  # pixels of the longest side on the first level
_RIDGE = 1e-3  # of the color maps: the contrast of flat works hardly grows
_SETTINGS = Settings(target_weight=0.5, match_colors=0.0, coarsest=_COARSEST)


@dataclass(frozen=True)
class Enlarged:
    """A large picture.

    Attributes
    ----------
    rgb : Tensor
        [1, 3, H, W] in 0..1.
    work : Picture
        The work that gave the strokes.
    longest_piece : float
        Share of the picture that is the largest connected piece of the work without a seam.
    """

    rgb: Tensor
    work: io.Picture
    longest_piece: float


class Enlarger:
    """Draws small pictures again, larger, with strokes of works.

    One work gives all strokes of a picture: several make a patchwork of techniques.

    Parameters
    ----------
    paths : sequence of Path
        The works. Those that cannot be read are left out, if there are others.

    Attributes
    ----------
    notes : list of str
        Which works are left out, and why.

    Raises
    ------
    InputError
        None of them can be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._works: list[tuple[Path, Tensor]] = []
        errors: list[LimnerError] = []
        for path in paths:
            try:
                self._works.append((path, thumbnail(io.read(path))))
            except LimnerError as error:
                errors.append(error)
        if not self._works:
            raise errors[0]
        self.notes = [f"{error} (left out)" for error in errors]

    def enlarge(
        self,
        composition: Tensor,
        size: tuple[int, int],
        max_copy: float | None,
        tick: Callable[[], None],
    ) -> Enlarged:
        """Draw a small picture again.

        Parameters
        ----------
        composition : Tensor
            [1, 3, h, w] in 0..1.
        size : tuple of int
            Height and width of the result.
        max_copy : float or None
            The largest `Enlarged.longest_piece` to accept at once. Otherwise the next works are
            tried too, and the best result is returned.
        tick : callable
            Called every second or so. What it raises ends the work.
        """
        ranked = rank_works(composition, [thumbnail for _, thumbnail in self._works])
        best = None
        for choice in ranked[: 1 if max_copy is None else 1 + REDRAWN]:
            work = io.read(self._works[choice][0])
            made = enlarge(composition, work, size, tick)
            if best is None or made.longest_piece < best.longest_piece:
                best = made
            if max_copy is not None and best.longest_piece <= max_copy:
                break
        assert best is not None
        return best


def thumbnail(work: io.Picture) -> Tensor:
    """Return a small copy [1, 3, H, W] of a work, for `rank_works`."""
    rgb = io.on_white(work)
    return images.resize(rgb, images.fit(*images.size_of(rgb), _THUMBNAIL))


def rank_works(composition: Tensor, thumbnails: Sequence[Tensor]) -> list[int]:
    """Rank works by how well their patches can show a small picture: indices, the best first.

    Works with similar paper and ink come first. Patches are compared after the work got the colors
    of the small picture.

    Parameters
    ----------
    composition : Tensor
        The small picture, [1, 3, H, W] in 0..1.
    thumbnails : sequence of Tensor
        The works, see `thumbnail`.
    """
    small = images.resize(composition, images.fit(*images.size_of(composition), _COMPARED))

    def distance(work: Tensor) -> float:
        change = (work.mean((2, 3)) - small.mean((2, 3))).square().sum()
        change = change + (work.std((2, 3)) - small.std((2, 3))).square().sum()
        recolored = match_colors(work, small)
        filters = search.pca_filters(recolored, _COMPONENTS, PATCH_SIZE)
        keys, queries = (search.describe(one, filters).flatten(0, 1) for one in (recolored, small))
        nearest = keys[search.nearest(queries, keys)]
        patches = (nearest - queries).square().sum(1).mean() / (keys.var(0).sum() + 1e-6)
        return float(patches + _COLOR_WEIGHT * change.sqrt())

    return sorted(range(len(thumbnails)), key=lambda i: distance(thumbnails[i]))


def match_colors(work: Tensor, composition: Tensor) -> Tensor:
    """Give a work [1, 3, H, W] the mean and covariance of the colors of a small picture."""
    size = images.fit(*images.size_of(work), max(images.size_of(composition)))
    pixels = images.resize(work, size)[0].flatten(1)
    change = color_map(pixels, composition[0].flatten(1), _RIDGE)
    return apply_color_map(work, change.to(work)).clamp(0, 1)


def enlarge(
    composition: Tensor, work: io.Picture, size: tuple[int, int], tick: Callable[[], None]
) -> Enlarged:
    """Draw a small picture again with the strokes of a work, larger.

    The small picture decides what is where. All marks are patches of the work, in its colors
    matched to those of the small picture (Hertzmann et al. 2001, "Image analogies").

    Parameters
    ----------
    composition : Tensor
        [1, 3, h, w] in 0..1. Another aspect ratio than that of the result is stretched; strokes
        are not.
    work : Picture
        Transparent parts give no strokes.
    size : tuple of int
        Height and width of the result.
    tick : callable
        Called every second or so. What it raises ends the work.
    """
    source = prepare(work, composition, size)
    levels = synthesize(composition, [source], size=size, settings=_SETTINGS, tick=tick)
    (done,) = deque(levels, maxlen=1)
    return Enlarged(done.picture.clamp(0, 1), work, longest_piece(done.field))


def prepare(work: io.Picture, composition: Tensor, size: tuple[int, int]) -> SourcePicture:
    """Return a work as a source of patches: shrunk to the result's size, with matched colors.

    It is on the device of the small picture.
    """
    device = composition.device
    height, width = images.size_of(work.rgb)
    scale = min(1.0, max(size[0] / height, size[1] / width))  # enlarged strokes would be blurred
    shrunk = round(height * scale), round(width * scale)
    rgb = match_colors(images.resize(io.on_white(work).to(device), shrunk), composition)
    alpha = None if work.alpha is None else images.resize(work.alpha.to(device), shrunk)
    return SourcePicture(rgb, alpha)


def longest_piece(field: Tensor, without: Tensor | None = None) -> float:
    """Return the share of patches in the largest connected piece without a seam.

    Parameters
    ----------
    field : Tensor
        [2, h, w], see `limner.patches.field`.
    without : Tensor or None
        Bool [h, w]: patches that do not count as a piece.
    """
    rows, columns = (torch.arange(side, device=field.device) for side in field.shape[1:])
    down, right = field[0] - rows[:, None], field[1] - columns
    moved = down * (int(right.max() - right.min()) + 1) + right - right.min()
    moved = moved - moved.min()  # -1 is none of them
    if without is not None:
        moved = moved.masked_fill(without, -1)
    pieces = torch.from_numpy(label(moved.cpu().numpy(), background=-1, connectivity=1))
    areas = pieces.flatten().bincount(minlength=2)[1:]  # the first is the background
    return float(areas.max()) / pieces.numel()
