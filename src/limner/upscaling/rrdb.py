"""The network of ESRGAN, to run the weights that people have."""

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it (Wang et al. 2018, section 3.1)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for index in range(1, 6):
            into, out = width + (index - 1) * growth, growth if index < 5 else width
            self.add_module(f"conv{index}", nn.Conv2d(into, out, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Add what the block finds, a fifth of it, to its input."""
        *first, last = self.children()
        seen = x
        for convolution in first:
            seen = torch.cat((seen, F.leaky_relu(convolution(seen), 0.2)), 1)
        found: Tensor = last(seen)
        return x + 0.2 * found


class ResidualBlock(nn.Module):
    """Three dense blocks, and a residual connection around them: an RRDB."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the three find, a fifth of it, to the input."""
        found: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return x + 0.2 * found


class RRDB(nn.Module):
    """ESRGAN's generator (Wang et al. 2018), with Real-ESRGAN's key names.

    Parameters
    ----------
    width, growth : int
        Channels, and how many each convolution of a dense block adds.
    depth : int
        Residual blocks: 23 in the paper, 6 and 3 in smaller ones.
    doublings : int
        Enlargements by 2 at the end.
    folded : int
        The input's squares of so many pixels a side become channels first (pixel-unshuffle).
    """

    def __init__(self, width: int, growth: int, depth: int, doublings: int, folded: int) -> None:
        super().__init__()
        self.scale = 2**doublings // folded
        self.radius = 32  # of hundreds of pixels that it sees: tiles are an approximation,
        self.feather = 16  # and are blended over so many pixels to each side of a cut
        self.folded, self.doublings = folded, doublings
        self.conv_first = nn.Conv2d(3 * folded**2, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width, growth) for _ in range(depth)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        for index in range(1, doublings + 1):
            self.add_module(f"conv_up{index}", nn.Conv2d(width, width, 3, padding=1))
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture [N, 3, H, W] in 0..1 to [N, 3, scale·H, scale·W]."""
        height, width = picture.shape[-2:]
        lacking = [-length % self.folded for length in (width, height)]
        x = F.pad(picture, (0, lacking[0], 0, lacking[1]), mode="replicate")
        x = self.conv_first(F.pixel_unshuffle(x, self.folded))
        x = x + self.conv_body(self.body(x))
        for index in range(1, self.doublings + 1):
            up = self.get_submodule(f"conv_up{index}")
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))
        cut: Tensor = x[..., : height * self.scale, : width * self.scale]
        return cut


def own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the keys of ESRGAN's older files to those of Real-ESRGAN's.

    ``RRDB_trunk.0.RDB1.conv1`` (2018) and ``model.1.sub.0.RDB1.conv1.0`` (its training code, where
    the layers after the trunk are numbered: 3, 6, … the enlargements, then two convolutions).
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
