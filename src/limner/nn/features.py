"""Perceptual networks: what a picture looks like to a network that has learnt to see.

All three are VGG networks (Simonyan & Zisserman 2015, configurations D and E): blocks of 3×3
convolutions with ReLU, the picture halved between blocks. They differ in width and depth alone.
A *tap* is the output of one ReLU, named as in the literature: ``"4_2"`` is block 4, convolution 2.

The two of the paper pool by maximum, whose gradient falls on one pixel of four and leaves a
grain in the picture. ``compact`` pools by average, as Gatys, Ecker & Bethge (2016) recommend, and
is trained that way.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.errors import OptionError
from limner.nn import seeding, weights

# name: (channels of a block, convolutions of a block)
SHAPES = {
    "compact": ((16, 32, 64, 128, 128), (2, 2, 3, 3, 1)),
    "vgg16": ((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)),
    "vgg19": ((64, 128, 256, 512, 512), (2, 2, 4, 4, 4)),
}

# Where torchvision keeps its ImageNet weights; the eight digits begin the file's SHA-256.
URLS = {
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "vgg19": "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
}


Padding = Literal["replicate", "zeros", "reflect"]


class VGG(nn.Module):
    """A VGG network without its classifier.

    Parameters
    ----------
    shape : str
        A key of ``SHAPES``.
    padding : {"replicate", "zeros", "reflect"}
        What convolutions see beyond the border. Zeros look like a dark frame, which a style loss
        then paints; replicate does not, and is our default. VGG was trained with zeros.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: str, padding: Padding = "replicate") -> None:
        super().__init__()
        self.shape = shape
        widths, depths = SHAPES[shape]
        mean, deviation = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
        if shape != "compact":  # ImageNet's, as torchvision feeds its networks
            mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False
        )
        self.pool = F.avg_pool2d if shape == "compact" else F.max_pool2d
        self.convolutions = nn.ModuleDict()
        channels = 3
        for block, (width, depth) in enumerate(zip(widths, depths, strict=True), 1):
            for index in range(1, depth + 1):
                convolution = nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding)
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
                self.convolutions[f"{block}_{index}"] = convolution
                channels = width

    def forward(self, picture: Tensor, taps: Iterable[str]) -> dict[str, Tensor]:
        """Features of a picture at the named taps.

        Parameters
        ----------
        picture : Tensor
            [N, 3, H, W], sRGB in 0..1, at least 16 pixels a side.
        taps : iterable of str
            The taps wanted; nothing is computed beyond the deepest.

        Returns
        -------
        dict of str to Tensor
            [N, C, H / 2**(block - 1), W / 2**(block - 1)] for each tap, rounded down.
        """
        wanted = set(taps)
        assert wanted <= set(self.convolutions), wanted
        found = {}
        x = (picture - self.mean) / self.deviation
        for name, convolution in self.convolutions.items():
            if name != "1_1" and name.endswith("_1"):
                x = self.pool(x, 2)
            x = F.relu(convolution(x))
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    break
        return found


def distance(network: VGG, made: Tensor, real: Tensor, taps: Sequence[str]) -> Tensor:
    """Mean distance of the features of pictures [N, 3, H, W], each tap's in shares of its size."""
    ours, theirs = (network(picture, taps) for picture in (made, real))
    apart = [F.l1_loss(ours[tap], theirs[tap]) / theirs[tap].mean() for tap in taps]
    return torch.stack(apart).mean()


def receptive_radius(shape: str, tap: str) -> int:
    """Pixels that a tap sees to each side of its own place, at most.

    Parameters
    ----------
    shape : str
        A key of ``SHAPES``.
    tap : str
        For example ``"5_1"``.
    """
    radius, pixels = 0, 1  # pixels: the picture's pixels in one of this block's
    for block, depth in enumerate(SHAPES[shape][1], 1):
        for index in range(1, depth + 1):
            radius += pixels
            if f"{block}_{index}" == tap:
                return radius
        radius += pixels  # a 2×2 pooling sees one more
        pixels *= 2
    raise AssertionError(tap)


def load(name: str, device: torch.device | str = "cpu", *, padding: Padding = "replicate") -> VGG:
    """Give a perceptual network, ready and frozen.

    Parameters
    ----------
    name : str
        ``"compact"`` comes with the package. ``"vgg16"`` and ``"vgg19"`` are taken from torch's own
        cache (``TORCH_HOME``), or fetched into it once. Anything else is the path of a VGG-16 or
        VGG-19 file with torchvision's names, or of a compact one that ``limner train features``
        made.
    device : torch.device or str
        Where it will run.
    padding : str
        See `VGG`.

    Raises
    ------
    OptionError
        The name is none of the above.
    WeightsError
        The file is missing, damaged or something else.
    """
    if name in URLS:
        shape, state = name, weights.fetch(URLS[name])
    elif name == "compact":
        shape, state = name, weights.read(weights.SHIPPED / "compact-features.safetensors")
    elif Path(name).suffix in weights.SUFFIXES:
        state = weights.read(Path(name))
        shape = _shape_of(state)
    else:
        choices = ", ".join(SHAPES)
        raise OptionError(
            f"features {name!r}: must be one of {choices}, or the path of a weights file"
        )
    with seeding.preserved():
        network = VGG(shape, padding)
    weights.fill(network, _own_names(state, shape), name)
    network.requires_grad_(False)
    return network.eval().to(device)


def _shape_of(state: dict[str, Tensor]) -> str:
    """Tell VGG-16, VGG-19 and compact apart: torchvision's last convolution is 28 or 34."""
    if "features.34.weight" in state:
        return "vgg19"
    return "vgg16" if "features.28.weight" in state else "compact"


def _own_names(state: dict[str, Tensor], shape: str) -> dict[str, Tensor]:
    """Rename torchvision's ``features.N`` (which counts ReLU and pooling too) to ours."""
    if shape == "compact":
        return state
    renamed, index = {}, 0
    for block, depth in enumerate(SHAPES[shape][1], 1):
        for position in range(1, depth + 1):
            for part in ("weight", "bias"):
                key = f"features.{index}.{part}"
                if key in state:
                    renamed[f"convolutions.{block}_{position}.{part}"] = state[key]
            index += 2
        index += 1
    return renamed
