"""The training stage of the colorizing network: guess the hidden colors of regions."""

import torch
from torch import Tensor

from limner.color import oklab
from limner.colorization.network import COLORS, Colorizer
from limner.colorization.tokens import Tokens
from limner.train import parallel
from limner.train.optim import Stage, muon_and_adam, optimizer_step

CLASS_WEIGHT, MEAN_WEIGHT = 1.0, 6.0  # weights of the cross-entropy and of the L1 loss
_WIDTH = 0.04  # in Oklab: a color also counts as the colors this near to it
_UNIFORM = 0.5  # share of the uniform distribution in the rebalancing (Zhang et al. 2016, eq. 4)
_DECAY = 0.99  # of the running frequency of the colors


class RegionStage(Stage[Colorizer]):
    """Cross-entropy over colors, rebalanced so that rare colors count, and L1 of the mean color.

    Each region counts with the square root of its area.

    Parameters
    ----------
    network : Colorizer
        The network to train; the stage runs on its device.
    rate : float
        The highest learning rate of the biases. The weights take Muon steps of four times as much.
    """

    def __init__(self, network: Colorizer, rate: float) -> None:
        self._muon, self._adam = muon_and_adam(network, rate)
        self._frequency = _Frequency(network.colors.device)
        super().__init__(network, muon=self._muon, adam=self._adam, frequency=self._frequency)

    def step(
        self, ink: Tensor, tokens: Tokens, rgb: Tensor, known: Tensor, share: float
    ) -> dict[str, float]:
        """Train on a batch (`region_batches.Batch`) and return the losses.

        `share` is the share of the learning rate, 0 to 1.
        """
        described = self.network.embed(self.network.encode(ink), tokens)
        logits, mean = self.network.choose(described, tokens, rgb, known)
        weight = tokens.area.sqrt() * ~known
        weight = weight / weight.sum(1, keepdim=True).clamp(min=0.1)
        target = soft_targets(rgb, self.network.colors)
        rarity = target @ self._frequency.update(target, weight)
        entropy = -(target * logits.log_softmax(-1)).sum(-1)
        classes = (entropy * weight * rarity).sum() / len(weight)
        distance = ((mean - rgb).abs().mean(-1) * weight).sum() / len(weight)
        total = CLASS_WEIGHT * classes + MEAN_WEIGHT * distance
        optimizer_step(total, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": total.item(), "classes": classes.item(), "mean": distance.item()}


class _Frequency:
    """The running frequency of the colors, and the weights that balance it."""

    def __init__(self, device: torch.device) -> None:
        self.share = torch.full((COLORS,), 1 / COLORS, device=device)

    def update(self, target: Tensor, weight: Tensor) -> Tensor:
        """Add a batch; return the weights of the colors [COLORS], 1 in the mean."""
        seen = parallel.mean((target * weight[..., None]).sum((0, 1)))
        self.share.lerp_(seen / seen.sum().clamp(min=1e-6), 1 - _DECAY)
        weights = 1 / ((1 - _UNIFORM) * self.share + _UNIFORM / COLORS)
        return weights / (weights @ self.share)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds."""
        return {"share": self.share}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Continue from a checkpoint."""
        self.share.copy_(state_dict["share"])


def soft_targets(rgb: Tensor, colors: Tensor) -> Tensor:
    """Spread true colors [N, T, 3] over the colors near them: a distribution [N, T, COLORS]."""
    distance = torch.cdist(oklab.of_colors(rgb), oklab.of_colors(colors)[None])
    return torch.softmax(-((distance / _WIDTH) ** 2), -1)
