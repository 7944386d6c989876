"""The two stages of training the colorizing network: reconstruction, then adversarial."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.colorization.network import Colorizer
from limner.nn import features
from limner.train.adversarial import Discriminator, relativistic_average
from limner.train.optim import Stage, muon_and_adam, optimizer_step

TAPS = ("1_2", "2_2", "3_3", "4_3")  # of the compact perceptual network, with equal weights
FEATURE_WEIGHT, ADVERSARIAL_WEIGHT = 0.3, 0.02  # weights of the losses; the L1 loss has 1


class ReconstructionStage(Stage[Colorizer]):
    """L1 and feature loss. The colors are safe, and pale where the network cannot know them.

    Parameters
    ----------
    network : Colorizer
        The network to train; the stage runs on its device.
    rate : float
        The highest learning rate of the biases. The weights take Muon steps of four times as much.
    """

    def __init__(self, network: Colorizer, rate: float) -> None:
        self._muon, self._adam = muon_and_adam(network, rate)
        self._features = features.load("compact", next(network.parameters()).device)
        super().__init__(network, muon=self._muon, adam=self._adam)

    def step(self, ink: Tensor, hints: Tensor, rgb: Tensor, share: float) -> dict[str, float]:
        """Train on ink [N, 1, H, W], hints [N, 4, H, W], colors [N, 3, H, W]; return the losses.

        `share` is the share of the learning rate, 0 to 1.
        """
        made = self.network(ink, hints)
        pixels, perceptual = F.l1_loss(made, rgb), feature_loss(self._features, made, rgb)
        optimizer_step(pixels + FEATURE_WEIGHT * perceptual, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": pixels.item(), "features": perceptual.item()}


class AdversarialStage(Stage[Colorizer]):
    """The losses of the first stage, and a discriminator that sees lines and colors.

    It makes the colors as strong as those of the pictures. The adversarial loss is the relativistic
    average loss (Jolicoeur-Martineau 2018).

    Parameters
    ----------
    network : Colorizer
        The network from the first stage; the stage runs on its device.
    rate : float
        The highest learning rate of the first stage. The network gets a tenth of it, the
        discriminator half of it.
    """

    def __init__(self, network: Colorizer, rate: float) -> None:
        device = next(network.parameters()).device
        discriminator, rate = Discriminator(channels=4).to(device), rate / 10
        betas = (0.5, 0.99)
        self._discriminator = discriminator
        self._adam = torch.optim.Adam(network.parameters(), rate, betas=betas)
        self._discriminator_adam = torch.optim.Adam(
            discriminator.parameters(), 5 * rate, betas=betas
        )
        self._features = features.load("compact", device)
        super().__init__(
            network,
            adam=self._adam,
            discriminator=discriminator,
            discriminator_adam=self._discriminator_adam,
        )

    def step(self, ink: Tensor, hints: Tensor, rgb: Tensor, share: float) -> dict[str, float]:
        """Train on ink [N, 1, H, W], hints [N, 4, H, W], colors [N, 3, H, W]; return the losses.

        `share` is the share of the learning rate, 0 to 1.
        """
        made = self.network(ink, hints)
        real = self._discriminator(torch.cat((rgb, ink), 1))
        pixels, perceptual = F.l1_loss(made, rgb), feature_loss(self._features, made, rgb)
        fake = self._discriminator(torch.cat((made, ink), 1))
        adversarial = relativistic_average(fake, real.detach())
        total = pixels + FEATURE_WEIGHT * perceptual + ADVERSARIAL_WEIGHT * adversarial
        optimizer_step(total, share, self._adam)
        self.average.update(self.network)
        fake = self._discriminator(torch.cat((made.detach(), ink), 1))
        discriminator = relativistic_average(real, fake)
        optimizer_step(discriminator, share, self._discriminator_adam)
        losses = {"loss": pixels, "features": perceptual, "adversarial": adversarial}
        losses |= {"discriminator": discriminator}
        return {name: value.item() for name, value in losses.items()}


def feature_loss(network: features.VGG, made: Tensor, real: Tensor) -> Tensor:
    """Mean distance between the features of pictures [N, 3, H, W], relative to each tap's mean.

    The pictures are halved first: colors show just as well, at a quarter of the cost.
    """
    return features.distance(network, F.avg_pool2d(made, 2), F.avg_pool2d(real, 2), TAPS)
