"""DCGAN (Radford et al. 2016), which the article's relativistic GAN is of as well."""

import itertools

import torch
from torch import Tensor, nn

from limner.generation.gan.stylegan2 import levels


class Generator(nn.Module):
    """Transposed convolutions with batch normalisation, from noise to a picture.

    Parameters
    ----------
    size : tuple of int
        Height and width; the short side 4·2^k.
    latent : int
        Numbers in a latent.
    width : int
        Channels at half the size; they double with every halving, up to eight times as many.
    """

    mean: Tensor

    def __init__(self, size: tuple[int, int], latent: int = 100, width: int = 64) -> None:
        super().__init__()
        self.size, self.latent, self.layers = size, latent, 1
        smallest, count = levels(size)
        widths = [min(8, 2**level) * width for level in reversed(range(count))]
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent, widths[0], smallest, bias=False),
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
        self.register_buffer("mean", torch.zeros(latent), persistent=False)
        _initialise(self)

    def map(self, z: Tensor) -> Tensor:
        """Latents are styles as they are: there is nothing to map."""
        return z

    def paint(self, styles: Tensor) -> Tensor:
        """Latents [N, latent] or [N, 1, latent] → pictures [N, 3, H, W] in 0..1."""
        rgb: Tensor = self.body(styles.flatten(1)[:, :, None, None])
        return (rgb + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Latents [N, latent] → pictures [N, 3, H, W] in 0..1."""
        return self.paint(z)


class Discriminator(nn.Module):
    """Strided convolutions with batch normalisation, from a picture to one logit.

    Parameters
    ----------
    size : tuple of int
        Height and width; the short side 4·2^k.
    width : int
        Channels at half the size.
    """

    def __init__(self, size: tuple[int, int], width: int = 64) -> None:
        super().__init__()
        smallest, count = levels(size)
        widths = [min(8, 2**level) * width for level in range(count)]
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, smallest))
        _initialise(self)

    def forward(self, picture: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] in 0..1 → logits [N]."""
        logits: Tensor = self.body(picture * 2 - 1)
        return logits.flatten()


def _initialise(network: nn.Module) -> None:
    """Normal weights of deviation 0.02, as in the paper (section 4)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
