"""`upscale`: make a picture larger with a neural network."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_range
from limner.errors import OptionError
from limner.io import Source
from limner.nn import images, machine, onnx_model, weights
from limner.progress import OnStep, Reporter, silent
from limner.units import to_factor
from limner.upscaling import realesrgan
from limner.upscaling.enlarge import DEFAULT_TILE, LOCK_MARGIN, MIN_TILE, enlarge
from limner.upscaling.models import Upscaler, use_onnx_runtime
from limner.upscaling.networks import NetworkOptions, for_alpha
from limner.upscaling.paper import (
    DEFAULT_DPI,
    Size,
    SizeOptions,
    place_on_paper,
    plan,
    with_square_pixels,
)
from limner.upscaling.pixels import (
    by_bands,
    crop,
    is_gray,
    resize_integer,
    resize_tile,
    tint_of,
    to_float,
    to_integer,
    wrap,
)
from limner.upscaling.tile_blending import TileBlender

MAX_PIXELS = 400e6


def upscale(
    picture: Source,
    *,
    scale: float | str | None = None,
    width: int | None = None,
    height: int | None = None,
    print_: str | None = None,
    dpi: float = DEFAULT_DPI,
    fit: Literal["fit", "fill", "pad"] = "fit",
    bleed: str | float | None = None,
    max_scale: float = 4,
    quality: Literal["fast", "best"] | None = None,
    detail: float | None = None,
    kind: Literal["photo", "drawing"] = "photo",
    clean: float = 0,
    model: realesrgan.Name | str | None = None,
    inventive: str | None = None,
    color_lock: bool = True,
    tileable: bool = False,
    tile: int | None = None,
    device: str = "auto",
    runtime: Literal["torch", "onnxruntime"] = "torch",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Make a picture larger and sharper, for a screen or for print.

    Parameters
    ----------
    picture : str, path or PIL image
        The picture to enlarge. Its color profile is kept, and its 16 bits per channel if the
        result is a .png.
    scale : float or str
        How many times larger each side becomes, above 1, as in 2, 2x or 200%. Default: 4, or the
        value of ``--max-scale`` if that is lower.
    width : int
        Width of the result in pixels, instead of ``--scale``. With ``--height`` too, the result
        fits into both, and keeps its shape.
    height : int
        Height of the result in pixels, instead of ``--scale``.
    print_ : str
        Make the picture as large as this paper instead: width x height, as in 60x40cm or 24x16in,
        or A0 to A6 or letter, which turn with the picture. Default: no paper.
    dpi : float
        Print resolution in pixels per inch, from 30 to 1200. Needs ``--print``.
    fit : str
        How the picture goes onto paper of another shape: ``fit`` keeps all of it, and the result
        has the shape of the picture; ``fill`` covers the paper and crops what sticks out; ``pad``
        keeps all of it and adds white borders. Needs ``--print``.
    bleed : float or str
        Extra picture beyond each edge of the paper, for the printer to cut off, as in 3mm. At most
        5cm. A .pdf marks it with its trim box. Needs ``--print``. Default: none.
    max_scale : float
        The most times larger a side may become, from 1 to 16. Above 4, the networks enlarge what
        they have made themselves, and the result becomes less true to the original.
    quality : str
        Network that comes with limner: ``best``, or ``fast``, which takes about a fifth of the
        time and is a little less sharp. Default: best. Not with ``--kind drawing`` or ``--model``.
    detail : float
        How sharp the result is: from 0, faithful and soft, to 1, sharp with plausible but invented
        texture. 0 with ``--kind drawing``, and with ``--model`` without ``--inventive``. Default:
        0.65.
    kind : str
        What the picture shows. Use ``photo`` for paintings too, and ``drawing`` for line art and
        logos, whose edges become hard. Not with ``--model``.
    clean : float
        Share of the noise, dust and JPEG blocks to remove first, from 0 (none) to 1 (all).
    model : str
        Another network, or a weights file. With limner[realesrgan] installed: ``realesrgan``, slow
        and sharp, which also removes noise; ``realesrgan-anime`` for drawings;
        ``realesr-animevideo``, which is faster. Files are .safetensors, .pth or .param, of
        Real-ESRGAN's compact network (SRVGGNetCompact) or ESRGAN. With limner[models] installed,
        also SwinIR and all others that spandrel knows. Default: the network that ``--quality``
        chooses.
    inventive : str
        Weights file of the perceptual variant of ``--model``, which adds the texture that
        ``--detail`` asks for. Default: none.
    color_lock : bool
        Keep the mean color of every small area as in the original.
    tileable : bool
        The picture is a texture that repeats: keep its edges seamless. Not with ``--print``.
    tile : int
        Side of the tiles in which the picture is computed, in pixels of the original, at least 32.
        Smaller tiles need less memory. Default: 256, or less if memory runs out.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    runtime : str
        What computes the network: ``torch``, or ``onnxruntime``, on the CPU, with limner[export]
        installed.
    allow_huge : bool
        Also read pictures of more than 100 megapixels, and make pictures of more than 400.
    on_step : callable
        Called with a `Progress` before the first tile and after each. If it raises `Stop`, the
        exception propagates, because there is no complete picture.

    Returns
    -------
    PIL.Image.Image
        RGB, or RGBA if the picture has transparency, with its color profile, resolution and
        recipe. ``info["bleed"]`` is the bleed in pixels; ``info["deep"]`` holds the values of a
        picture of 16 bits per channel.

    Raises
    ------
    InputError
        The picture cannot be read.
    OptionError
        An option is out of range or has no effect, or the result would be too large.
    WeightsError
        The network cannot be loaded.
    """
    report = Reporter("upscale", on_step)
    check_range("tile", tile, MIN_TILE)
    choice = NetworkOptions(quality, detail, kind, clean, model, inventive)
    choice.check()
    scale = None if scale is None else to_factor("scale", scale)
    size_options = SizeOptions(scale, print_, dpi, fit, bleed, max_scale, width, height)
    size_options.check()
    if tileable and print_ is not None:
        raise OptionError("--tileable: has no effect with --print; leave one of them out")
    torch_device = onnx_model.pick_device(device, runtime)

    source = io.read(picture, allow_huge=allow_huge, native=True)
    if print_ is not None:
        source = with_square_pixels(source)
    size = plan(images.size_of(source.rgb), size_options)
    if not allow_huge:
        _check_pixels(size)
    networks = choice.load(size.factor, torch_device)
    cleaner = choice.load_cleaner(torch_device)
    options: dict[str, object] = {
        "scale": scale,
        "print_": print_,
        "dpi": float(dpi),
        "fit": fit,
        "bleed": f"{bleed}m" if isinstance(bleed, float) else bleed,
        "max_scale": float(max_scale),
        "color_lock": color_lock,
        "allow_huge": allow_huge,
        "width": width,
        "height": height,
        "tileable": tileable,
        "runtime": runtime,
        **choice.resolved(),
    }
    masks: list[Upscaler] = []
    if source.alpha is not None and float(source.alpha.min()) < float(source.alpha.max()):
        masks = for_alpha(source.alpha, choice.quality).load(size.factor, torch_device)
    if runtime == "onnxruntime":
        for network in {*networks, *masks, *([cleaner] if cleaner else [])}:
            use_onnx_runtime(network)
    own_files = choice.own_files() if networks else set()
    hashes = {name: weights.sha256(Path(name)) for name in own_files}
    recipe = io.make_recipe("upscale", [source.name], options, [source], hashes)

    depth = torch.uint16 if source.deep else torch.uint8
    passes = networks if cleaner is None else [cleaner, *networks]
    on_tile = _PassReporter(report, size, len(passes) + len(masks), source.notes)
    side = DEFAULT_TILE if tile is None else tile
    tint = None if tileable and not is_gray(source.rgb) else tint_of(source.rgb)  # has no wrap
    is_tinted = tint is not None and not is_gray(source.rgb)
    # bytes of memory at the peak
    per_pixel = 60 if is_tinted or source.alpha is not None else 20 * depth.itemsize
    machine.check_room("the result", *max(size.picture, size.sheet, key=math.prod), per_pixel)
    small = source.rgb if tint is None else (source.rgb - tint).clamp(0, 1)
    if passes:
        locks = [color_lock and network is not cleaner for network in passes]
        rgb = _apply(passes, small, size.picture, locks, tileable, side, depth, on_tile)
    else:
        on_tile(0, 1, f"{on_tile.stage}, shrunk to {size.factor:.0%} of each side")
        on_tile(1, 1)
        rgb = to_integer(small, depth)
    if tint is not None:  # the networks can add a little color
        if is_tinted:
            gray = images.luma(to_float(rgb)).expand(-1, 3, -1, -1)
            gray = gray + images.resize(tint + 0.5, images.size_of(gray)) - 0.5
            rgb = to_integer(gray, depth)
        else:
            gray = by_bands(rgb, lambda band: to_integer(images.luma(to_float(band)), depth))
            rgb = gray.expand(-1, 3, -1, -1)
    if images.size_of(rgb) != size.picture:
        rgb = (resize_tile if tileable else resize_integer)(rgb, size.picture)
    alpha = None if source.alpha is None else to_integer(source.alpha, depth)
    if masks and source.alpha is not None:
        on_tile.before, gray = len(passes), source.alpha.expand(-1, 3, -1, -1)
        unlocked = [False] * len(masks)  # kept means would be a haze around thin parts
        large = _apply(masks, gray, size.picture, unlocked, tileable, side, depth, on_tile)
        alpha = by_bands(
            large, lambda band: to_integer(to_float(band).mean(1, keepdim=True), depth)
        )
    if alpha is not None and images.size_of(alpha) != size.picture:
        alpha = (resize_tile if tileable else resize_integer)(alpha, size.picture)
    if print_ is not None:
        source = replace(source, dpi=(dpi, dpi))
        rgb = place_on_paper(rgb, size.sheet)
        alpha = None if alpha is None else place_on_paper(alpha, size.sheet)
    result = io.to_picture(rgb, alpha, like=source, recipe=recipe)
    result.info["bleed"] = size.bleed
    return result


