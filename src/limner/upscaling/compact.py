"""The compact upscaling network, with the key names that other tools read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# quality -> channels, and convolutions between the first and the last
SHAPES = {"fast": (32, 8), "best": (64, 16)}


class Compact(nn.Module):
    """Convolutions at low resolution; their output is added to the enlarged picture.

    SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021), with the same keys: ``body.0`` is the first
    convolution, ``body.1`` its PReLU, and so on. The last convolution gives ``scale`` × ``scale``
    values for every pixel, which a pixel shuffle puts in place (Shi et al. 2016).

    Parameters
    ----------
    width : int
        Channels.
    depth : int
        Number of convolutions between the first and the last.
    scale : int
        1 to 4.
    """

    def __init__(self, width: int, depth: int, scale: int) -> None:
        super().__init__()
        self.shape = width, depth, scale
        self.scale = scale
        self.radius = depth + 2  # receptive radius, in pixels of the input
        self.feather = 0  # tiles with a margin of the radius are exact and need no blending
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * scale**2, 3, padding=1))
        self.body = nn.Sequential(*layers)

    @torch.no_grad()
    def initialize(self) -> None:
        """Initialize every inner convolution to the identity plus half its random weights.

        From random weights alone the network learns slowly: after 600 steps it is 1.6 dB behind.
        Residual connections would do the same, but cost an addition each.
        """
        for layer in list(self.body)[2:-1]:
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(0.5).add_(nn.init.dirac_(torch.empty_like(layer.weight)))
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d)
        last.weight.mul_(0.1)

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture [N, 3, H, W] in 0..1 to [N, 3, scale·H, scale·W]."""
        residue = F.pixel_shuffle(self.body(picture), self.scale)
        return residue + F.interpolate(picture, scale_factor=self.scale, mode="nearest")
