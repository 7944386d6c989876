"""The networks that can be exported: what goes in, what comes out, and what they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from limner.beauty import beautifier
from limner.beauty.bilateral import BilateralImprover
from limner.errors import OptionError, WeightsError, printable
from limner.generation.gan import lightweight_gan, painter, stylegan2
from limner.nn import features, weights
from limner.upscaling import models, realesrgan

_COMMANDS = ("stylize", "hybridize", "colorize", "sketch", "beautify", "generate", "upscale")
LAYERS = ("1_2", "2_2", "3_3", "4_3", "5_1")  # of the features: what perceptual losses use


@dataclass(frozen=True)
class Exportable:
    """A network that can be exported.

    Attributes
    ----------
    name : str
        What the user called it.
    network : nn.Module
        It takes a picture [1, 3, H, W] in 0..1 first, or a latent, and then what `more` names.
    more : mapping of str to float
        Further inputs, scalars, and a value of each.
    outputs : mapping of str to str
        Names of the results, and their shapes.
    smallest : int
        Pixels that each side of a picture must have.
    about : mapping of str to str
        License, recipe, and further facts.
    latent_size : int
        Numbers in a latent, which a painter takes; 0: the network takes a picture.
    """

    name: str
    network: nn.Module
    more: Mapping[str, float]
    outputs: Mapping[str, str]
    smallest: int
    about: Mapping[str, str]
    latent_size: int = 0


def find(name: str) -> Exportable:
    """Return a network by its name, as `limner models` lists it, or by its file.

    Raises
    ------
    OptionError
        There is no such network, or it is a verb that optimizes each picture.
    WeightsError
        The file is missing or damaged, or holds a network that cannot be exported.
    """
    names = [path.stem for path in sorted(weights.SHIPPED.glob("*.safetensors"))]
    known = [*(one for one in names if one != "colorizer"), *realesrgan.FILES]
    if name == "colorizer":
        raise OptionError(
            "colorizer: colors regions that are found first; it cannot be exported yet"
        )
    if name in known:
        path = Path(realesrgan.find(name)) if name in realesrgan.FILES else _shipped(name)
    elif Path(name).suffix in (*weights.SUFFIXES, ".param"):
        path = Path(name)
    elif Path(name).is_dir():
        return _painter(name, Path(name))
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
    kind = "upscaler"
    if path.suffix == ".safetensors":
        kind = weights.describe(path).get("kind", kind)
    make = _MAKERS.get(kind)
    if make is None:
        raise WeightsError(
            f"{printable(path)}: holds a {printable(kind)}, which cannot be exported yet; limner "
            f"export takes {', '.join(_MAKERS)} files"
        )
    return make(name, path)


def _shipped(name: str) -> Path:
    return weights.SHIPPED / f"{name}.safetensors"


def _about(path: Path) -> dict[str, str]:
    about = weights.describe(path) if path.suffix == ".safetensors" else {}
    known = {"license": about.get("license", "see the author of the weights")}
    if "recipe" in about:
        known["recipe"] = about["recipe"]
    return known | {"sha256": weights.sha256(path)}


def _upscaler(name: str, path: Path) -> Exportable:
    network = models.load(path, torch.device("cpu"))
    scale = network.scale
    about = _about(path) | {"scale": str(scale), "margin": str(network.radius)}
    if name in realesrgan.FILES:
        about["license"] = realesrgan.LICENSE
    large = f"[1, 3, {scale}·H, {scale}·W]"
    return Exportable(name, network, {}, {"large": large}, 16, about)


def _beautifier(name: str, path: Path) -> Exportable:
    improver = beautifier.load(path).improver("relative")
    if not isinstance(improver, BilateralImprover):
        raise WeightsError(
            f"{printable(path)}: has no network for --method relative; train one with limner train "
            "beautifier"
        )
    better = {"better": "[1, 3, H, W]"}
    return Exportable(name, improver, {"strength": 1.0}, better, 16, _about(path))


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
        f"relu{layer}": f"[1, {widths[block]}, H / {2**block}, W / {2**block}]"
        for block, layer in enumerate(LAYERS)
    }
    return Exportable(name, _Features(network), {}, outputs, 32, _about(path))


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
    outputs = {"painting": f"[1, 3, {height}, {width}]"}
    size = network.latent_size
    return Exportable(name, _Painting(network), {"truncation": 0.8}, outputs, 0, _about(path), size)


_MAKERS: Mapping[str, Callable[[str, Path], Exportable]] = {
    "upscaler": _upscaler,
    "cleaner": _upscaler,
    "beautifier": _beautifier,
    "features": _features,
    "painter": _painter,
}
