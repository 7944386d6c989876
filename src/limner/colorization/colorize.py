"""`colorize`: turn a line drawing into a colored picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from limner import io
from limner.checks import check_choice, check_range
from limner.color import palette as palettes
from limner.colorization.compose import LINES, enlarge, lay_lines, to_layers
from limner.colorization.edge_aware import smooth
from limner.colorization.hints import apply_hints, read_hints, vary_hints
from limner.colorization.network import HINTS, Colorizer
from limner.colorization.pix2pix import UNet
from limner.errors import OptionError, WeightsError, printable
from limner.io import Picture, Source
from limner.io.openraster import Layers
from limner.line_art.lines import extract_ink
from limner.nn import devices, images, seeding, weights
from limner.progress import OnStep, Reporter, Stop, silent

MAX_VARIATIONS = 16
MIN_SIZE, MAX_SIZE = 64, 1024  # pixels of the short side at which the network works
_SMOOTHING = 1 / 4  # sigma of the smoothing within a region, as a share of the short side
_PALETTE_SIZE = 256  # pixels of the longest side at which main colors are looked for


def colorize(
    sketch: Source,
    *,
    hints: Source | None = None,
    palette: str | None = None,
    palette_from: Source | None = None,
    lines: Literal["keep", "soften", "drop"] = "keep",
    layers: bool = False,
    variations: int = 1,
    size: int | None = None,
    model: str | None = None,
    seed: int = 0,
    device: str = "auto",
    allow_huge: bool = False,
    on_step: OnStep = silent,
) -> Image.Image:
    """Turn a line drawing into a colored picture.

    Parameters
    ----------
    sketch : str, path or PIL image
        The drawing: dark lines on white, on photographed paper or on transparency, or light lines
        on black.
    hints : str, path or PIL image
        A transparent picture with the aspect ratio of the drawing, with a stroke of color wherever
        you want that color.
    palette : str
        From 1 to 12 colors to use, such as ``"#aa3311,#ffe0bd"``.
    palette_from : str, path or PIL image
        Use the main colors of this picture.
    lines : str
        What to do with the lines: ``keep`` them over the colors, ``soften`` them to a darker shade
        of the colors, or ``drop`` them.
    layers : bool
        Also write lines and colors as separate layers, as an OpenRaster file (.ora) for Krita,
        GIMP or MyPaint.
    variations : int
        Number of pictures to make, from 1 to 16. Each one after the first has other hues in some
        places, and a file of its own.
    size : int
        Short side of the drawing as the network sees it, 64 to 1024 pixels. The result always has
        the size of the drawing. Default: the size that the network was trained with.
    model : str
        Weights file of another network, as made by ``limner train colorizer``. Default: the
        network that comes with limner.
    seed : int
        Random seed of the variations. The same seed gives the same pictures.
    device : str
        Where to compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest on this machine.
    allow_huge : bool
        Also read pictures of more than 100 megapixels.
    on_step : callable
        Called with a `Progress` before the first and after every variation. If it raises `Stop`,
        the variations that are done are returned.

    Returns
    -------
    PIL.Image.Image
        RGB, of the size of the drawing, with its recipe. ``info["beside"]`` holds the further
        variations (``"2"``, ``"3"``, …) and ``"layers"``.

    Raises
    ------
    InputError
        A picture cannot be read.
    OptionError
        An option is out of its range, or does not go with another.
    WeightsError
        The weights of the network are missing, damaged or of another kind.
    """
    report = Reporter("colorize", on_step)
    check_choice("lines", lines, LINES)
    check_range("variations", variations, 1, MAX_VARIATIONS)
    check_range("size", size, MIN_SIZE, MAX_SIZE)
    if palette is not None and palette_from is not None:
        raise OptionError("--palette and --palette-from: both choose the colors; give only one")
    colors = None if palette is None else palettes.parse(palette)
    torch_device = devices.pick(device)
    drawing = io.read(sketch, allow_huge=allow_huge)
    hinted = None if hints is None else io.read(hints, allow_huge=allow_huge)
    example = None if palette_from is None else io.read(palette_from, allow_huge=allow_huge)
    colors = colors if example is None else _main_colors(example)
    path = weights.SHIPPED / "colorizer.safetensors" if model is None else Path(model)
    network = load(path)
    pictures = [picture for picture in (drawing, hinted, example) if picture is not None]
    options = {
        "hints": hinted and hinted.name,
        "palette": palette,
        "palette_from": example and example.name,
        "lines": lines,
        "layers": layers,
        "variations": variations,
        "size": size,
        "model": model and str(model),
        "seed": seed,
        "allow_huge": allow_huge,
    }
    hashes = {str(model): weights.sha256(path)} if model else {}
    recipe = io.make_recipe("colorize", [drawing.name], options, pictures, hashes)

    shape = height, width = images.size_of(drawing.rgb)
    stage = f"{width}×{height} px"
    count = f"{stage}, {variations} variation{'s' * (variations > 1)}"
    for note in (count, *(note for picture in pictures for note in picture.notes)):
        report(stage, 0, variations, note=note, size=shape)
    plan = _plan(drawing, hinted, colors, network, size, torch_device)
    first = _colors(plan, plan.hints)
    results: list[Image.Image] = []
    beside: dict[str, Image.Image | Layers] = {}
    for number in range(1, variations + 1):
        varied = first if number == 1 else _variation(plan, first, number, seed)
        full = enlarge(varied, plan.small_ink, plan.ink)
        rgb = lay_lines(full, plan.ink, lines)
        results.append(io.to_picture(rgb, like=drawing, recipe=recipe))
        if number > 1:
            beside[str(number)] = results[-1]
        elif layers:
            beside["layers"] = to_layers(full, plan.ink, lines, results[-1])
        try:
            report(stage, number, variations, preview=results[-1].copy, size=shape)
        except Stop:
            break
    results[0].info["beside"] = beside
    return results[0]


def side_files(options: Mapping[str, Any]) -> dict[str, str | Path]:
    """Name the files that `colorize` can write beside its picture: name to ending.

    Parameters
    ----------
    options : mapping
        Keyword options of `colorize`.

    Returns
    -------
    dict of str to str or path
        ``".ora"`` for layers; empty, for the picture's own format, for the variations from 2 on.
    """
    variations = options.get("variations", 1)
    check_range("variations", variations, 1, MAX_VARIATIONS)
    files: dict[str, str | Path] = {"layers": ".ora"} if options.get("layers") else {}
    return files | {str(number): "" for number in range(2, variations + 1)}


def load(path: Path) -> Colorizer | UNet:
    """Read a colorizing network from its weights file.

    Raises
    ------
    WeightsError
        The file is missing, damaged or of another kind.
    """
    state, about = weights.read_described(path)
    if about.get("kind") != "colorizer":
        raise WeightsError(
            f"{printable(path)}: not weights for colorizing; use a file made by limner train "
            "colorizer"
        )
    with seeding.preserved():
        network = UNet() if about.get("architecture") == "article" else Colorizer()
    size = about.get("size", str(network.size))
    if not size.isdecimal() or not MIN_SIZE <= int(size) <= MAX_SIZE:
        raise WeightsError(
            f"{printable(path)}: says it was trained at {printable(size)} pixels; must be from "
            f"{MIN_SIZE} to {MAX_SIZE}; use another file"
        )
    network.size = int(size)
    weights.fill(network, state, str(path))
    network.requires_grad_(False)
    return network.eval()


@dataclass(frozen=True, eq=False)
class _Plan:
    """What all variations of one drawing share.

    Attributes
    ----------
    network : Colorizer or UNet
        On the device where everything is computed.
    ink : Tensor
        Of the drawing, [1, 1, H, W].
    small_ink : Tensor
        At the size at which the network works, [1, 1, h, w].
    hints : Tensor
        At the same size, [1, 4, h, w].
    palette : Tensor or None
        [n, 3], sRGB in 0..1.
    """

    network: Colorizer | UNet
    ink: Tensor
    small_ink: Tensor
    hints: Tensor
    palette: Tensor | None


def _plan(
    drawing: Picture,
    hints: Picture | None,
    palette: Tensor | None,
    network: Colorizer | UNet,
    size: int | None,
    device: torch.device,
) -> _Plan:
    """Extract the ink, and bring ink and hints to the size at which the network works."""
    ink = extract_ink(io.on_white(drawing)).to(device)
    height, width = images.size_of(ink)
    scale = min(1.0, (size or network.size) / min(height, width))
    small = max(1, round(height * scale)), max(1, round(width * scale))
    small_ink = ink
    if small != (height, width):
        small_ink = extract_ink(images.resize(1 - ink, small).expand(-1, 3, -1, -1))
    given = torch.zeros((1, HINTS, *small)) if hints is None else read_hints(hints, small)
    return _Plan(network.to(device), ink, small_ink, given.to(device), palette)


def _main_colors(picture: Picture) -> Tensor:
    """Find the main colors of a picture, at a size where that is fast."""
    rgb = io.on_white(picture)
    size = images.fit(*images.size_of(rgb), _PALETTE_SIZE)
    return palettes.main_colors(images.resize(rgb, size))


def _variation(plan: _Plan, first: Tensor, number: int, seed: int) -> Tensor:
    """Color the drawing with other hues in some places; the network adapts the rest to them."""
    hints = vary_hints(plan.hints, first, plan.small_ink, seed * MAX_VARIATIONS + number)
    return _colors(plan, hints)


def _colors(plan: _Plan, hints: Tensor) -> Tensor:
    """Color the drawing at the network's size: [1, 3, h, w]. Hints win over the palette."""
    colors = _predict(plan.network, plan.small_ink, hints)
    if plan.palette is not None:
        colors = palettes.recolor(colors, plan.palette)
    return apply_hints(colors, hints, plan.small_ink)


@torch.no_grad()
def _predict(network: Colorizer | UNet, ink: Tensor, hints: Tensor) -> Tensor:
    """Run the network on a drawing of any size: colors [1, 3, h, w] in 0..1."""
    if isinstance(network, UNet):  # works at 256 × 256 pixels only
        square = network(images.resize(ink, (UNet.size, UNet.size)), hints)
        return images.resize(square, images.size_of(ink))
    colors = network(ink, hints).clamp(0, 1)
    return smooth(colors, ink, _SMOOTHING * min(images.size_of(ink)))
