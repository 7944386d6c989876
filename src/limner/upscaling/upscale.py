"""`upscale`: a larger picture, tile by tile."""

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

from limner import io
from limner._version import __version__
from limner.errors import OptionError
from limner.io import Source
from limner.nn import devices, images, weights
from limner.nn.tiles import cover
from limner.progress import OnStep, Progress, silent
from limner.upscaling import models, paper
from limner.upscaling.models import Upscaler
from limner.upscaling.tile_blending import Mosaic, floats, resized, whole

LARGEST = 400e6  # pixels of a result
SMALLEST_TILE = 32
TILE = 256  # pixels of a side: what fits into caches is fastest
QUALITIES = ("fast", "best")
INVENTIVE = ("best", 4)  # the quality and the scale that have an inventive twin
_LOCK, _PASSES = 2, 3  # pixels of the input on each side over which colours are held; how often


def upscale(
    picture: Source,
    *,
    scale: float | None = None,
    print_: str | None = None,
    dpi: float = 150,
    fit: Literal["fit", "fill", "pad"] = "fit",
    bleed: float | str | None = None,
    max_scale: float = 4,
    quality: Literal["fast", "best"] = "fast",
    detail: float = 0,
    model: str | None = None,
    inventive: str | None = None,
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
        What to enlarge. Its profile and, in a .png, its 16 bits are kept.
    scale : float
        How many times larger each side becomes, above 1; between the networks' own 2 and 4 by
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
        5 cm at most. In a .pdf it lies between bleed box and trim box.
    max_scale : float
        Refuse to make a side more than so many times larger, 16 at most: beyond 4 a network works
        on what a network made.
    quality : str
        The network that ships: ``fast``, or ``best`` in four times the time.
    detail : float
        0 for what is likely to have been there, 1 for what looks as if it had been; ``best`` only.
    model : str
        Another network's weights instead, as ``.safetensors`` or ``.pth``: a compact one's, or
        ESRGAN's, or with the extra ``models`` what spandrel knows.
    inventive : str
        Weights of the same network as `model` that `detail` goes towards.
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
        RGB, or RGBA where the picture has alpha, with profile, resolution and recipe; in ``info``
        ``bleed``, in pixels, and of a picture of 16 bits ``deep``.

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
    if quality not in QUALITIES:
        raise OptionError(f"--quality {quality}: must be one of {', '.join(QUALITIES)}")
    if not 0 <= detail <= 1:
        raise OptionError(f"--detail {detail:g}: must be from 0 to 1")
    if inventive is not None and (model is None or detail == 0):
        raise OptionError("--inventive: goes with --model, and --detail above 0")
    if detail and inventive is None and (model or quality != INVENTIVE[0]):
        raise OptionError(
            f"--detail {detail:g}: needs --quality {INVENTIVE[0]}, or --model with --inventive"
        )
    where = devices.pick(device)
    subject = io.read(picture, allow_huge=allow_huge, native=True)
    size = paper.plan(
        images.size_of(subject.rgb),
        scale=scale,
        print_=print_,
        dpi=dpi,
        fit=fit,
        bleed=bleed,
        max_scale=max_scale,
    )
    wanted = size.picture
    height, width = max(wanted, size.sheet, key=math.prod)
    if height * width > LARGEST and not allow_huge:
        raise OptionError(
            f"{width}×{height} = {height * width / 1e6:.0f} megapixels: more than "
            f"{LARGEST / 1e6:.0f}; use a smaller --scale or --dpi, or pass --allow-huge"
        )
    networks = _networks(size.factor, quality, detail, model, inventive, where)
    files = {subject.name: subject.sha256}
    for own in filter(None, (model, inventive)) if networks else ():
        files[own] = weights.sha256(Path(own))
    recipe: dict[str, object] = {
        "verb": "upscale",
        "version": __version__,
        "inputs": [subject.name],
        "options": {
            "scale": scale,
            "print_": print_,
            "dpi": float(dpi),
            "fit": fit,
            "bleed": f"{bleed}m" if isinstance(bleed, float) else bleed,
            "max_scale": float(max_scale),
            "quality": quality,
            "detail": float(detail),
            "model": model,
            "inventive": inventive,
            "colour_lock": colour_lock,
            "allow_huge": allow_huge,
        },
        "files": files,
    }
    stage, turn, remarks = f"{wanted[1]}×{wanted[0]} px", 0, list(subject.notes)

    def tell(done: int, tiles: int, note: str, made: Mosaic | None = None) -> None:
        preview = None if made is None else lambda: io.to_picture(made.seen())
        seconds, share = time.monotonic() - began, (turn + done / tiles) / max(1, len(networks))
        for remark in (note, *remarks):
            on_step(
                Progress(
                    "upscale",
                    stage,
                    done,
                    tiles,
                    seconds,
                    preview=preview,
                    note=remark,
                    share=share,
                    size=size.sheet,
                )
            )
        remarks.clear()

    depth = torch.uint16 if subject.deep else torch.uint8
    large = subject.rgb
    for turn, network in enumerate(networks):
        ahead = math.prod(one.scale for one in networks[turn:])
        least = -(-wanted[0] // ahead), -(-wanted[1] // ahead)
        if turn and images.size_of(large)[0] > least[0]:  # no more than is wanted is made of it
            large = resized(large, least)
        large = enlarged(network, floats(large), colour_lock, tile or TILE, tell, depth)
    if not networks:
        large = whole(large, depth)
        tell(0, 1, f"{stage}, smaller than it was, to {size.factor:.0%} a side")
        tell(1, 1, "")
    if _is_grey(subject.rgb):
        large = images.luma(floats(large))
        large = whole(large.expand(-1, 3, -1, -1), depth)
    if images.size_of(large) != wanted:
        large = resized(large, wanted)
    alpha = None if subject.alpha is None else whole(images.resize(subject.alpha, wanted), depth)
    if print_ is not None:
        subject = replace(subject, dpi=(dpi, dpi))
        large = paper.on_paper(large, size.sheet)
        alpha = None if alpha is None else paper.on_paper(alpha, size.sheet)
    result = io.to_picture(large, alpha, like=subject, recipe=recipe)
    result.info["bleed"] = size.bleed
    return result


def _networks(
    factor: float,
    quality: str,
    detail: float,
    model: str | None,
    inventive: str | None,
    where: torch.device,
) -> list[Upscaler]:
    """The networks that one after the other make a picture so many times larger, or more."""
    if model is not None:
        network = models.load(Path(model), where)
        if inventive is not None:
            models.mix(network, models.load(Path(inventive), where), detail, inventive)
        times = math.log(factor, network.scale) if network.scale > 1 else float(factor > 1)
        return [network] * max(0, math.ceil(times - 1e-9))
    found = []
    while factor > 1:
        scale = INVENTIVE[1] if detail or factor > 2 else 2
        name = f"upscaler-{quality}-x{scale}"
        network = models.load(weights.SHIPPED / f"{name}.safetensors", where)
        if detail:
            twin = models.load(weights.SHIPPED / f"{name}-inventive.safetensors", where)
            models.mix(network, twin, detail, f"{name}-inventive")
        found.append(network)
        factor, detail = factor / scale, 0  # what was invented once is then true
    return found


@torch.no_grad()
def enlarged(
    network: Upscaler,
    rgb: Tensor,
    lock: bool,
    side: int,
    tell: Callable[..., None],
    depth: torch.dtype = torch.uint8,
) -> Tensor:
    """Enlarge a picture [1, 3, H, W] in 0..1 to uint8 or uint16, tile by tile.

    Each tile sees as many pixels around it as the network does, so that there are no seams. Of a
    network that sees too far for that, neighbouring tiles are blended.
    """
    height, width = images.size_of(rgb)
    scale, feather = network.scale, network.feather
    device = next(network.parameters(), rgb).device
    margin = network.radius + feather + ((_LOCK + 1) * _PASSES if lock else 0)
    tiles = cover(height, width, side=side, margin=margin, multiple=1)
    parts = f"in {len(tiles)} tiles" if len(tiles) > 1 else "in one piece"
    tell(0, len(tiles), f"{width * scale}×{height * scale} px, {parts}")
    mosaic = Mosaic(tiles, scale, feather, depth)
    for done, tile in enumerate(tiles, 1):
        top, bottom, left, right = tile.outer
        part = rgb[..., top:bottom, left:right].to(device)
        try:
            large = network(part)
            large = locked(large, part) if lock else large
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error) or side <= SMALLEST_TILE:
                raise
            tell(done - 1, len(tiles), f"not enough memory for tiles of {side}; halving them")
            return enlarged(network, rgb, lock, max(SMALLEST_TILE, side // 2), tell, depth)
        mosaic.put(large, tile)
        tell(done, len(tiles), "", mosaic)
    return mosaic.result


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
