"""The presets of `train_painter`: networks, losses and numbers."""

from dataclasses import dataclass

from torch import nn

from limner.generation.gan import dcgan, lightweight_gan, stylegan2


@dataclass(frozen=True)
class Preset:
    """How to train a generator.

    Attributes
    ----------
    architecture : str
        The module with the networks: ``lightweight_gan``, ``dcgan`` or ``stylegan2``.
    loss : str
        A key of `limner.train.adversarial.LOSSES`.
    penalty : str
        Gradient penalty: ``none``, ``r1`` or ``r1r2``.
    augment : str
        Augmentation: ``none``, ``diffaugment`` or ``adaptive``.
    steps : int
        Optimizer steps.
    batch_size : int
        Pictures per step.
    learning_rate : float
        Of both networks' Adam.
    betas : tuple of float
        Of Adam.
    gamma : float
        Weight of the penalty at 64 pixels and 16 pictures per step. It grows with the pixels and
        shrinks with the pictures (Karras et al. 2020, "Limited Data", appendix C).
    penalty_every : int
        Steps between two penalties. The penalty is multiplied by it.
    decay_after : int
        Steps after which the learning rate falls, as one over the steps; 0 for never.
    """

    architecture: str
    loss: str
    penalty: str
    augment: str
    steps: int
    batch_size: int
    learning_rate: float
    betas: tuple[float, float]
    gamma: float = 1.0
    penalty_every: int = 16
    decay_after: int = 0


# "The article" is the one that the verb generate grew out of; its title is not known to us. It
# trained a DCGAN for 10,000 steps and a relativistic GAN for 15,000, on a folder of paintings.
PRESETS = {
    # Radford et al. 2016, section 4; the article's steps
    "dcgan": Preset("dcgan", "standard", "none", "none", 10_000, 32, 2e-4, (0.5, 0.999)),
    # Jolicoeur-Martineau 2018; the article's steps
    "relativistic": Preset("dcgan", "average", "none", "none", 15_000, 32, 1e-4, (0.5, 0.999)),
    # Karras et al. 2020, appendix B; trained on 300,000 pictures, which suits a small folder
    "stylegan2": Preset("stylegan2", "standard", "r1", "none", 37_500, 8, 2e-3, (0.0, 0.99), 0.1),
    "auto": Preset(
        "lightweight_gan",
        "paired",
        "r1r2",
        "diffaugment",
        4_000,
        16,
        1e-3,
        (0.0, 0.99),
        gamma=0.05,
        penalty_every=8,
        decay_after=300,
    ),
}


def build(architecture: str, size: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
    """Make a generator and a discriminator with random weights.

    Parameters
    ----------
    architecture : str
        Of a `Preset`.
    size : tuple of int
        Height and width of the pictures; see `start_size`.
    """
    if architecture == "stylegan2":
        # half the channels of configuration F, as in NVIDIA's configuration for 256 pixels
        base = stylegan2.CHANNEL_BASE // 2
        generator = stylegan2.Generator(size, channel_base=base)
        return generator, stylegan2.Discriminator(size, channel_base=base)
    networks = {"lightweight_gan": lightweight_gan, "dcgan": dcgan}[architecture]
    return networks.Generator(size), networks.Discriminator(size)
