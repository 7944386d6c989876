"""What two networks that play against each other need: a discriminator, losses, a penalty."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Tells pictures from what a generator made of them, patch by patch.

    Convolutions, every other one of which halves the picture, as ESRGAN's discriminator has them
    (Wang et al. 2018); spectral normalisation (Miyato et al. 2018) instead of batch normalisation,
    and no dense layers: it gives one logit for every patch of ``2**halvings`` pixels a side.

    Parameters
    ----------
    width : int
        Channels of the first two convolutions; they double with every halving.
    halvings : int
        How often the picture is halved.
    channels : int
        Of what it sees: 3 for pictures, more where something lies beside them.
    """

    def __init__(self, width: int = 16, halvings: int = 4, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level in range(halvings):
            wider = width * 2**level
            for side, stride in ((3, 1), (4, 2)):
                layers.append(spectral_norm(nn.Conv2d(channels, wider, side, stride, padding=1)))
                channels = wider
        layers.append(spectral_norm(nn.Conv2d(channels, 1, 3, padding=1)))
        self.body = nn.ModuleList(layers)

    def forward(self, picture: Tensor) -> Tensor:
        """Judge pictures [N, 3, H, W] in 0..1: logits [N, 1, h, w], high for real ones."""
        x = picture * 2 - 1
        *body, last = self.body
        for layer in body:
            # times √2, or what is left after nine layers of norm 1 is too little to learn from
            x = F.leaky_relu(layer(x), 0.2) * 2**0.5
        logits: Tensor = last(x)
        return logits


def relativistic_average(better: Tensor, worse: Tensor) -> Tensor:
    """Loss of who wants the first logits to be above the mean of the second, and vice versa.

    The relativistic average GAN (Jolicoeur-Martineau 2018, section 4.2): a discriminator's loss is
    that of (real, made), the generator's that of (made, real).
    """
    above = F.softplus(-(better - worse.mean()))
    below = F.softplus(worse - better.mean())
    return torch.mean(above) / 2 + torch.mean(below) / 2


def relativistic_paired(better: Tensor, worse: Tensor) -> Tensor:
    """Loss of who wants every first logit above the second one of its pair.

    The relativistic GAN (Jolicoeur-Martineau 2018, section 4.1), which cannot drop what is hard to
    make: every picture made is set against a real one (Huang et al. 2024, section 2).
    """
    return F.softplus(worse - better).mean()


def _standard(real: Tensor, made: Tensor) -> Tensor:
    return (F.softplus(-real) + F.softplus(made)).mean()


def _hinge(real: Tensor, made: Tensor) -> Tensor:
    return (F.relu(1 - real) + F.relu(1 + made)).mean()


Loss = Callable[[Tensor, Tensor], Tensor]  # logits of real pictures, and of made ones

# name: (the discriminator's loss, the generator's)
LOSSES: dict[str, tuple[Loss, Loss]] = {
    # the generator's does not saturate (Goodfellow et al. 2014, section 3)
    "standard": (_standard, lambda real, made: F.softplus(-made).mean()),
    "hinge": (_hinge, lambda real, made: -made.mean()),
    "average": (relativistic_average, lambda real, made: relativistic_average(made, real)),
    "paired": (relativistic_paired, lambda real, made: relativistic_paired(made, real)),
}


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """Mean squared gradient of logits [N] by pictures [N, 3, H, W], which have to ask for it.

    R1 of real pictures, R2 of made ones (Mescheder et al. 2018, section 4.1), without γ/2.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
