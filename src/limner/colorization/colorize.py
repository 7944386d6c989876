"""`colorize`: a line drawing gets its colours."""

import time
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from limner import io
from limner._version import __version__
from limner.color import palette as palettes
from limner.colorization.fill import flow, spread
from limner.colorization.network import Colorizer
from limner.colorization.pix2pix import UNet
from limner.errors import OptionError, WeightsError
from limner.io import Source
from limner.io.openraster import Layers
from limner.line_art.lines import ink_of
from limner.nn import devices, images, weights
from limner.nn.images import gaussian_blur
from limner.progress import OnStep, Progress, Stop, silent

MOST = 16  # variations
_EVEN = 1 / 4  # of the short side: over so much a region becomes even in colour
_REACH = 0.25  # of the longest side: how far a hint flows over bare paper
_SURE = 1e-3  # of what flows from a hint: so much already counts as half sure


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
    """Colour a line drawing.

    Parameters
    ----------
    sketch : str, path or PIL image
        The drawing: dark lines on white, on paper or on nothing; or light ones on black.
    hints : str, path or PIL image
        A transparent picture of the same aspect, with dabs of colour where they matter.
    palette : str
        Colours to keep to: ``"#aa3311,#ffe0bd"``, 12 at most.
    palette_from : str, path or PIL image
        A picture whose main colours to keep to.
    lines : str
        ``keep`` the drawing's own lines over the colours; ``soften`` them to a darker shade of the
        colours; ``drop`` them.
    layers : bool
        Write lines and colours as layers too, into an OpenRaster file beside the picture.
    variations : int
        How many differently coloured ones to make, 1 to 16; those after the first have other hues
        in some places, and are written beside it.
    size : int
        What the network sees: pixels of the short side, 64 to 1024; left out, what it was trained
        on. Colours are enlarged along the lines to the drawing's own size.
    model : str
        The weights of another network, as `limner train colorizer` makes them.
    seed : int
        Of the variations.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    allow_huge : bool
        Read pictures of more than 100 megapixels too.
    on_step : callable
        Called with a `Progress` before the first and after every variation.

    Returns
    -------
    PIL.Image.Image
        RGB, of the drawing's size. ``info["beside"]`` holds layers and further variations.

    Raises
    ------
    InputError
        A picture that cannot be read.
    OptionError
        An option out of its range.
    WeightsError
        The network cannot be had.
    """
    began = time.monotonic()
    if lines not in ("keep", "soften", "drop"):
        raise OptionError(f"--lines {lines}: must be one of keep, soften, drop")
    if not 1 <= variations <= MOST:
        raise OptionError(f"--variations {variations}: must be from 1 to {MOST}")
    if size is not None and not 64 <= size <= 1024:
        raise OptionError(f"--size {size}: must be from 64 to 1024 pixels")
    if palette is not None and palette_from is not None:
        raise OptionError("--palette and --palette-from: both say which colours; give one")
    where = devices.pick(device)
    own = palettes.parsed(palette) if palette is not None else None
    subject = io.read(sketch, allow_huge=allow_huge)
    files = {subject.name: subject.sha256}
    beside = [
        io.read(one, allow_huge=allow_huge) if one is not None else None
        for one in (hints, palette_from)
    ]
    files |= {one.name: one.sha256 for one in beside if one is not None}
    if beside[1] is not None:
        rgb = io.on_white(beside[1])
        own = palettes.taken(images.resize(rgb, images.fit(*images.size_of(rgb), 256)))
    path = Path(model) if model is not None else weights.SHIPPED / "colorizer.safetensors"
    network = load(path).to(where)
    if model:
        files[str(model)] = weights.sha256(path)
    recipe: dict[str, object] = {
        "verb": "colorize",
        "version": __version__,
        "inputs": [subject.name],
        "options": {
            "hints": beside[0] and beside[0].name,
            "palette": palette,
            "palette_from": beside[1] and beside[1].name,
            "lines": lines,
            "layers": layers,
            "variations": variations,
            "size": size,
            "model": model and str(model),
            "seed": seed,
            "allow_huge": allow_huge,
        },
        "files": files,
    }
    height, width = images.size_of(subject.rgb)

    def tell(done: int, note: str = "", shown: Image.Image | None = None) -> None:
        seconds, share = time.monotonic() - began, done / variations
        stage = f"{width}×{height} px"
        on_step(
            Progress(
                "colorize",
                stage,
                done,
                variations,
                seconds,
                preview=None if shown is None else shown.copy,
                note=note,
                share=share,
                size=(height, width),
            )
        )

    tell(0, f"{width}×{height} px, {variations} variation{'s' * (variations > 1)}")
    for note in (note for one in (subject, *beside) if one is not None for note in one.notes):
        tell(0, note)
    ink = ink_of(io.on_white(subject)).to(where)
    share = min(1.0, (size or network.size) / min(height, width))
    seen = max(1, round(height * share)), max(1, round(width * share))
    drawing = images.resize(1 - ink, seen).expand(-1, 3, -1, -1)
    small = ink_of(drawing) if seen != (height, width) else ink
    given = torch.zeros((1, 4, *seen), device=where)
    if beside[0] is not None:
        given = _dabs(beside[0], seen).to(where)

    def coloured(hints: Tensor) -> Tensor:
        """What the network makes of it, in the colours asked for, the hints above all."""
        colours = _coloured(network, small, hints)
        colours = colours if own is None else palettes.recoloured(colours, own)
        return _obedient(colours, hints, small)

    plain = coloured(given)
    made: dict[str, Image.Image | Layers] = {}
    for number in range(1, variations + 1):
        colours = plain
        if number > 1:  # other hues in some places, to which the network suits the rest
            colours = coloured(_varied(given, plain, small, seed * MOST + number))
        full = enlarged(colours, small, ink)
        picture = io.to_picture(_lined(full, ink, lines), like=subject, recipe=recipe)
        made[str(number)] = picture
        if layers and number == 1:
            made["layers"] = _layers(full, ink, lines, picture)
        try:
            tell(number, shown=picture)
        except Stop:
            break
    first = made.pop("1")
    assert isinstance(first, Image.Image)
    first.info["beside"] = made
    return first


