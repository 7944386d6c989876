"""How large a picture becomes, on a screen or on paper."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from limner import images
from limner.errors import OptionError
from limner.lengths import INCH, to_metres, to_paper

WIDEST_BLEED = 0.05  # metres
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
    if not 30 <= dpi <= 1200:
        raise OptionError(f"--dpi {dpi:g}: must be from 30 to 1200")
    if fit not in ("fit", "fill", "pad"):
        raise OptionError(f"--fit {fit}: must be one of fit, fill, pad")
    beyond = 0.0 if bleed is None else to_metres(bleed)
    if beyond > WIDEST_BLEED:
        raise OptionError(f"--bleed {bleed}: must be {WIDEST_BLEED:g}m at most")
    width, height = (round((metres + 2 * beyond) / INCH * dpi) for metres in to_paper(print_))
    ratios = height / size[0], width / size[1]
    factor = max(ratios) if fit == "fill" else min(ratios)
    if factor > max_scale:
        more = f", or --max-scale {math.ceil(factor)}" if factor <= MOST else ""
        raise OptionError(
            f"--print {print_}: at {dpi:g} dpi the picture would become {factor:.1f} times larger, "
            f"more than {max_scale:g}; use --dpi {math.floor(dpi * max_scale / factor)}, or "
            f"smaller paper{more}"
        )
    whole = math.ceil if fit == "fill" else round  # else a line of paper might stay white
    picture = max(1, whole(size[0] * factor)), max(1, whole(size[1] * factor))
    sheet = picture if fit == "fit" else (height, width)
    return Size(factor, picture, sheet, round(beyond / INCH * dpi))


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
