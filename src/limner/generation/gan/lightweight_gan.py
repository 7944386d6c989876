"""The small networks of the preset ``auto``, for few pictures and a processor with two cores."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.generation.gan.sizes import start_size
from limner.nn import features, images

WIDTHS = (192, 128, 96, 48, 24, 16, 12, 8)  # channels where the short side has 4, 8, 16, … pixels
FEATURE_SIDE = 128  # most pixels of the short side at which perceptual features are computed
TAPS = {"2_2": 32, "3_3": 64, "4_3": 128}  # of the compact perceptual network, and their channels
HEAD_WIDTH = 64  # channels of a discriminator head


class GeneratorBlock(nn.Module):
    """Double the size: one convolution before, and a residual one after, gated by the style."""

    noisy = True

    def __init__(self, before: int, after: int, latent_size: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(before, after, 1, bias=False)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.gate = nn.Linear(latent_size, after)
        self.noise = nn.Parameter(torch.zeros(after, 1, 1))  # its strength in each channel

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """[N, before, H, W] and styles [N, latent_size] → [N, after, 2H, 2W]."""
        # one bilinear enlargement for both; nearest would leave a grid
        both = torch.cat((self.skip(x), self.first(F.silu(x))), 1)
        x, y = F.interpolate(both, scale_factor=2.0, mode="bilinear").chunk(2, 1)
        if self.noisy:
            y = y + self.noise * torch.randn_like(y[:, :1])
        residual: Tensor = self.second(F.silu(y))
        return x + residual * (2 * torch.sigmoid(self.gate(style)))[:, :, None, None]


class Generator(nn.Module):
    """Residual blocks from a latent to a picture, with one style for each size.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels; see `start_size`.
    latent_size : int
        Numbers in a latent.
    """

    mean: Tensor

    def __init__(self, size: tuple[int, int], latent_size: int = 128) -> None:
        super().__init__()
        self.size, self.latent_size = size, latent_size
        self.start, doublings = start_size(size)
        self.layers = 1 + doublings
        self.first = nn.Linear(latent_size, WIDTHS[0] * self.start[0] * self.start[1])
        pairs = itertools.pairwise(WIDTHS[: doublings + 1])
        self.body = nn.ModuleList(
            GeneratorBlock(before, after, latent_size) for before, after in pairs
        )
        self.last = nn.Conv2d(WIDTHS[doublings], 3, 3, padding=1)
        self.register_buffer("mean", torch.zeros(latent_size), persistent=False)

    def map(self, z: Tensor) -> Tensor:
        """Return the latents [N, latent_size]: they are the styles."""
        return z

    def paint(self, styles: Tensor) -> Tensor:
        """Make pictures [N, 3, H, W] in 0..1 of styles.

        They are [N, latent_size], or [N, layers, latent_size] for a different style at each size.
        """
        if styles.dim() == 2:
            styles = styles[:, None].expand(-1, self.layers, -1)
        x = self.first(styles[:, 0]).view(len(styles), -1, *self.start)
        for level, block in enumerate(self.body):
            x = block(x, styles[:, level + 1])
        rgb: Tensor = torch.tanh(self.last(F.silu(x)))
        return (rgb + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures [N, 3, H, W] in 0..1 of latents [N, latent_size]."""
        return self.paint(z)


class DiscriminatorBlock(nn.Module):
    """Halve the size: a convolution before and one after, with a residual connection."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(before, after, 1, bias=False)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] → [N, after, H/2, W/2]."""
        y = F.avg_pool2d(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2), 2)
        halved: Tensor = (self.skip(F.avg_pool2d(x, 2)) + self.second(y)) * 0.5**0.5
        return halved


class Discriminator(nn.Module):
    """Compute logits of patches, from the pixels and from frozen perceptual features.

    Frozen features help where a hundred pictures are too few to learn good ones (Sauer et al. 2021,
    "Projected GANs", section 3; we leave out their random projections).

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels, as for the generator.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        _, halvings = start_size(size)
        widths = [max(8, 5 * width // 8) for width in reversed(WIDTHS[: halvings + 1])]
        self.first = nn.Conv2d(3, widths[0], 3, padding=1)
        self.body = nn.ModuleList(DiscriminatorBlock(a, b) for a, b in itertools.pairwise(widths))
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        self._frozen = [features.load("compact")]  # in a list, to keep it out of our parameters
        self._scale = min(1.0, FEATURE_SIDE / min(size))
        side = round(min(size) * self._scale)
        self.heads = nn.ModuleDict()
        for block, (tap, channels) in enumerate(TAPS.items(), 1):
            left = start_size((side, side))[1] - block  # a tap of block k was halved k times
            self.heads[tap] = _head(channels, max(1, left))

    def forward(self, picture: Tensor) -> Tensor:
        """Compute logits [N, patches] of pictures [N, 3, H, W] in 0..1."""
        x = self.first(picture * 2 - 1)
        for block in self.body:
            x = block(x)
        logits = [self.last(F.leaky_relu(x, 0.2)).flatten(1)]
        if self._scale < 1:
            height, width = images.size_of(picture)
            size = round(height * self._scale), round(width * self._scale)
            picture = F.interpolate(picture, size, mode="bilinear", antialias=True)
        self._frozen[0].to(picture.device)
        taps = self._frozen[0](picture, TAPS)
        for tap, head in self.heads.items():
            logits.append(head(taps[tap]).flatten(1))
        return torch.cat(logits, 1)


def _head(channels: int, halvings: int) -> nn.Sequential:
    """Layers from the features of one tap to logits of patches."""
    halves: list[nn.Module] = []
    for _ in range(halvings):
        halves += [nn.LeakyReLU(0.2), nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH, 4, 2, 1)]
    return nn.Sequential(
        nn.Conv2d(channels, HEAD_WIDTH, 1),
        *halves,
        nn.LeakyReLU(0.2),
        nn.Conv2d(HEAD_WIDTH, 1, 3, padding=1),
    )