def load(path: Path) -> Colorizer | UNet:
    """Read a colouring network's weights.

    Raises
    ------
    WeightsError
        The file is missing, damaged or of another network.
    """
    state = weights.read(path)
    about = weights.describe(path) if path.suffix == ".safetensors" else {}
    if about.get("kind") != "colorizer":
        raise WeightsError(f"{path}: no colouriser's weights; `limner train colorizer` makes some")
    network = UNet() if about.get("architecture") == "article" else Colorizer()
    size = about.get("size", str(network.size))
    if not size.isdecimal() or not 64 <= int(size) <= 1024:
        raise WeightsError(f"{path}: was trained at {size} pixels; must be from 64 to 1024")
    network.size = int(size)
    weights.fill(network, state, str(path))
    network.requires_grad_(False)
    return network.eval()


@torch.no_grad()
def _coloured(network: Colorizer | UNet, ink: Tensor, hints: Tensor) -> Tensor:
    """Colours [1, 3, H, W] in 0..1 of a drawing of any size."""
    if isinstance(network, UNet):  # it knows one size only
        square = network(images.resize(ink, (256, 256)), hints)
        return images.resize(square, images.size_of(ink))
    coloured = network(ink, hints).clamp(0, 1)
    return flow(coloured, ink, _EVEN * min(images.size_of(ink)))


def _dabs(picture: io.Picture, size: tuple[int, int]) -> Tensor:
    """Hints [1, 4, H, W] of a transparent picture: each pixel the mean of what is in it."""
    alpha = picture.alpha
    if alpha is None or alpha.min() == 1:
        raise OptionError(
            f"--hints {picture.name}: has no transparency; leave bare what is not meant"
        )
    known = F.interpolate(alpha, size, mode="area")
    rgb = F.interpolate(picture.rgb * alpha, size, mode="area") / known.clamp(min=1e-4)
    mask = (known > 0.02).float()  # a dab of a pen counts, however thin
    return torch.cat((rgb.clamp(0, 1) * mask, mask), 1)


