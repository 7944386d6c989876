"""Perceptual networks: VGG without its classifier, for style and content losses.

All three are VGG networks (Simonyan & Zisserman 2015, configurations D and E): blocks of 3×3
convolutions with ReLU, and a pooling that halves the picture between blocks. They differ only in
width and depth. Layers are named as in the literature: ``"4_2"`` is relu4_2, the output of the ReLU
after the second convolution of block 4.

``vgg16`` and ``vgg19`` pool by maximum, as in the paper. Its gradient reaches one pixel of four,
which leaves a grain in the picture. ``compact`` pools by average, as Gatys, Ecker & Bethge (2016)
recommend, and was trained that way.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.errors import OptionError, printable
from limner.nn import seeding, weights

# For each network: the channels of its blocks, and the number of convolutions in each block.
SHAPES = {
    "compact": ((16, 32, 64, 128, 128), (2, 2, 3, 3, 1)),
    "vgg16": ((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)),
    "vgg19": ((64, 128, 256, 512, 512), (2, 2, 4, 4, 4)),
}

# torchvision's ImageNet weights. The eight digits in the name begin the file's SHA-256.
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
        How the convolutions pad. VGG was trained with zeros; they look like a dark frame, which a
        style loss then paints into the picture. So ``replicate`` is the default.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: str, padding: Padding = "replicate") -> None:
        super().__init__()
        self.shape = shape
        widths, depths = SHAPES[shape]
        mean, deviation = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
        if shape != "compact":  # of ImageNet, as torchvision normalizes
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

    def forward(self, picture: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Return the features of pictures at some layers.

        Parameters
        ----------
        picture : Tensor
            [N, 3, H, W], sRGB in 0..1, at least 16 pixels on each side.
        layers : iterable of str
            The layers; nothing beyond the deepest is computed.

        Returns
        -------
        dict of str to Tensor
            For each layer [N, C, H / 2**(block - 1), W / 2**(block - 1)], rounded down.
        """
        requested = set(layers)
        assert requested <= set(self.convolutions), requested
        features = {}
        x = (picture - self.mean) / self.deviation
        for name, convolution in self.convolutions.items():
            if name != "1_1" and name.endswith("_1"):
                x = self.pool(x, 2)
            x = F.relu(convolution(x))
            if name in requested:
                features[name] = x
                if len(features) == len(requested):
                    break
        return features


def distance(network: VGG, made: Tensor, real: Tensor, layers: Sequence[str]) -> Tensor:
    """Return the perceptual distance of two batches of pictures [N, 3, H, W], a scalar."""
    return difference(network(made, layers), network(real, layers))


def difference(made: Mapping[str, Tensor], real: Mapping[str, Tensor]) -> Tensor:
    """Return the distance of features of the same layers, a scalar.

    For each layer the mean absolute difference, relative to the mean of the real features.
    """
    parts = [F.l1_loss(made[layer], values) / values.mean() for layer, values in real.items()]
    return torch.stack(parts).mean()


def receptive_radius(shape: str, layer: str) -> int:
    """Return the radius in pixels of a layer's receptive field.

    Parameters
    ----------
    shape : str
        A key of ``SHAPES``.
    layer : str
        For example ``"5_1"``.
    """
    radius, stride = 0, 1  # stride: pixels of the picture between two positions of this block
    for block, depth in enumerate(SHAPES[shape][1], 1):
        for index in range(1, depth + 1):
            radius += stride
            if f"{block}_{index}" == layer:
                return radius
        radius += stride  # a 2×2 pooling reaches one position further
        stride *= 2
    raise AssertionError(layer)


def layers_of(shape: str) -> list[str]:
    """Return the names of a network's layers, for example ``"4_2"``, from the first to the last."""
    return [
        f"{block}_{index}"
        for block, depth in enumerate(SHAPES[shape][1], 1)
        for index in range(1, depth + 1)
    ]


def check_name(name: str) -> None:
    """Refuse what `load` does not take. This opens no file.

    Raises
    ------
    OptionError
        It is neither the name of a network nor the path of a weights file.
    """
    if name not in SHAPES and Path(name).suffix not in weights.SUFFIXES:
        raise OptionError(
            f"--features {printable(name)}: must be one of {', '.join(SHAPES)}, or the path of a "
            f"weights file ({', '.join(weights.SUFFIXES)})"
        )


def load(name: str, device: torch.device | str = "cpu", *, padding: Padding = "replicate") -> VGG:
    """Load a perceptual network for inference; its weights take no gradient.

    Parameters
    ----------
    name : str
        ``"compact"`` comes with limner. ``"vgg16"`` and ``"vgg19"`` are read from torch's cache
        (``TORCH_HOME``), and downloaded on first use. Anything else is the path of a file: VGG-16
        or VGG-19 with torchvision's names, or a compact network from ``limner train features``.
    device : torch.device or str
        Where to compute.
    padding : str
        See `VGG`.

    Raises
    ------
    OptionError
        The name is none of these.
    WeightsError
        The file is missing, damaged, or for another network.
    """
    check_name(name)
    if name in URLS:
        shape, state = name, weights.fetch(URLS[name])
    elif name == "compact":
        shape, state = name, weights.read(weights.SHIPPED / "compact-features.safetensors")
    else:
        state = weights.read(Path(name))
        shape = _shape_of(state)
    with seeding.preserved():
        network = VGG(shape, padding)
    weights.fill(network, _without_torchvision_names(state, shape), name)
    network.requires_grad_(False)
    return network.eval().to(device)


def _shape_of(state: dict[str, Tensor]) -> str:
    """Recognize the network by its deepest convolution in torchvision's numbering: 28 or 34."""
    if "features.34.weight" in state:
        return "vgg19"
    return "vgg16" if "features.28.weight" in state else "compact"


def _without_torchvision_names(state: dict[str, Tensor], shape: str) -> dict[str, Tensor]:
    """Rename torchvision's ``features.N``, where ReLU and pooling count too, to our names."""
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
