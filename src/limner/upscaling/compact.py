"""The compact upscaling network, with the key names that other tools read."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# quality -> channels, and convolutions between the first and the last
SHAPES = {"fast": (32, 8), "best": (64, 16)}


class _PReLU(nn.PReLU):
    """A PReLU that ONNX Runtime computes fast: its own takes a third of the time of a network."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.onnx.is_in_onnx_export():
            return super().forward(x)
        slopes = self.weight.view(-1, 1, 1, 1)
        count = len(slopes)
        return F.conv2d(x, slopes, groups=count) + F.conv2d(x.relu(), 1 - slopes, groups=count)


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
    smooth : bool
        Enlarge the picture, to which the output is added, bilinearly, and not by repeating pixels
        as Real-ESRGAN's networks do. What the network fails to draw is soft then, without steps.
        The state dict has a tensor ``smooth``, so that other tools refuse it.
    """

    def __init__(self, width: int, depth: int, scale: int, *, smooth: bool = False) -> None:
        super().__init__()
        if smooth:
            self.register_buffer("smooth", torch.ones(1))
        self.shape = width, depth, scale
        self.scale = scale
        self.radius = depth + 2  # receptive radius, in pixels of the input
        self.feather = 0  # tiles with a margin of the radius are exact and need no blending
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), _PReLU(width)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), _PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * scale**2, 3, padding=1))
        self.body = nn.Sequential(*layers)

    @property
    def is_smooth(self) -> bool:
        """Whether the base is bilinear."""
        return hasattr(self, "smooth")

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

    @torch.no_grad()
    def attenuate(self, share: float) -> None:
        """Reduce what the network adds to the picture to a share of it, in place."""
        for values in self.body[-1].parameters():
            values.mul_(share)

    @torch.no_grad()
    def at_scale(self, scale: int) -> "Compact":
        """Return a network for a divisor of the scale. Its pixels are means of this one's."""
        width, depth, _ = self.shape
        with torch.device("meta"):  # without random weights
            smaller = Compact(width, depth, scale, smooth=self.is_smooth)
        state = self.state_dict()
        last = f"body.{len(self.body) - 1}"
        for key in (f"{last}.weight", f"{last}.bias"):
            values = state[key].unflatten(0, (3, scale, self.scale // scale, scale, -1))
            state[key] = values.mean((2, 4)).flatten(0, 2)
        smaller.load_state_dict(state, assign=True)
        return smaller.requires_grad_(False).eval()

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture [N, 3, H, W] in 0..1 to [N, 3, scale·H, scale·W]."""
        residue = F.pixel_shuffle(self.body(picture), self.scale)
        mode = "bilinear" if self.is_smooth else "nearest"
        return residue + F.interpolate(picture, scale_factor=self.scale, mode=mode)