def _obedient(colours: Tensor, hints: Tensor, ink: Tensor) -> Tensor:
    """Move colours to the hints where they are, and less and less in the regions around them."""
    rgb, mask = hints[:, :3], hints[:, 3:]
    if not mask.any():
        return colours
    reach = _REACH * max(images.size_of(ink))
    lacking, known = spread(rgb - colours, mask, ink, reach)
    around = (colours + lacking * known / (known + _SURE)).clamp(0, 1)
    return torch.where(mask > 0, rgb, around)


def _varied(hints: Tensor, colours: Tensor, ink: Tensor, seed: int) -> Tensor:
    """Add three dabs of the drawing's own colours, their hues turned."""
    random = torch.Generator().manual_seed(seed % 2**63)
    lab = palettes.to_oklab(colours)
    colourful = lab[:, 1:].norm(dim=1)[0] * (gaussian_blur(ink, 2)[0, 0] < 0.1)
    shares = (colourful.flatten() + 1e-6).cpu()
    places = torch.multinomial(shares, min(3, len(shares)), generator=random)
    extra = hints.clone()
    reach = max(2, max(images.size_of(ink)) // 64)
    for place in places.tolist():
        y, x = divmod(place, ink.shape[-1])
        angle = torch.rand((), generator=random) * 5 + 0.6  # radians: never nearly the same
        lightness, a, b = lab[0, :, y, x].cpu()
        turned = (a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos())
        colour = palettes.to_srgb(torch.stack((lightness, *turned)).view(1, 3, 1, 1))[0]
        rows = slice(max(0, y - reach), y + reach + 1)
        columns = slice(max(0, x - reach), x + reach + 1)
        free = hints[0, 3, rows, columns] == 0
        extra[0, :3, rows, columns] = torch.where(
            free, colour.to(extra), extra[0, :3, rows, columns]
        )
        extra[0, 3, rows, columns] = 1
    return extra


def enlarged(colours: Tensor, small: Tensor, ink: Tensor) -> Tensor:
    """Bring colours to the size of the drawing; they end at its lines.

    Parameters
    ----------
    colours : Tensor
        [1, 3, h, w].
    small : Tensor
        The ink that they were made for, [1, 1, h, w].
    ink : Tensor
        The drawing's, [1, 1, H, W].
    """
    size = images.size_of(ink)
    scale = max(size) / max(images.size_of(small))
    plain = F.interpolate(colours, size, mode="bilinear", align_corners=False)
    # near a line both sides are mixed: what counts is the colour within, which flows up to it
    inside = 1 - F.max_pool2d(small, 3, 1, 1).clamp(0, 1)
    inside = F.interpolate((inside > 0.7).float(), size, mode="bilinear", align_corners=False)
    values, known = spread(plain, inside, ink, 2 * scale + 1)
    sure = (known * 8).clamp(0, 1) * (1 - inside)
    return torch.lerp(plain, values, sure).clamp(0, 1)


def _lined(colours: Tensor, ink: Tensor, lines: str) -> Tensor:
    """Lay the drawing's lines over colours."""
    return colours if lines == "drop" else torch.lerp(colours, _shade(colours, lines), ink)


def _shade(colours: Tensor, lines: str) -> Tensor:
    """The colour of lines: black, or a darker one of what they lie on."""
    return colours * (0.4 if lines == "soften" else 0)


def _layers(colours: Tensor, ink: Tensor, lines: str, merged: Image.Image) -> Layers:
    """The drawing's lines over its colours."""
    over = io.to_picture(_shade(colours, lines), ink)
    hidden = ("lines",) if lines == "drop" else ()
    return Layers({"lines": over, "colours": io.to_picture(colours)}, merged, hidden)
