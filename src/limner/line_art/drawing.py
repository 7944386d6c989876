"""Read a drawing: scanned, photographed or drawn on the screen, it becomes ink on white."""

from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from limner import io
from limner.errors import InputError, printable
from limner.io import Picture
from limner.line_art.paper import LUMA, Mask, Plane, around, enlarge, find_sheet, light_on, shrink
from limner.line_art.photo import is_photo
from limner.line_art.ruling import remove_ruling
from limner.nn import images

_SIZE = 1024  # pixels of the longest side at which paper and rulings are looked for
_DARK = 0.35  # a drawing whose median luma is below this is light on dark
_SAMPLES = 1 << 18  # pixels from which noise and black are measured
_LIGHT_INK = 0.6  # luma above which visible pixels are light lines
_BLACK = 0.18, 0.28  # luma on white paper: black line, colored stroke
_STROKE = 0.12, 0.2  # saturation of the light that a pixel reflects: gray, colored


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing that was read.

    Attributes
    ----------
    ink : Tensor
        Float32 [1, 1, H, W]: 0 is paper, 1 is line.
    paper : ndarray or None
        Bool [H, W], where the sheet is; None if the picture is all sheet.
    notes : tuple of str
        Remarks for the user.
    """

    ink: Tensor
    paper: Mask | None
    notes: tuple[str, ...]
    _rgb: Tensor = field(repr=False)  # [1, 3, H, W] on white
    _light: Plane = field(repr=False)  # luma of the bare paper [h, w]
    _step: int = 1  # pixels of the drawing for one of `_light`
    _dark: bool = False  # light on dark

    def strokes(self) -> NDArray[np.float32]:
        """Return the clearly colored strokes on the paper: RGBA [H, W, 4] in 0..1.

        Colors are as on white paper in even light; alpha is 0 where there is no stroke.
        """
        height, width = images.size_of(self.ink)
        rgb = self._rgb[0].permute(1, 2, 0).numpy()
        light = enlarge(self._light, (height, width), self._step)[..., None]
        if self._dark:
            color = rgb
            paper = np.median(color[:: max(1, height // 256), :: max(1, width // 256)], (0, 1))
            away = np.ptp(color - paper, axis=-1)
        else:
            color = np.clip(rgb / light / self._tint(), 0, 1)
            away = np.ptp(color, axis=-1)
        low, high = _STROKE
        alpha = np.clip((away - low) / (high - low), 0, 1)
        if not self._dark:  # a black line under a stroke is a line
            low, high = _BLACK
            alpha *= np.clip((color @ LUMA - low) / (high - low), 0, 1)
        if self.paper is not None:
            alpha *= self.paper
        # a line of one or two colored pixels is the fringe of a scanned black line
        alpha *= ndimage.grey_opening(alpha, size=(3, 3)) > 0
        return np.concatenate((color, alpha[..., None]), -1).astype(np.float32)

    def without_strokes(self) -> Tensor:
        """Return the ink without the colored strokes [1, 1, H, W]."""
        strokes = self.strokes()
        near = ndimage.maximum_filter(strokes[..., 3], 3)  # with the pale rim of a stroke
        if not self._dark:
            low, high = _BLACK
            luma = strokes[..., :3] @ LUMA
            near *= np.clip((luma - low) / (high - low), 0, 1)
        return self.ink * (1 - torch.from_numpy(near))

    def _tint(self) -> NDArray[np.float32]:
        """Return the color of the paper [3], for luma 1."""
        step = max(1, max(images.size_of(self.ink)) // 256)
        rgb = self._rgb[0, :, ::step, ::step].permute(1, 2, 0).numpy()
        bare = self.ink[0, 0, ::step, ::step].numpy() < 0.05
        if self.paper is not None:
            bare &= self.paper[::step, ::step]
        if not bare.any():
            return np.ones(3, np.float32)
        color = np.median(rgb[bare], 0)
        tint: NDArray[np.float32] = color / max(0.05, float(color @ LUMA))
        return tint


def read_drawing(picture: Picture, *, force: bool = False) -> Drawing:
    """Separate the lines of a drawing from its paper, its surroundings and its light.

    Whatever is darker than the paper around it is ink. Of a photographed sheet, the table and the
    edge of the sheet are left out, shadows are evened out, and the lines of ruled or squared paper
    are removed. Light lines on a dark ground, or on transparency, become dark lines.

    Parameters
    ----------
    picture : Picture
        As `limner.io.read` returns it.
    force : bool
        Read a photo too.

    Returns
    -------
    Drawing

    Raises
    ------
    InputError
        The picture is a photo, or shows no lines.
    """
    name = printable(picture.name)
    rgb, notes = _opaque(picture)
    height, width = images.size_of(rgb)
    luma: Plane = images.luma(rgb)[0, 0].numpy()
    step = images.reduction(_SIZE, height, width)
    small = shrink(luma, step)
    small_rgb = np.stack([shrink(plane.numpy(), step) for plane in rgb[0]], -1)
    sheet = find_sheet(small_rgb)
    dark = float(np.median(small if sheet is None else small[sheet])) < _DARK
    if dark:
        luma, small = 1 - luma, 1 - small
    light = light_on(small, sheet)
    ink = np.clip(1 - luma / enlarge(light, luma.shape, step), 0, 1)
    paper = None
    if sheet is not None:
        paper = enlarge(sheet.astype(np.float32), luma.shape, step) > 0.5
        ink *= paper
        notes = (*notes, f"{name}: only the sheet of paper is used, not what lies around it")
    small_ink = shrink(ink, step)
    chroma = _chroma(small_rgb)
    tint = chroma[small_ink < 0.03]
    chroma = chroma - (np.median(tint) if tint.size else 0)
    noise = _noise(ink, paper)
    near = around(np.ones_like(small, bool) if sheet is None else sheet)
    far = tuple(slice(part.start * step, part.stop * step) for part in near)
    ruled = remove_ruling(ink[far], small_ink[near], chroma[near])
    if ruled:
        notes = (*notes, f"{name}: the lines of the ruled paper are left out")
    ink = _contrast(ink, noise, light, step)
    if not _has_lines(ink):
        raise InputError(f"{name}: no lines found; use a drawing of dark lines on light paper")
    if not force and not ruled and is_photo(small_rgb, sheet):
        raise InputError(
            f"{name}: is a photo, not a line drawing; make a drawing of it with limner sketch, or "
            "give --force"
        )
    return Drawing(torch.from_numpy(ink)[None, None], paper, notes, rgb, light, step, dark)


def _opaque(picture: Picture) -> tuple[Tensor, tuple[str, ...]]:
    """Lay a transparent drawing on white; light lines on transparency become dark first."""
    name, alpha = printable(picture.name), picture.alpha
    if alpha is None or float(alpha.min()) > 0.99:
        return io.on_white(picture), ()
    luma = images.luma(picture.rgb)
    step = max(1, int((alpha.numel() / _SAMPLES) ** 0.5))
    seen = luma[..., ::step, ::step][alpha[..., ::step, ::step] > 0.5]
    if seen.numel() and float(seen.quantile(0.05)) > _LIGHT_INK:
        inverted = replace(picture, rgb=1 - picture.rgb)
        note = f"{name}: its light lines on transparency are drawn as dark lines on white"
        return io.on_white(inverted), (note,)
    return io.on_white(picture), (
        f"{name}: its transparent ground is white now; --keep-alpha keeps it transparent",
    )


def _chroma(rgb: Plane) -> Plane:
    """Return how far colors [h, w, 3] are from gray: the range of the channels by their mean."""
    red, green, blue = (rgb[..., channel] for channel in range(3))
    most, least = (reduce(np.maximum, (red, green, blue)), reduce(np.minimum, (red, green, blue)))
    chroma: Plane = 3 * (most - least) / np.maximum(red + green + blue, 0.15)
    return chroma


def _noise(ink: Plane, paper: Mask | None) -> float:
    """Return the ink below which it is noise of the paper."""
    stride = max(1, int((ink.size / _SAMPLES) ** 0.5))
    sample = ink[::stride, ::stride]
    if paper is not None and paper[::stride, ::stride].any():
        sample = sample[paper[::stride, ::stride]]
    # at least half of a drawing is paper
    return float(np.clip(2.5 * np.median(sample), 0.02, 0.22))


def _contrast(ink: Plane, noise: float, light: Plane, step: int) -> Plane:
    """Cut off the noise of the paper and make the darkest lines black, as `extract_ink` does."""
    stride = max(1, int((ink.size / _SAMPLES) ** 0.5))
    black = max(float(np.quantile(ink[::stride, ::stride], 0.995)), 0.25)
    if noise > 0.02:  # it weighs more in the shade
        ink -= noise * enlarge(np.clip(np.median(light) / light, 1, 3), ink.shape, step)
    else:
        ink -= noise
    ink /= max(black - noise, 0.05)
    return np.clip(ink, 0, 1, out=ink)


def _has_lines(ink: Plane) -> bool:
    """Whether some of the ink [h, w] makes lines; noise and speckle have no direction."""
    ink = shrink(ink, images.reduction(512, *ink.shape))
    where = ink > 0.2
    if where.sum() < 12:
        return False
    down, across = np.gradient(ndimage.gaussian_filter(ink, 0.7))
    parts = (down * down, across * across, down * across)
    a, b, c = (ndimage.gaussian_filter(part, 2.5) for part in parts)
    same = np.sqrt((a - b) ** 2 + 4 * c * c) / np.maximum(a + b, 1e-9)
    # shares: 0.1% to 0.5% of noise, 4% and more of dots and short strokes
    return bool((where & (same > 0.6)).sum() > 0.025 * where.sum())
