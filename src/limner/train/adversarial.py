"""Parts of adversarial training: a patch discriminator, GAN losses, a gradient penalty."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """A patch discriminator: gives one logit for every patch of a picture, high for real ones.

    The convolutions are those of ESRGAN's discriminator (Wang et al. 2018): every other one halves
    the picture. We leave the paper twice: spectral normalization (Miyato et al. 2018) replaces
    batch normalization, and there are no dense layers. A patch has ``2**halvings`` pixels a side.

    Parameters
    ----------
    width : int
        Channels of the first two convolutions; they double with every halving.
    halvings : int
        How many convolutions halve the picture.
    channels : int
        Input channels: 3 for pictures, more for conditional training.
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
        """Compute logits [N, 1, h, w] from pictures [N, C, H, W] in 0..1."""
        x = picture * 2 - 1
        *body, last = self.body
        for layer in body:
            # the factor √2 keeps the signal large enough through nine layers of norm 1
            x = F.leaky_relu(layer(x), 0.2) * 2**0.5
        logits: Tensor = last(x)
        return logits


def relativistic_average(better: Tensor, worse: Tensor) -> Tensor:
    """Relativistic average GAN loss (Jolicoeur-Martineau 2018, section 4.2).

    It is low if each logit of `better` is above the mean of `worse`, and each of `worse` below the
    mean of `better`. The discriminator's loss takes (real, fake), the generator's (fake, real).
    Logits have any shape; the loss is a scalar.
    """
    above = F.softplus(-(better - worse.mean()))
    below = F.softplus(worse - better.mean())
    return torch.mean(above) / 2 + torch.mean(below) / 2


def relativistic_paired(better: Tensor, worse: Tensor) -> Tensor:
    """Relativistic paired GAN loss (Jolicoeur-Martineau 2018, section 4.1).

    It is low if each logit of `better` is above its partner in `worse`. Each fake picture is
    compared with a real one, so the generator cannot drop the kinds of pictures that are hard to
    make (Huang et al. 2024, section 2).
    """
    return F.softplus(worse - better).mean()


def _standard(real: Tensor, fake: Tensor) -> Tensor:
    return (F.softplus(-real) + F.softplus(fake)).mean()


def _hinge(real: Tensor, fake: Tensor) -> Tensor:
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


Loss = Callable[[Tensor, Tensor], Tensor]  # from the logits of real and of fake pictures

# name: (the discriminator's loss, the generator's loss)
LOSSES: dict[str, tuple[Loss, Loss]] = {
    # the non-saturating generator loss (Goodfellow et al. 2014, section 3)
    "standard": (_standard, lambda real, fake: F.softplus(-fake).mean()),
    "hinge": (_hinge, lambda real, fake: -fake.mean()),
    "average": (relativistic_average, lambda real, fake: relativistic_average(fake, real)),
    "paired": (relativistic_paired, lambda real, fake: relativistic_paired(fake, real)),
}


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """Mean squared norm of the gradient of logits by their pictures.

    R1 for real pictures, R2 for fake ones (Mescheder et al. 2018, section 4.1), without the factor
    γ/2.

    Parameters
    ----------
    logits : Tensor
        [N].
    pictures : Tensor
        [N, 3, H, W], with ``requires_grad`` set before the logits were computed.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
