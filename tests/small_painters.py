"""Painters of random weights, for tests: they paint nothing fair, but they paint."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from limner.generation.gan import dcgan, lightweight_gan, painter, stylegan2

LIGHT = (12, 10, 8, 8, 8, 8, 8, 8)  # to be put in place of light.WIDTHS
SIZE = (16, 24)  # height and width of what most of them paint


def random_painter(name: str = "stylegan2", size: tuple[int, int] = SIZE) -> nn.Module:
    """With noise that is seen, and a mean that is not 0 where there is one to be followed."""
    makers: dict[str, Callable[[], nn.Module]] = {
        "light": lambda: lightweight_gan.Generator(size, 16),
        "dcgan": lambda: dcgan.Generator(size, 8),
        "stylegan2": lambda: stylegan2.Generator(size, latent=16, depth=2, base=64, most=16),
    }
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = makers[name]()
        for part in network.modules():
            if isinstance(part, stylegan2.Styled):
                part.strength.fill_(0.05)
            elif isinstance(part, lightweight_gan.Raise):
                part.noise.fill_(0.1)
            elif isinstance(part, stylegan2.Colours):
                part.convolution.weight.mul_(0.25)  # most of it lies in 0..1
            elif isinstance(part, nn.ConvTranspose2d):
                part.weight.mul_(4)  # else a DCGAN paints grey
        if isinstance(network, stylegan2.Generator):
            network.mean.copy_(network.map(torch.randn((200, network.latent))).mean(0) + 0.3)
    return network.eval().requires_grad_(False)


def write_painter(path: Path, name: str = "stylegan2", size: tuple[int, int] = SIZE) -> Path:
    painter.save(path, random_painter(name, size), {"licence": "anybody's"})
    return path
