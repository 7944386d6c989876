"""Parts of adversarial training: GAN losses, and a gradient penalty."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


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
