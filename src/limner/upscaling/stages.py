"""The two stages of training an upscaler: close to every pixel, then close to the eye."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import features, images
from limner.train.adversarial import Discriminator, relativistic_average
from limner.train.optim import Muon, Stage, descend
from limner.upscaling.compact import Compact

TAPS = ("1_2", "2_2", "3_3", "4_3", "5_1")  # of the compact features, compared alike
# Weights beside L1's 1. Real-ESRGAN's are 1 and 0.1, of steps by the hundred thousand; in a
# thousand such, the features draw a grid of the scale's width that the discriminator cannot stop.
FEATURES, ADVERSARIAL, GRID = 0.15, 0.05, 0.01


class Pixels(Stage[Compact]):
    """The mean absolute difference (L1) alone: the highest PSNR, and soft detail.

    Parameters
    ----------
    network : Compact
        What is trained.
    rate : float
        The highest learning rate of biases, slopes and the first convolution. The others go down
        orthogonal steps of four times as much.
    """

    def __init__(self, network: Compact, rate: float) -> None:
        inner = [p for p in network.parameters() if p.dim() == 4 and p.shape[1] > 3]
        others = [p for p in network.parameters() if all(p is not q for q in inner)]
        self._muon = Muon(inner, 4 * rate)
        self._adam = torch.optim.Adam(others, rate, betas=(0.9, 0.99))
        super().__init__(network, muon=self._muon, adam=self._adam)

    def step(self, small: Tensor, large: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch of patches at a share of the rate; give the losses."""
        loss = F.l1_loss(self.network(small), large)
        descend(loss, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item()}


class Perceptual(Stage[Compact]):
    """ESRGAN's second stage (Wang et al. 2018, section 3.3): detail that could have been there.

    Features and relativistic average adversarial loss beside L1. The features are our compact
    network's instead of VGG-19's, after the ReLU, at five depths instead of one. What repeats with
    every pixel of the small picture, more than in the original, counts as well.

    Parameters
    ----------
    network : Compact
        What the first stage made.
    rate : float
        Ten times the highest learning rate of the network, twice the discriminator's.
    """

    def __init__(self, network: Compact, rate: float) -> None:
        rival, rate = Discriminator(), rate / 10
        self._adam = torch.optim.Adam(network.parameters(), rate, betas=(0.9, 0.99))
        self._rival_adam = torch.optim.Adam(rival.parameters(), 5 * rate, betas=(0.9, 0.99))
        super().__init__(network, adam=self._adam, rival=rival, rival_adam=self._rival_adam)
        self._rival, self._features = rival, features.load("compact")

    def step(self, small: Tensor, large: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch of patches at a share of the rate; give the losses."""
        made = self.network(small)
        real = self._rival(large)
        pixels = F.l1_loss(made, large)
        seen = features.distance(self._features, made, large, TAPS)
        wins = relativistic_average(self._rival(made), real.detach())
        regular = (grid(made, self.network.scale) - grid(large, self.network.scale)).relu().mean()
        loss = pixels + FEATURES * seen + ADVERSARIAL * wins + GRID * regular
        descend(loss, share, self._adam)
        self.average.update(self.network)
        caught = relativistic_average(real, self._rival(made.detach()))
        descend(caught, share, self._rival_adam)
        losses = {"loss": pixels, "features": seen, "adversarial": wins, "grid": regular}
        losses |= {"discriminator": caught}
        return {name: value.item() for name, value in losses.items()}


def grid(picture: Tensor, scale: int) -> Tensor:
    """How much of pictures [N, 3, H, W] repeats every so many pixels, along columns and rows.

    The natural logarithm of the energy at each multiple of that frequency over the mean of the six
    frequencies around it; 0 for no grid. The sides are multiples of the scale.
    """
    luma = images.luma(picture)[:, 0]
    energy = torch.fft.fft2(luma - luma.mean((1, 2), keepdim=True)).abs().square().mean(0)
    found = []
    for lines in (energy.mean(0), energy.mean(1)):
        for place in range(len(lines) // scale, len(lines) // 2 + 1, len(lines) // scale):
            around = torch.cat((lines[place - 3 : place], lines[place + 1 : place + 4])).mean()
            found.append((lines[place] / (around + 1e-9) + 1e-9).log())
    return torch.stack(found)
