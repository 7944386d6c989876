"""How the colouring network learns: first the likely colours, then colours that convince."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.colorization.network import Colorizer
from limner.nn import features
from limner.train.adversarial import Discriminator, relativistic_average
from limner.train.optim import Stage, descend, solvers

TAPS = ("1_2", "2_2", "3_3", "4_3")  # of the compact features, compared alike
SEEN, ADVERSARIAL = 0.3, 0.02  # weights beside the 1 of the mean absolute difference


class Likely(Stage[Colorizer]):
    """Mean absolute difference and features: safe colours, a little pale where it cannot know.

    Parameters
    ----------
    network : Colorizer
        What is trained.
    rate : float
        The highest learning rate of biases. Weights go down orthogonal steps of four times as much.
    """

    def __init__(self, network: Colorizer, rate: float) -> None:
        self._muon, self._adam = solvers(network, rate)
        self._features = features.load("compact")
        super().__init__(network, muon=self._muon, adam=self._adam)

    def step(self, ink: Tensor, hints: Tensor, rgb: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch at a share of the rate; give the losses."""
        made = self.network(ink, hints)
        pixels, seen = F.l1_loss(made, rgb), unlike(self._features, made, rgb)
        descend(pixels + SEEN * seen, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": pixels.item(), "features": seen.item()}


class Convincing(Stage[Colorizer]):
    """With a discriminator that sees lines and colours: as colourful as the pictures it knows.

    The relativistic average loss (Jolicoeur-Martineau 2018) instead of the article's cross-entropy,
    spectral normalisation, and all losses of the first stage.

    Parameters
    ----------
    network : Colorizer
        What the first stage made.
    rate : float
        Ten times the highest learning rate of the network, twice the discriminator's.
    """

    def __init__(self, network: Colorizer, rate: float) -> None:
        rival, rate = Discriminator(channels=4), rate / 10
        self._adam = torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.99))
        self._rival_adam = torch.optim.Adam(rival.parameters(), 5 * rate, betas=(0.5, 0.99))
        self._rival, self._features = rival, features.load("compact")
        super().__init__(network, adam=self._adam, rival=rival, rival_adam=self._rival_adam)

    def step(self, ink: Tensor, hints: Tensor, rgb: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch at a share of the rate; give the losses."""
        made = self.network(ink, hints)
        real = self._rival(torch.cat((rgb, ink), 1))
        pixels, seen = F.l1_loss(made, rgb), unlike(self._features, made, rgb)
        wins = relativistic_average(self._rival(torch.cat((made, ink), 1)), real.detach())
        descend(pixels + SEEN * seen + ADVERSARIAL * wins, share, self._adam)
        self.average.update(self.network)
        loss = relativistic_average(real, self._rival(torch.cat((made.detach(), ink), 1)))
        descend(loss, share, self._rival_adam)
        losses = {"loss": pixels, "features": seen, "adversarial": wins, "discriminator": loss}
        return {name: value.item() for name, value in losses.items()}


def unlike(network: features.VGG, made: Tensor, real: Tensor) -> Tensor:
    """Mean distance of the features of two pictures, each tap's in shares of its own size.

    Of the pictures at half their size: what has which colour shows there too, at a quarter of the
    cost.
    """
    return features.distance(network, F.avg_pool2d(made, 2), F.avg_pool2d(real, 2), TAPS)
