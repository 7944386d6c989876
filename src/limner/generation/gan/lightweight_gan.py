"""The light networks of `auto`: what few pictures and two CPU cores can teach."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.generation.gan.stylegan2 import levels
from limner.nn import features, images

WIDTHS = (192, 128, 96, 48, 24, 16, 12, 8)  # channels at 4, 8, 16, … pixels of the short side
SEEN = 128  # pixels of the short side that the features see at most
TAPS = {"2_2": 32, "3_3": 64, "4_3": 128}  # of the compact features: their channels
HEAD = 64  # channels of what judges the features of one tap


class Raise(nn.Module):
    """Twice the size: one convolution before, one after it that adds to what is there."""

    def __init__(self, before: int, after: int, latent: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(before, after, 1, bias=False)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.gate = nn.Linear(latent, after)
        self.noise = nn.Parameter(torch.zeros(after, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """[N, C, H, W] and latents [N, L] → [N, after, 2H, 2W]."""
        # bilinear enlarging of both at once; nearest would print a grid
        both = torch.cat((self.skip(x), self.first(F.silu(x))), 1)
        x, y = F.interpolate(both, scale_factor=2.0, mode="bilinear").chunk(2, 1)
        y = y + self.noise * torch.randn_like(y[:, :1])
        added: Tensor = self.second(F.silu(y))
        return x + added * (2 * torch.sigmoid(self.gate(style)))[:, :, None, None]


class Generator(nn.Module):
    """From latents to a picture: the first is where it begins, the others rule one size each.

    Parameters
    ----------
    size : tuple of int
        Height and width; the short side 4·2^k.
    latent : int
        Numbers in a latent.
    """

    mean: Tensor

    def __init__(self, size: tuple[int, int], latent: int = 128) -> None:
        super().__init__()
        self.size, self.latent = size, latent
        self.smallest, count = levels(size)
        self.layers = 1 + count
        self.first = nn.Linear(latent, WIDTHS[0] * self.smallest[0] * self.smallest[1])
        pairs = itertools.pairwise(WIDTHS[: count + 1])
        self.body = nn.ModuleList(Raise(before, after, latent) for before, after in pairs)
        self.last = nn.Conv2d(WIDTHS[count], 3, 3, padding=1)
        self.register_buffer("mean", torch.zeros(latent), persistent=False)

    def map(self, z: Tensor) -> Tensor:
        """Latents are styles as they are: there is nothing to map."""
        return z

    def paint(self, styles: Tensor) -> Tensor:
        """Latents [N, latent] or [N, layers, latent] → pictures [N, 3, H, W] in 0..1."""
        if styles.dim() == 2:
            styles = styles[:, None].expand(-1, self.layers, -1)
        x = self.first(styles[:, 0]).view(len(styles), -1, *self.smallest)
        for level, raised in enumerate(self.body):
            x = raised(x, styles[:, level + 1])
        rgb: Tensor = torch.tanh(self.last(F.silu(x)))
        return (rgb + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Latents [N, latent] → pictures [N, 3, H, W] in 0..1."""
        return self.paint(z)


class Lower(nn.Module):
    """Half the size: a convolution before, one after it, and a way around both."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(before, after, 1, bias=False)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, after, H/2, W/2]."""
        y = F.avg_pool2d(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2), 2)
        lowered: Tensor = (self.skip(F.avg_pool2d(x, 2)) + self.second(y)) * 0.5**0.5
        return lowered


class Discriminator(nn.Module):
    """Judges patches, by the pixels and by what a network that has learnt to see makes of them.

    The frozen features make a discriminator that need not learn to see from a hundred pictures
    (Sauer et al. 2021, "Projected GANs", section 3; without their random projections).

    Parameters
    ----------
    size : tuple of int
        Height and width; the short side 4·2^k.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        _, count = levels(size)
        widths = [max(8, 5 * width // 8) for width in reversed(WIDTHS[: count + 1])]
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.body = nn.ModuleList(Lower(a, b) for a, b in itertools.pairwise(widths))
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self._sees = [features.load("compact")]  # in a list: its weights are no part of ours
        self._share = min(1.0, SEEN / min(size))
        seen = round(min(size) * self._share)
        self.heads = nn.ModuleDict()
        for block, (tap, channels) in enumerate(TAPS.items(), 1):
            halvings = levels((seen, seen))[1] - block  # a tap is halved once for each block
            self.heads[tap] = _head(channels, max(1, halvings))

    def forward(self, picture: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] in 0..1 → logits [N, patches]."""
        x = self.first(picture * 2 - 1)
        for lowered in self.body:
            x = lowered(x)
        logits = [self.last(F.leaky_relu(x, 0.2)).flatten(1)]
        if self._share < 1:
            height, width = images.size_of(picture)
            size = round(height * self._share), round(width * self._share)
            picture = F.interpolate(picture, size, mode="bilinear", antialias=True)
        self._sees[0].to(picture.device)
        taps = self._sees[0](picture, TAPS)
        for tap, head in self.heads.items():
            logits.append(head(taps[tap]).flatten(1))
        return torch.cat(logits, 1)


def _head(channels: int, halvings: int) -> nn.Sequential:
    """What judges the features of one tap, in patches."""
    halves: list[nn.Module] = []
    for _ in range(halvings):
        halves += [nn.LeakyReLU(0.2), nn.Conv2d(HEAD, HEAD, 4, 2, 1)]
    return nn.Sequential(
        nn.Conv2d(channels, HEAD, 1), *halves, nn.LeakyReLU(0.2), nn.Conv2d(HEAD, 1, 3, padding=1)
    )
