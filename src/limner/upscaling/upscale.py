"""`upscale`: a larger picture, tile by tile."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import __version__, devices, images, weights
from limner.errors import OptionError
from limner.images import Source
from limner.lengths import INCH, to_metres, to_paper
from limner.progress import OnStep, Progress, silent
from limner.tiles import Tile, cover
from limner.upscaling import models
from limner.upscaling.models import Upscaler

MOST = 4  # times larger: beyond, all detail would be invented
LARGEST = 400e6  # pixels of a result
SMALLEST_TILE = 32
WIDEST_BLEED = 0.05  # metres
TILE = 256  # pixels of a side: what fits into caches is fastest
_LOCK, _PASSES = 2, 3  # pixels of the input on each side over which colours are held; how often


def upscale(
    picture: Source,
    *,
    scale: float | None = None,
    print_: str | None = None,
    dpi: float = 150,
    fit: Literal["fit", "fill", "pad"] = "fit",
    bleed: float | str | None = None,
    quality: Literal["fast"] = "fast",
    model: str | None = None,
    colour_lock: bool = True,
    tile: int | None = None,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture larger, and what is in it sharper.

    Parameters
    ----------
    picture : str, path or PIL image
        What to enlarge.
    scale : float
        How many times larger each side becomes, above 1 to 4; between the networks' own 2 and 4 by
        shrinking what the larger gives. Left out: 4.
    print_ : str
        Instead, the paper to be filled: ``60x40cm``, ``24x16in``, the width first.
    dpi : float
        Pixels on an inch of it, 30 to 1200.
    fit : str
        How the picture comes onto paper of another shape: ``fit`` into it, as large as it goes;
        ``fill`` it, and lose what sticks out; ``pad`` it with white.
    bleed : float or str
        How far the picture goes on beyond every edge of the paper, where it will be cut: ``3mm``,
        5 cm at most.
    quality : str
        The network that ships: ``fast``.
    model : str
        Another network's weights instead: a compact one, or ESRGAN's, as ``.safetensors`` or
        ``.pth``.
    colour_lock : bool
        Keep every place's mean colour as it was.
    tile : int
        Side in pixels of the parts that are enlarged one by one, at least 32. Left out: 256, and
        less where memory does not do.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too, and make such of more than 400.
    on_step : callable
        Called with a `Progress` before the first and after every tile. Raise `Stop` in it to end
        early; there is no picture then.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA where the picture has alpha, with sRGB profile, resolution and recipe.

    Raises
    ------
    InputError
        A picture that cannot be read.
    OptionError
        An option out of its range, or a result too large.
    WeightsError
        The network cannot be had.
    """
    began = time.monotonic()
    if tile is not None and tile < SMALLEST_TILE:
        raise OptionError(f"--tile {tile}: must be {SMALLEST_TILE} or more")
    where = devices.pick(device)
    subject = images.read(picture, allow_huge=allow_huge)
    size = images.size_of(subject.rgb)
    factor, paper = _factor(size, scale, print_, dpi, fit, bleed)
    whole = math.ceil if fit == "fill" else round  # else a line of paper might stay white
    wanted = max(1, whole(size[0] * factor)), max(1, whole(size[1] * factor))
    if math.prod(wanted) > LARGEST and not allow_huge:
        raise OptionError(
            f"{wanted[1]}×{wanted[0]} = {math.prod(wanted) / 1e6:.0f} megapixels: more than "
            f"{LARGEST / 1e6:.0f}; use a smaller --scale or --dpi, or pass --allow-huge"
        )
    shipped = models.SHIPPED.get((quality, 2 if factor <= 2 else 4))
    if shipped is None:
        raise OptionError(f"--quality {quality}: must be fast")
    path = Path(model) if model else weights.SHIPPED / f"{shipped}.safetensors"
    network = models.load(path, where)
    files = {subject.name: subject.sha256}
    if model:
        files[model] = hashlib.sha256(path.read_bytes()).hexdigest()
    recipe: dict[str, object] = {
        "verb": "upscale",
        "version": __version__,
        "inputs": [subject.name],
        "options": {
            "scale": scale,
            "print_": print_,
            "dpi": float(dpi),
            "fit": fit,
            "bleed": bleed,
            "quality": quality,
            "model": model,
            "colour_lock": colour_lock,
            "allow_huge": allow_huge,
        },
        "files": files,
    }

    def tell(done: int, tiles: int, note: str) -> None:
        seconds = time.monotonic() - began
        stage = f"{wanted[1]}×{wanted[0]} px"
        note = note if done else f"{stage}, {note}"
        share = done / tiles
        on_step(Progress("upscale", stage, done, tiles, seconds, note=note, share=share))

    if factor > 1:
        large = enlarged(network, subject.rgb.to(where), colour_lock, tile or TILE, tell)
    else:
        large = (subject.rgb * 255).round().to(torch.uint8)
        tell(0, 1, f"smaller than it was, to {factor:.0%} a side")
        tell(1, 1, "")
    if _is_grey(subject.rgb):
        large = _grey(large)
    if images.size_of(large) != wanted:
        large = F.interpolate(large, wanted, mode="bicubic", antialias=True)
    alpha = None
    if subject.alpha is not None:
        alpha = (images.resize(subject.alpha, wanted) * 255).round().to(torch.uint8)
    if paper is not None:
        subject = replace(subject, dpi=(dpi, dpi))
        if fit != "fit":
            large = _on_paper(large, paper)
            alpha = None if alpha is None else _on_paper(alpha, paper)
    return images.to_picture(large, alpha, like=subject, recipe=recipe)


