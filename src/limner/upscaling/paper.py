"""Compute the size of the result, on a screen or on paper."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limner.checks import check_choice, check_range
from limner.errors import OptionError, printable
from limner.io import Picture
from limner.nn import images
from limner.units import INCH, to_meters, to_paper

MAX_BLEED = 0.05  # meters
MIN_DPI, DEFAULT_DPI, MAX_DPI = 30, 150, 1200
DEFAULT_SCALE, MAX_SCALE = 4, 16
FITS = ("fit", "fill", "pad")


@dataclass(frozen=True)
class SizeOptions:
    """The options of `upscale` that set the size of the result."""

    scale: float | None
    print_: str | None
    dpi: float
    fit: str
    bleed: float | str | None
    max_scale: float
    width: int | None = None
    height: int | None = None

    @property
    def bleed_meters(self) -> float:
        """The bleed in meters, 0 for none."""
        return 0.0 if self.bleed is None else to_meters("bleed", self.bleed)

    def check(self) -> None:
        """Refuse values out of range, and options that do not go together.

        Raises
        ------
        OptionError
            An option is out of range or has no effect.
        """
        check_range("max_scale", self.max_scale, 1, MAX_SCALE)
        if self.scale is not None and not 1 < self.scale <= self.max_scale:
            raise OptionError(
                f"--scale {self.scale:.10g}: must be above 1 and at most {self.max_scale:.10g}, "
                "the limit that --max-scale sets"
            )
        check_range("width", self.width, 1)
        check_range("height", self.height, 1)
        own = {"--scale": self.scale, "--print": self.print_}
        own |= {"--width": self.width, "--height": self.height}
        given = [name for name, value in own.items() if value is not None]
        if len(given) > 1 and given != ["--width", "--height"]:
            raise OptionError(f"{given[0]} and {given[1]}: both set the size; give only one")
        check_range("dpi", self.dpi, MIN_DPI, MAX_DPI)
        check_choice("fit", self.fit, FITS)
        if self.print_ is None:
            self._check_without_paper()
            return
        to_paper("print", self.print_)
        if self.bleed_meters > MAX_BLEED:
            raise OptionError(f"--bleed {self.bleed}: must be at most {MAX_BLEED * 100:g}cm")

    def _check_without_paper(self) -> None:
        """Refuse options that only matter on paper. Their defaults pass: recipes hold them."""
        given = {
            f"--dpi {self.dpi:g}": self.dpi != DEFAULT_DPI,
            f"--fit {self.fit}": self.fit != FITS[0],
            f"--bleed {self.bleed}": self.bleed is not None,
        }
        for option, is_given in given.items():
            if is_given:
                raise OptionError(f"{option}: has no effect without --print; give --print too")


@dataclass(frozen=True)
class Size:
    """The size of the result.

    Attributes
    ----------
    factor : float
        How many times larger each side becomes.
    picture : tuple of int
        Height and width of the enlarged picture in pixels.
    sheet : tuple of int
        Height and width of the result in pixels: the paper with its bleed, or the picture if there
        is no paper or `fit` is "fit".
    bleed : int
        Pixels on every side of the result that will be cut off.
    """

    factor: float
    picture: tuple[int, int]
    sheet: tuple[int, int]
    bleed: int = 0


def plan(size: tuple[int, int], options: SizeOptions) -> Size:
    """Compute the size of the result for a picture of this height and width.

    Raises
    ------
    OptionError
        The picture is too small for the paper, the width or the height, or the bleed would cut off
        all of it.
    """
    if options.width is not None or options.height is not None:
        return _of_pixels(size, options)
    if options.print_ is None:
        scale = options.scale
        factor = min(DEFAULT_SCALE, options.max_scale) if scale is None else scale
        height, width = (round(side * factor) for side in size)
        return Size(factor, (height, width), (height, width))
    factor, sheet = _on_paper(size, options, options.print_, options.dpi)
    if factor > options.max_scale:
        raise _too_small(size, options, options.print_, factor)
    # rounded up for "fill": otherwise a line of the paper could stay white
    fills = options.fit == "fill"
    height, width = (
        max(1, math.ceil(side * factor - 1e-6) if fills else round(side * factor)) for side in size
    )
    picture, bleed = (height, width), round(options.bleed_meters / INCH * options.dpi)
    if options.fit == "fit" and 2 * bleed >= min(picture):
        raise OptionError(
            f"--bleed {options.bleed}: would cut off the whole picture; use a smaller bleed, or "
            "--fit fill or pad"
        )
    return Size(factor, picture, picture if options.fit == "fit" else sheet, bleed)


def _of_pixels(size: tuple[int, int], options: SizeOptions) -> Size:
    """Compute the size of a result that has a width or a height, or fits into both."""
    wanted = {"--height": options.height, "--width": options.width}
    ratios = {
        name: (pixels / side, pixels, side)
        for (name, pixels), side in zip(wanted.items(), size, strict=True)
        if pixels is not None
    }
    name, (factor, pixels, side) = min(ratios.items(), key=lambda one: one[1])
    if factor > options.max_scale:
        remedy = f"use {name} {math.floor(side * options.max_scale)}"
        remedy += f", or --max-scale {math.ceil(factor)}" if factor <= MAX_SCALE else ""
        raise OptionError(
            f"{name} {pixels}: the picture would become {factor:.1f} times larger, more than "
            f"{options.max_scale:g}; {remedy}"
        )
    height, width = (max(1, round(length * factor)) for length in size)
    return Size(factor, (height, width), (height, width))


def _on_paper(
    size: tuple[int, int], options: SizeOptions, paper: str, dpi: float
) -> tuple[float, tuple[int, int]]:
    """Return how many times larger the picture becomes, and height and width of the paper."""
    sides = to_paper("print", paper, wide=size[1] > size[0])
    meters = (side + 2 * options.bleed_meters for side in sides)
    width, height = (max(1, round(side / INCH * dpi)) for side in meters)
    ratios = height / size[0], width / size[1]
    return (max if options.fit == "fill" else min)(ratios), (height, width)


def _too_small(
    size: tuple[int, int], options: SizeOptions, paper: str, factor: float
) -> OptionError:
    """Make the error for a picture that is too small for its paper. It names what would work."""
    limit = options.max_scale
    dpi = math.floor(options.dpi * limit / factor)
    # the paper is rounded to whole pixels, so this resolution can still be a little too high
    while dpi >= MIN_DPI and _on_paper(size, options, paper, dpi)[0] > limit:
        dpi -= 1
    remedy = f"use --dpi {dpi}, or smaller paper" if dpi >= MIN_DPI else "use smaller paper"
    remedy += f", or --max-scale {math.ceil(factor)}" if factor <= MAX_SCALE else ""
    return OptionError(
        f"--print {paper}: at {options.dpi:g} dpi the picture would become {factor:.1f} times "
        f"larger, more than {limit:g}; {remedy}"
    )


def place_on_paper(picture: Tensor, sheet: tuple[int, int]) -> Tensor:
    """Place a picture [1, C, H, W] in the middle of a white sheet; what sticks out is cropped."""
    white = torch.iinfo(picture.dtype).max
    result = torch.full((*picture.shape[:2], *sheet), white, dtype=picture.dtype)
    target, source = [], []
    for side, available in zip(images.size_of(picture), sheet, strict=True):
        length, offset = min(side, available), (available - side) // 2
        target.append(slice(max(0, offset), max(0, offset) + length))
        source.append(slice(max(0, -offset), max(0, -offset) + length))
    result[..., target[0], target[1]] = picture[..., source[0], source[1]]
    return result


def with_square_pixels(picture: Picture) -> Picture:
    """Stretch a picture whose resolution differs across and down, such as a fax."""
    across, down = picture.dpi or (1, 1)
    if abs(across / down - 1) < 0.02:
        return picture
    finest = max(across, down)
    height, width = images.size_of(picture.rgb)
    size = max(1, round(height * finest / down)), max(1, round(width * finest / across))
    alpha = None if picture.alpha is None else images.resize(picture.alpha, size).clamp(0, 1)
    note = (
        f"{printable(picture.name)}: has {across:g} pixels per inch across and {down:g} down; "
        "it is stretched to its true shape"
    )
    return replace(
        picture,
        rgb=images.resize(picture.rgb, size).clamp(0, 1),
        alpha=alpha,
        dpi=(finest, finest),
        notes=(*picture.notes, note),
    )
