"""The two stages of training an upscaler: a pixel loss, then perceptual and adversarial losses."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import features, images
from limner.train.adversarial import Discriminator, relativistic_average
from limner.train.optim import Muon, Stage, optimizer_step
from limner.upscaling.compact import Compact

TAPS = ("1_2", "2_2", "3_3", "4_3", "5_1")  # of the compact features, with equal weights
# Weights beside 1 for L1. Real-ESRGAN has 1 and 0.1, for hundreds of thousands of steps. In a
# thousand steps, such a feature loss draws a grid that the discriminator cannot remove.
FEATURE_WEIGHT, ADVERSARIAL_WEIGHT, GRID_WEIGHT = 0.15, 0.05, 0.01


class PixelStage(Stage[Compact]):
    """L1 loss alone: the highest PSNR, and soft detail; sharper with the target of a teacher.

    Parameters
    ----------
    network : Compact
        The network to train, on the device where it trains.
    rate : float
        The highest learning rate of Adam, for biases, slopes, and the first convolution. Muon, for
        the other convolutions, has four times as much.
    """

    def __init__(self, network: Compact, rate: float) -> None:
        inner = [p for p in network.parameters() if p.dim() == 4 and p.shape[1] > 3]
        others = [p for p in network.parameters() if all(p is not q for q in inner)]
        self._muon = Muon(inner, 4 * rate)
        self._adam = torch.optim.Adam(others, rate, betas=(0.9, 0.99))
        super().__init__(network, muon=self._muon, adam=self._adam)

    def step(self, small: Tensor, large: Tensor, target: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch of patches, at a share of the learning rate; return the losses."""
        loss = pixel_loss(self.network(small), large, target)
        optimizer_step(loss, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item()}


class PerceptualStage(Stage[Compact]):
    """The second stage of ESRGAN (Wang et al. 2018, section 3.3): plausible detail.

    L1, a feature loss, and the relativistic average adversarial loss. The features come from our
    compact network instead of VGG-19, after the ReLU, at five depths instead of one. A fourth loss
    counts patterns that repeat with every pixel of the small picture, if the original has fewer.

    Parameters
    ----------
    network : Compact
        The result of the first stage, on the device where it trains.
    rate : float
        Ten times the highest learning rate of the network, and twice that of the discriminator.
    """

    def __init__(self, network: Compact, rate: float) -> None:
        device = next(network.parameters()).device
        discriminator, rate = Discriminator().to(device), rate / 10
        self._adam = torch.optim.Adam(network.parameters(), rate, betas=(0.9, 0.99))
        self._discriminator_adam = torch.optim.Adam(
            discriminator.parameters(), 5 * rate, betas=(0.9, 0.99)
        )
        super().__init__(
            network,
            adam=self._adam,
            discriminator=discriminator,
            discriminator_adam=self._discriminator_adam,
        )
        self._discriminator, self._features = discriminator, features.load("compact", device)

    def step(self, small: Tensor, large: Tensor, target: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch of patches, at a share of the learning rate; return the losses."""
        enlarged = self.network(small)
        real_logits = self._discriminator(large)
        l1_loss = pixel_loss(enlarged, large, target)
        feature_loss = features.distance(self._features, enlarged, large, TAPS)
        adversarial_loss = relativistic_average(self._discriminator(enlarged), real_logits.detach())
        scale = self.network.scale
        grid_loss = (grid_energy(enlarged, scale) - grid_energy(large, scale)).relu().mean()
        loss = (
            l1_loss
            + FEATURE_WEIGHT * feature_loss
            + ADVERSARIAL_WEIGHT * adversarial_loss
            + GRID_WEIGHT * grid_loss
        )
        optimizer_step(loss, share, self._adam)
        self.average.update(self.network)
        discriminator_loss = relativistic_average(
            real_logits, self._discriminator(enlarged.detach())
        )
        optimizer_step(discriminator_loss, share, self._discriminator_adam)
        losses = {
            "loss": l1_loss,
            "features": feature_loss,
            "adversarial": adversarial_loss,
            "grid": grid_loss,
            "discriminator": discriminator_loss,
        }
        return {name: value.item() for name, value in losses.items()}


def pixel_loss(made: Tensor, large: Tensor, target: Tensor) -> Tensor:
    """Return the mean of the L1 distances to the original and to the target of a teacher."""
    return (F.l1_loss(made, large) + F.l1_loss(made, target)) / 2


def grid_energy(picture: Tensor, scale: int) -> Tensor:
    """Measure patterns that repeat every ``scale`` pixels, along rows and columns.

    Parameters
    ----------
    picture : Tensor
        [N, 3, H, W]; both sides are multiples of the scale.
    scale : int
        The period in pixels.

    Returns
    -------
    Tensor
        For each multiple of that frequency, the natural logarithm of its energy over the mean of
        the six frequencies around it. 0 means no grid.
    """
    luma = images.luma(picture)[:, 0]
    energy = torch.fft.fft2(luma - luma.mean((1, 2), keepdim=True)).abs().square().mean(0)
    found = []
    for spectrum in (energy.mean(0), energy.mean(1)):
        step = len(spectrum) // scale
        for k in range(step, len(spectrum) // 2 + 1, step):
            around = torch.cat((spectrum[k - 3 : k], spectrum[k + 1 : k + 4])).mean()
            found.append((spectrum[k] / (around + 1e-9) + 1e-9).log())
    return torch.stack(found)
