"""The networks that can be exported: what goes in, what comes out, and what they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from limner.beauty import beautifier
from limner.beauty.bilateral import BilateralImprover
from limner.colorization import models as colorizers
from limner.colorization.network import Colorizer
from limner.errors import OptionError, WeightsError, check_no_address, printable
from limner.exporting.portable import PortableImprover, RegionColorizer
from limner.generation.gan import lightweight_gan, painter, stylegan2
from limner.nn import features, seeding, weights
from limner.nn.onnx_model import Axes
from limner.upscaling import models, realesrgan

_COMMANDS = ("stylize", "hybridize", "colorize", "sketch", "beautify", "generate", "upscale")
LAYERS = ("1_2", "2_2", "3_3", "4_3", "5_1")  # of the features: what perceptual losses use
_SIZES = ((64, 96), (131, 75), (96, 160))  # height and width of examples, if the size is not fixed

Sides = tuple[int, int] | None  # height and width, or None for any
_PICTURE = "float32 [1, 3, H, W], sRGB in 0..1"


@dataclass(frozen=True)
class Exportable:
    """A network that can be exported.

    Attributes
    ----------
    name : str
        What the user called it.
    network : nn.Module
        It takes the inputs in their order.
    inputs, outputs : mapping of str to str
        Names, and what they are.
    about : mapping of str to str
        License, recipe, and further facts.
    examples : callable
        Makes three examples of all inputs, of a fixed size if there is one.
    axes : mapping
        Sides that vary even with a fixed size.
    smallest, multiple : int
        Pixels that each side of a picture must have, and must be a multiple of; 0: it takes none.
    fixed : bool
        It needs a fixed size.
    """

    name: str
    network: nn.Module
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    about: Mapping[str, str]
    examples: Callable[[Sides], list[tuple[Tensor, ...]]]
    axes: Axes = field(default_factory=dict)
    smallest: int = 16
    multiple: int = 1
    fixed: bool = False


def find(name: str) -> Exportable:
    """Return a network by its name, as `limner models` lists it, or by its file.

    Raises
    ------
    OptionError
        There is no such network, or it is a verb that optimizes each picture.
    WeightsError
        The file is missing or damaged, or holds a network that cannot be exported.
    """
    check_no_address(name)
    known = [path.stem for path in sorted(weights.SHIPPED.glob("*.safetensors"))]
    known += realesrgan.FILES
    kind = "upscaler"
    if name in known:
        path = Path(realesrgan.find(name)) if name in realesrgan.FILES else _shipped(name)
    elif Path(name).suffix in (*weights.SUFFIXES, ".param"):
        path = Path(name)
    elif Path(name).is_dir():
        kind, path = "painter", Path(name)
    elif name in _COMMANDS:
        raise OptionError(
            f"{name}: is a command that optimizes each picture or uses several networks; limner "
            f"export takes one network: {', '.join(known)}, or a weights file"
        )
    else:
        raise OptionError(
            f"{printable(name)}: there is no such network to export; use {', '.join(known)}, or a "
            "weights file"
        )
    if path.suffix == ".safetensors":
        kind = weights.describe(path).get("kind", kind)
    make = _MAKERS.get(kind)
    if make is None:
        raise WeightsError(
            f"{printable(path)}: holds a {printable(kind)}, which cannot be exported; limner "
            f"export takes {', '.join(_MAKERS)} files"
        )
    made = make(name, path)
    made.network.eval()
    return made


def _shipped(name: str) -> Path:
    return weights.SHIPPED / f"{name}.safetensors"


def _about(path: Path) -> dict[str, str]:
    about = weights.describe(path) if path.suffix == ".safetensors" else {}
    known = {"license": about.get("license", "see the author of the weights")}
    if "recipe" in about:
        known["recipe"] = about["recipe"]
    return known | {"sha256": weights.sha256(path)}


def _pictures(sides: Sides) -> list[tuple[Tensor, ...]]:
    """Make three pictures: smooth, with edges, and with noise."""
    made: list[tuple[Tensor, ...]] = []
    for number, (height, width) in enumerate(_SIZES if sides is None else (sides,) * 3):
        random = seeding.generator(0, number)
        rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
        smooth = torch.stack((rows * columns, rows.expand(-1, width), 1 - columns + 0 * rows))
        edges = ((rows * 9).floor() + (columns * 7).floor()) % 2
        noise = torch.rand(3, height, width, generator=random)
        parts = (smooth, 0.5 * smooth + 0.5 * edges, 0.7 * smooth + 0.3 * noise)
        made.append((parts[number][None],))
    return made


def _upscaler(name: str, path: Path) -> Exportable:
    network = models.load(path, torch.device("cpu"))
    scale = network.scale
    about = _about(path) | {"scale": str(scale), "margin": str(network.radius)}
    if name in realesrgan.FILES:
        about["license"] = realesrgan.LICENSE
    large = f"float32 [1, 3, {scale}·H, {scale}·W]"
    return Exportable(name, network, {"picture": _PICTURE}, {"large": large}, about, _pictures)


def _beautifier(name: str, path: Path) -> Exportable:
    improver = beautifier.load(path).improver("relative")
    if not isinstance(improver, BilateralImprover):
        raise WeightsError(
            f"{printable(path)}: has no network for --method relative; train one with limner train "
            "beautifier"
        )
    inputs = {
        "picture": _PICTURE,
        "strength": "float32 [1, 1, 1, 1], from 0 to 2",
        "white_balance": "float32 [1, 1, 1, 1], from 0 to 1",
    }

    def examples(sides: Sides) -> list[tuple[Tensor, ...]]:
        options = ((1.0, 0.5), (0.5, 0.0), (2.0, 1.0))
        return [
            (*picture, *torch.tensor(pair).view(2, 1, 1, 1, 1))
            for picture, pair in zip(_pictures(sides), options, strict=True)
        ]

    outputs = {"better": "float32 [1, 3, H, W]"}
    return Exportable(name, PortableImprover(improver), inputs, outputs, _about(path), examples)


class _Features(nn.Module):
    """The features at some layers as a tuple, which ONNX needs."""

    def __init__(self, network: features.VGG) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        found = self.network(picture, LAYERS)
        return tuple(found[layer] for layer in LAYERS)


def _features(name: str, path: Path) -> Exportable:
    network = features.load("compact" if path == _shipped(name) else str(path))
    widths, _ = features.SHAPES[network.shape]
    outputs = {
        f"relu{layer}": f"float32 [1, {widths[block]}, H / {2**block}, W / {2**block}]"
        for block, layer in enumerate(LAYERS)
    }
    inputs = {"picture": _PICTURE}
    return Exportable(
        name, _Features(network), inputs, outputs, _about(path), _pictures, smallest=32
    )


def _colorizer(name: str, path: Path) -> Exportable:
    network = colorizers.load(path)
    if not isinstance(network, Colorizer):
        raise WeightsError(
            f"{printable(path)}: holds a network of --preset article, which cannot be exported; "
            "use another file"
        )
    inputs = {
        "ink": "float32 [1, 1, H, W], from 0 (paper) to 1 (line)",
        "regions": "int64 [1, 1, H, W], the region of each pixel, 1..T",
        "hints": "float32 [T, 4], sRGB in 0..1, and 1 if the color of the region is given, else 0",
    }
    return Exportable(
        name,
        RegionColorizer(network),
        inputs,
        {"colors": "float32 [T, 3], sRGB in 0..1"},
        _about(path) | {"best short side": str(network.size)},
        _drawings,
        axes={"hints": {0: "regions"}},
        smallest=network.multiple,
        multiple=network.multiple,
        fixed=True,
    )


def _drawings(sides: Sides) -> list[tuple[Tensor, ...]]:
    """Make three drawings: Voronoi cells with black borders. Some have a hint."""
    assert sides is not None
    made: list[tuple[Tensor, ...]] = []
    for number, count in enumerate((5, 9, 14)):
        random = seeding.generator(0, number)
        points = torch.rand(count, 2, generator=random) * torch.tensor(sides)
        rows, columns = torch.meshgrid(*map(torch.arange, sides), indexing="ij")
        away = torch.cdist(torch.stack((rows, columns), -1).flatten(0, 1).float(), points)
        regions = away.argmin(1).view(1, 1, *sides)
        ink = torch.zeros(1, 1, *sides)
        ink[..., 1:, :] += regions[..., 1:, :] != regions[..., :-1, :]
        ink[..., 1:] += regions[..., 1:] != regions[..., :-1]
        hints = torch.rand(count, 4, generator=random)
        hints[:, 3] = (torch.arange(count) % 4 == 3).float()
        made.append((ink.clamp(max=1), regions + 1, hints))
    return made


class _Painting(nn.Module):
    """A painter without noise, so that a latent always gives the same picture."""

    def __init__(self, network: painter.Painter) -> None:
        super().__init__()
        self.network = network
        for block in cast(nn.Module, network).modules():
            if isinstance(block, lightweight_gan.GeneratorBlock):
                block.noisy = False

    def forward(self, latent: Tensor, truncation: Tensor) -> Tensor:
        network = self.network
        styles = network.mean + truncation * (network.map(latent) - network.mean)
        styles = styles[:, None].expand(-1, network.layers, -1)
        if isinstance(network, stylegan2.Generator):
            return network.paint(styles, "none").clamp(0, 1)
        return network.paint(styles).clamp(0, 1)


def _painter(name: str, path: Path) -> Exportable:
    network, path = painter.load(path, torch.device("cpu"))
    height, width = network.size
    inputs = {
        "latent": f"float32 [1, {network.latent_size}], drawn from a normal distribution",
        "truncation": "float32 [1, 1], from 0 (the mean picture) to 1",
    }

    def examples(_: Sides) -> list[tuple[Tensor, ...]]:
        random, shape = seeding.generator(0, 0), (1, network.latent_size)
        return [
            (torch.randn(shape, generator=random), torch.full((1, 1), share))
            for share in (0.8, 1.0, 0.0)
        ]

    outputs = {"painting": f"float32 [1, 3, {height}, {width}]"}
    return Exportable(name, _Painting(network), inputs, outputs, _about(path), examples, smallest=0)


_MAKERS: Mapping[str, Callable[[str, Path], Exportable]] = {
    "upscaler": _upscaler,
    "cleaner": _upscaler,
    "beautifier": _beautifier,
    "colorizer": _colorizer,
    "features": _features,
    "painter": _painter,
}
