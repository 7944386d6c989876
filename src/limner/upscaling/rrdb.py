"""The network of ESRGAN, to use weights that others have trained."""

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _leaky_relu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2, inplace=True)  # large pictures: memory and time


class DenseBlock(nn.Module):
    """Five densely connected convolutions (Wang et al. 2018, section 3.1)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for index in range(1, 6):
            into, out = width + (index - 1) * growth, growth if index < 5 else width
            self.add_module(f"conv{index}", nn.Conv2d(into, out, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Compute features [N, C, H, W]: the input plus 0.2 times the residual."""
        *first, last = self.children()
        features = x
        for convolution in first:
            features = torch.cat((features, _leaky_relu(convolution(features))), 1)
        return x.add(last(features), alpha=0.2)


class ResidualBlock(nn.Module):
    """Three dense blocks with a residual connection around them: an RRDB."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        """Compute features [N, C, H, W]: the input plus 0.2 times the residual."""
        return x.add(self.rdb3(self.rdb2(self.rdb1(x))), alpha=0.2)


class RRDB(nn.Module):
    """The generator of ESRGAN (Wang et al. 2018), with the key names of Real-ESRGAN.

    Parameters
    ----------
    width, growth : int
        Channels, and the channels that each convolution of a dense block adds.
    depth : int
        Number of RRDBs: 23 in the paper, 6 or 3 in smaller networks.
    doublings : int
        How many times the network doubles the size at its end.
    unshuffle : int
        Factor of the pixel unshuffle at the beginning, as Real-ESRGAN has it for scales below 4. 1
        for none.
    """

    def __init__(self, width: int, growth: int, depth: int, doublings: int, unshuffle: int) -> None:
        super().__init__()
        self.scale = 2**doublings // unshuffle
        # Pixels of the input. The receptive radius is hundreds of pixels, so tiles with this margin
        # are an approximation, and are blended over the feather on each side of a cut.
        self.radius, self.feather = 32, 16
        self.unshuffle, self.doublings = unshuffle, doublings
        self.conv_first = nn.Conv2d(3 * unshuffle**2, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width, growth) for _ in range(depth)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        for index in range(1, doublings + 1):
            self.add_module(f"conv_up{index}", nn.Conv2d(width, width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)
        # a sixth to a third faster on CPUs
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture [N, 3, H, W] in 0..1 to [N, 3, scale·H, scale·W]."""
        height, width = picture.shape[-2:]
        padding = [-length % self.unshuffle for length in (width, height)]
        x = F.pad(picture, (0, padding[0], 0, padding[1]), mode="replicate")
        x = self.conv_first(F.pixel_unshuffle(x, self.unshuffle))
        x = x + self.conv_body(self.body(x))
        for index in range(1, self.doublings + 1):
            up = self.get_submodule(f"conv_up{index}")
            x = _leaky_relu(up(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = self.conv_last(_leaky_relu(self.conv_hr(x)))
        cropped: Tensor = x[..., : height * self.scale, : width * self.scale]
        return cropped


def rename_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the keys of older ESRGAN files to those of Real-ESRGAN. Newer keys stay.

    Older files have ``RRDB_trunk.0.RDB1.conv1`` (2018), or ``model.1.sub.0.RDB1.conv1.0`` (from the
    first training code, which numbers the layers after the trunk: first the convolutions that
    follow a doubling, then the last two).
    """
    named = {"trunk_conv": "conv_body", "HRconv": "conv_hr", "model.0": "conv_first"}
    named |= {f"upconv{index}": f"conv_up{index}" for index in (1, 2, 3)}
    tail = sorted({int(m[1]) for key in state if (m := re.match(r"model\.(\d+)\.w", key))} - {0})
    if tail:
        named |= {f"model.{n}": f"conv_up{i}" for i, n in enumerate(tail[:-2], 1)}
        named |= {f"model.{tail[-2]}": "conv_hr", f"model.{tail[-1]}": "conv_last"}
    renamed = {}
    for key, tensor in state.items():
        layer, _, part = key.rpartition(".")
        layer = re.sub(r"^(RRDB_trunk|model\.1\.sub)\.(\d+)\.RDB(\d)", r"body.\2.rdb\3", layer)
        layer = re.sub(r"^(body\..*conv\d)\.0$", r"\1", layer)
        layer = re.sub(r"^model\.1\.sub\.\d+$", "conv_body", layer)
        renamed[f"{named.get(layer, layer)}.{part}"] = tensor
    return renamed
