"""How large a picture becomes, on a screen or on paper."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.errors import OptionError
from limner.nn import images
from limner.units import INCH, to_metres, to_paper

WIDEST_BLEED = 0.05  # metres
LEAST_DPI, MOST_DPI = 30, 1200
MOST = 16  # times larger, at all


@dataclass(frozen=True)
class Size:
    """What a picture is to become.

    Attributes
    ----------
    factor : float
        How many times larger.
    picture : tuple of int
        Its height and width then, in pixels.
    sheet : tuple of int
        Height and width of the paper, bleed included, in pixels; the picture's where it rules.
    bleed : int
        Pixels of it that are cut off on every side.
    """

    factor: float
    picture: tuple[int, int]
    sheet: tuple[int, int]
    bleed: int = 0


def plan(
    size: tuple[int, int],
    *,
    scale: float | None,
    print_: str | None,
    dpi: float,
    fit: str,
    bleed: float | str | None,
    max_scale: float,
) -> Size:
    """Say how large a picture of this height and width becomes; see `upscale` for the options."""
    if not 1 <= max_scale <= MOST:
        raise OptionError(f"--max-scale {max_scale:g}: must be from 1 to {MOST}")
    if scale is not None and not 1 < scale <= max_scale:
        raise OptionError(
            f"--scale {scale:g}: must be above 1, and {max_scale:g} at most, as --max-scale says"
        )
    if print_ is None:
        if bleed is not None:
            raise OptionError("--bleed: goes beyond the paper that --print names; give that too")
        factor = min(4, max_scale) if scale is None else scale
        height, width = (round(side * factor) for side in size)
        return Size(factor, (height, width), (height, width))
    if scale is not None:
        raise OptionError("--scale and --print: both say how large; give one")
    if not LEAST_DPI <= dpi <= MOST_DPI:
        raise OptionError(f"--dpi {dpi:g}: must be from {LEAST_DPI} to {MOST_DPI}")
    if fit not in ("fit", "fill", "pad"):
        raise OptionError(f"--fit {fit}: must be one of fit, fill, pad")
    beyond = 0.0 if bleed is None else to_metres(bleed)
    if beyond > WIDEST_BLEED:
        raise OptionError(f"--bleed {bleed}: must be {WIDEST_BLEED:g}m at most")

    def planned(dpi: float) -> tuple[float, tuple[int, int]]:
        """How many times larger, and the sheet."""
        metres = (side + 2 * beyond for side in to_paper(print_))
        width, height = (max(1, round(side / INCH * dpi)) for side in metres)
        ratios = height / size[0], width / size[1]
        return (max if fit == "fill" else min)(ratios), (height, width)

    factor, sheet = planned(dpi)
    if factor > max_scale:
        less = math.floor(dpi * max_scale / factor)
        while less >= LEAST_DPI and planned(less)[0] > max_scale:  # pixels are whole
            less -= 1
        remedy = f"use --dpi {less}, or smaller paper" if less >= LEAST_DPI else "use smaller paper"
        remedy += f", or --max-scale {math.ceil(factor)}" if factor <= MOST else ""
        raise OptionError(
            f"--print {print_}: at {dpi:g} dpi the picture would become {factor:.1f} times larger, "
            f"more than {max_scale:g}; {remedy}"
        )
    # rounded up where it fills, or a line of paper might stay white
    height, width = (
        max(1, math.ceil(side * factor - 1e-6) if fit == "fill" else round(side * factor))
        for side in size
    )
    picture, cut = (height, width), round(beyond / INCH * dpi)
    if fit == "fit" and 2 * cut >= min(picture):
        raise OptionError(
            f"--bleed {bleed}: would cut all of the fitted picture; use --fit fill or pad"
        )
    return Size(factor, picture, picture if fit == "fit" else sheet, cut)


def on_paper(picture: Tensor, sheet: tuple[int, int]) -> Tensor:
    """A picture [1, C, H, W] in the middle of a sheet: what sticks out is cut, the rest white."""
    white = torch.iinfo(picture.dtype).max
    result = torch.full((*picture.shape[:2], *sheet), white, dtype=picture.dtype)
    ours, theirs = [], []
    for side, room in zip(images.size_of(picture), sheet, strict=True):
        length, before = min(side, room), (room - side) // 2
        ours.append(slice(max(0, before), max(0, before) + length))
        theirs.append(slice(max(0, -before), max(0, -before) + length))
    result[..., ours[0], ours[1]] = picture[..., theirs[0], theirs[1]]
    return result
