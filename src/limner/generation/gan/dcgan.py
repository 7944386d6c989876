"""DCGAN (Radford et al. 2016), the networks of the presets ``dcgan`` and ``relativistic``."""

import itertools

import torch
from torch import Tensor, nn

from limner.generation.gan.sizes import start_size


class Generator(nn.Module):
    """Transposed convolutions with batch normalization, from a latent to a picture.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels; see `start_size`.
    latent_size : int
        Numbers in a latent.
    width : int
        Channels at half the size. They double with every halving, up to eight times as many.
    """

    mean: Tensor

    def __init__(self, size: tuple[int, int], latent_size: int = 100, width: int = 64) -> None:
        super().__init__()
        self.size, self.latent_size, self.layers = size, latent_size, 1
        start, doublings = start_size(size)
        widths = [min(8, 2**level) * width for level in reversed(range(doublings))]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent_size, widths[0], start, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for before, after in itertools.pairwise(widths):
            layers += [
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1), nn.Tanh())
        self.register_buffer("mean", torch.zeros(latent_size), persistent=False)
        _initialize(self)

    def map(self, z: Tensor) -> Tensor:
        """Return the latents [N, latent_size]: they are the styles."""
        return z

    def paint(self, styles: Tensor) -> Tensor:
        """Make pictures [N, 3, H, W] in 0..1 of styles [N, latent_size] or [N, 1, latent_size]."""
        rgb: Tensor = self.body(styles.flatten(1)[:, :, None, None])
        return (rgb + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures [N, 3, H, W] in 0..1 of latents [N, latent_size]."""
        return self.paint(z)


class Discriminator(nn.Module):
    """Strided convolutions with batch normalization, from a picture to one logit.

    Parameters
    ----------
    size : tuple of int
        Height and width in pixels, as for the generator.
    width : int
        Channels at half the size.
    """

    def __init__(self, size: tuple[int, int], width: int = 64) -> None:
        super().__init__()
        end, halvings = start_size(size)
        widths = [min(8, 2**level) * width for level in range(halvings)]
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, end))
        _initialize(self)

    def forward(self, picture: Tensor) -> Tensor:
        """Compute logits [N] of pictures [N, 3, H, W] in 0..1."""
        logits: Tensor = self.body(picture * 2 - 1)
        return logits.flatten()


def _initialize(network: nn.Module) -> None:
    """Draw normal weights with a standard deviation of 0.02, as in the paper (section 4)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