def _check_pixels(size: Size) -> None:
    """Refuse a result that is probably a typing error."""
    height, width = max(size.picture, size.sheet, key=math.prod)
    if height * width > MAX_PIXELS:
        raise OptionError(
            f"{width}×{height} = {height * width / 1e6:.0f} megapixels: more than "
            f"{MAX_PIXELS / 1e6:.0f}; ask for a smaller size, or pass --allow-huge"
        )


def _apply(
    networks: Sequence[Upscaler],
    rgb: Tensor,
    size: tuple[int, int],
    locks: Sequence[bool],
    tileable: bool,
    tile: int,
    depth: torch.dtype,
    on_tile: "_PassReporter",
) -> Tensor:
    """Apply the networks one after the other. The result has at least the given size."""
    large, resize = rgb, resize_tile if tileable else resize_integer
    for index, (network, lock) in enumerate(zip(networks, locks, strict=True)):
        on_tile.index = index
        # shrink first to what the remaining passes need
        remaining = math.prod(later.scale for later in networks[index:])
        needed = -(-size[0] // remaining), -(-size[1] // remaining)
        if index and images.size_of(large)[0] > needed[0]:
            large = resize(large, needed)
        small = to_float(large)
        margin = network.radius + network.feather + LOCK_MARGIN if tileable else 0
        large = enlarge(
            network,
            wrap(small, (margin, margin)) if tileable else small,
            color_lock=lock,
            tile=tile,
            on_tile=on_tile,
            depth=depth,
        )
        large = crop(large, (network.scale * margin, network.scale * margin))
    return large


class _PassReporter:
    """Reports the tiles of several passes. The first report is the plan, then come the notes.

    Parameters
    ----------
    report : Reporter
        Of the call.
    size : Size
        Of the result.
    passes : int
        Number of networks that are applied.
    notes : sequence of str
        Remarks about the picture that was read.
    """

    def __init__(self, report: Reporter, size: Size, passes: int, notes: Sequence[str]) -> None:
        self.stage = f"{size.picture[1]}×{size.picture[0]} px"
        self.before, self.index = 0, 0  # the current pass: those before, and its place after them
        self._report, self._size = report, size.sheet
        self._passes, self._notes = max(1, passes), list(notes)

    def __call__(
        self, done: int, tiles: int, note: str = "", picture: TileBlender | None = None
    ) -> None:
        preview = None if picture is None else lambda: io.to_picture(picture.preview())
        share = (self.before + self.index + done / tiles) / self._passes
        for text in (note, *self._notes):
            self._report(
                self.stage, done, tiles, preview=preview, note=text, share=share, size=self._size
            )
        self._notes.clear()
