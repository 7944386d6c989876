"""What the four ways of training a painter are, as networks and numbers."""

from dataclasses import dataclass

from torch import nn

from limner.generation.gan import dcgan, stylegan2
from limner.generation.gan import lightweight_gan as light

SIZES = (64, 128, 256, 512)  # pixels of the short side


@dataclass(frozen=True)
class Preset:
    """One way of training a painter.

    Attributes
    ----------
    architecture : str
        Whose networks: ``light``, ``dcgan`` or ``stylegan2``.
    loss : str
        A key of `limner.adversarial.LOSSES`.
    penalty : str
        ``none``, ``r1`` or ``r1r2``.
    augment : str
        ``none``, ``diffaugment`` or ``adaptive``.
    steps : int
        Optimiser steps.
    batch_size : int
        Pictures in a step.
    rate : float
        Learning rate of both networks' Adam.
    betas : tuple of float
        Of Adam.
    gamma : float
        Weight of the penalty at 64 pixels and 16 pictures; it grows with the pixels and falls with
        the pictures (Karras et al. 2020, "Limited Data", appendix C).
    every : int
        Steps from one penalty to the next, which is then so many times stronger.
    settle : int
        Steps after which the rate falls, as one over the steps; 0 for never.
    """

    architecture: str
    loss: str
    penalty: str
    augment: str
    steps: int
    batch_size: int
    rate: float
    betas: tuple[float, float]
    gamma: float = 1.0
    every: int = 16
    settle: int = 0


PRESETS = {
    # Radford et al. 2016, section 4; the article's steps
    "dcgan": Preset("dcgan", "standard", "none", "none", 10_000, 32, 2e-4, (0.5, 0.999)),
    # Jolicoeur-Martineau 2018; the article's steps
    "relativistic": Preset("dcgan", "average", "none", "none", 15_000, 32, 1e-4, (0.5, 0.999)),
    # Karras et al. 2020, appendix B; 300 thousand pictures, as few pictures allow
    "stylegan2": Preset("stylegan2", "standard", "r1", "none", 37_500, 8, 2e-3, (0.0, 0.99), 0.1),
    "auto": Preset(
        "light", "paired", "r1r2", "diffaugment", 4_000, 16, 1e-3, (0.0, 0.99), 0.05, 8, 300
    ),
}


def build(architecture: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
    """Make a generator and a discriminator of random weights.

    Parameters
    ----------
    architecture : str
        Of a `Preset`.
    size : tuple of int
        Height and width of the pictures; the short side one of `SIZES`.
    """
    if architecture == "stylegan2":  # half the channels of the largest networks, as at 256 pixels
        base = 16384
        return stylegan2.Generator(size, base=base), stylegan2.Discriminator(size, base=base)
    rooms = {"light": light, "dcgan": dcgan}
    return rooms[architecture].Generator(size), rooms[architecture].Discriminator(size)
