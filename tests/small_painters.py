"""Painters with random weights, for tests: small, but they make pictures."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from limner.generation.gan import dcgan, lightweight_gan, painter, stylegan2
from limner.generation.gan.stylegan2_layers import SynthesisLayer, ToRGB

LIGHTWEIGHT_WIDTHS = (12, 10, 8, 8, 8, 8, 8, 8)  # to replace lightweight_gan.WIDTHS
SIZE = (16, 24)  # height and width of the pictures of most of them


def random_painter(name: str = "stylegan2", size: tuple[int, int] = SIZE) -> nn.Module:
    """Make a painter with visible noise, and with a mean of the styles that is not 0."""
    small = {"latent_size": 16, "mapping_layers": 2, "channel_base": 64, "channel_max": 16}
    makers: dict[str, Callable[[], nn.Module]] = {
        "lightweight_gan": lambda: lightweight_gan.Generator(size, 16),
        "dcgan": lambda: dcgan.Generator(size, 8),
        "stylegan2": lambda: stylegan2.Generator(size, **small),  # type: ignore[arg-type]
    }
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = makers[name]()
        for part in network.modules():
            if isinstance(part, SynthesisLayer):
                part.strength.fill_(0.05)
            elif isinstance(part, lightweight_gan.GeneratorBlock):
                part.noise.fill_(0.1)
            elif isinstance(part, ToRGB):
                part.convolution.weight.mul_(0.25)  # most values are in 0..1
            elif isinstance(part, nn.ConvTranspose2d):
                part.weight.mul_(4)  # otherwise a DCGAN makes gray pictures
        if isinstance(network, stylegan2.Generator):
            z = torch.randn((200, network.latent_size))
            network.mean.copy_(network.map(z).mean(0) + 0.3)
    return network.eval().requires_grad_(False)


def write_painter(path: Path, name: str = "stylegan2", size: tuple[int, int] = SIZE) -> Path:
    """Write the weights file of a random painter."""
    painter.save(path, random_painter(name, size), {"license": "CC0-1.0"})
    return path