def _factor(
    size: tuple[int, int],
    scale: float | None,
    print_: str | None,
    dpi: float,
    fit: str,
    bleed: float | str | None,
) -> tuple[float, tuple[int, int] | None]:
    """How many times larger a picture of this height and width becomes; the sheet in pixels."""
    beyond = 0.0 if bleed is None else to_metres(bleed)
    if scale is not None and not 1 < scale <= MOST:
        raise OptionError(f"--scale {scale:g}: must be above 1, and {MOST} at most")
    if print_ is None:
        if bleed is not None:
            raise OptionError("--bleed: goes beyond the paper that --print names; give that too")
        return MOST if scale is None else scale, None
    if scale is not None:
        raise OptionError("--scale and --print: both say how large; give one")
    if not 30 <= dpi <= 1200:
        raise OptionError(f"--dpi {dpi:g}: must be from 30 to 1200")
    if fit not in ("fit", "fill", "pad"):
        raise OptionError(f"--fit {fit}: must be one of fit, fill, pad")
    if beyond > WIDEST_BLEED:
        raise OptionError(f"--bleed {bleed}: must be {WIDEST_BLEED:g}m at most")
    sheet = (metres + 2 * beyond for metres in to_paper(print_))
    width, height = (round(metres / INCH * dpi) for metres in sheet)
    ratios = height / size[0], width / size[1]
    factor = max(ratios) if fit == "fill" else min(ratios)
    if factor > MOST:
        raise OptionError(
            f"--print {print_}: at {dpi:g} dpi the picture would become {factor:.1f} times larger, "
            f"more than {MOST}; use --dpi {math.floor(dpi * MOST / factor)}, or smaller paper"
        )
    return factor, (height, width)


def _on_paper(picture: Tensor, paper: tuple[int, int]) -> Tensor:
    """A picture [1, C, H, W] in the middle of a sheet: what sticks out is cut, the rest white."""
    room = [sheet - side for sheet, side in zip(paper, images.size_of(picture), strict=True)]
    (top, left), (down, right) = (r // 2 for r in room), (r - r // 2 for r in room)
    return F.pad(picture, (left, right, top, down), value=255)


@torch.no_grad()
def enlarged(
    network: Upscaler, rgb: Tensor, lock: bool, side: int, tell: Callable[[int, int, str], None]
) -> Tensor:
    """Enlarge a picture [1, 3, H, W] in 0..1 to uint8, tile by tile.

    Each tile sees as many pixels around it as the network does, so that there are no seams.
    """
    height, width = images.size_of(rgb)
    scale = network.scale
    margin = network.radius + ((_LOCK + 1) * _PASSES if lock else 0)
    result = torch.empty((1, 3, height * scale, width * scale), dtype=torch.uint8)
    tiles = cover(height, width, side=side, margin=margin, multiple=1)
    tell(0, len(tiles), f"in {len(tiles)} tiles" if len(tiles) > 1 else "in one piece")
    for done, tile in enumerate(tiles, 1):
        top, bottom, left, right = tile.outer
        part = rgb[..., top:bottom, left:right]
        try:
            large = network(part)
            large = locked(large, part) if lock else large
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error) or side <= SMALLEST_TILE:
                raise
            tell(done - 1, len(tiles), f"not enough memory for tiles of {side}; halving them")
            return enlarged(network, rgb, lock, max(SMALLEST_TILE, side // 2), tell)
        rows, columns = _inner(tile, scale)
        to_top, to_bottom, to_left, to_right = (edge * scale for edge in tile.core)
        pixels = large[..., rows, columns].clamp(0, 1).mul(255).round().to(torch.uint8)
        result[..., to_top:to_bottom, to_left:to_right] = pixels
        tell(done, len(tiles), "")
    return result


def _inner(tile: Tile, scale: int) -> tuple[slice, slice]:
    """Where a tile's core lies in what was made of its outer part."""
    top, bottom, left, right = tile.core
    above, _, before, _ = tile.outer
    return (
        slice((top - above) * scale, (bottom - above) * scale),
        slice((left - before) * scale, (right - before) * scale),
    )


def locked(large: Tensor, small: Tensor) -> Tensor:
    """Give an enlarged picture [N, 3, sH, sW] the local mean colours of what it was made of.

    What the square of each pixel lacks, averaged over the pixels around, is added; some times, for
    what that takes beyond white or black is lost. Of sRGB as it is, and not of linear light: so
    pictures are made small by nearly everybody, and in linear light fine detail would darken.
    """
    scale = large.shape[-1] // small.shape[-1]
    window = 2 * _LOCK + 1
    for _ in range(_PASSES):
        lacking = small - F.avg_pool2d(large.clamp(0, 1), scale)
        lacking = F.avg_pool2d(lacking, window, 1, _LOCK, count_include_pad=False)
        large = large.clamp(0, 1) + F.interpolate(lacking, scale_factor=scale, mode="bilinear")
    return large


def _is_grey(rgb: Tensor) -> bool:
    return bool(torch.equal(rgb[:, :1], rgb[:, 1:2]) and torch.equal(rgb[:, :1], rgb[:, 2:]))


def _grey(rgb: Tensor) -> Tensor:
    """The same without colour: a grey picture stays grey."""
    return images.luma(rgb.float()).round().to(torch.uint8).expand_as(rgb)
