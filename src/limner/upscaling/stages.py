"""The two stages of training an upscaler: a pixel loss, then perceptual and adversarial losses."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn import features
from limner.train.adversarial import relativistic_average
from limner.train.optim import Muon, Stage, optimizer_step
from limner.upscaling.compact import Compact

Features = Mapping[str, Tensor]  # by layer: [N, C, h, w]

TAPS = ("1_2", "2_2", "3_3", "4_3", "5_1")  # of the compact features, with equal weights
# Weights beside 1 for L1. Real-ESRGAN has 1 and 0.1, for hundreds of thousands of steps. In a few
# thousand steps, such weights draw a grid over every texture.
FEATURE_WEIGHT, ADVERSARIAL_WEIGHT, GRID_WEIGHT = 0.2, 0.02, 8.0
TEACHER_WEIGHT = 0.85  # share of L1; at half, all values between original and teacher are as good
HEAD_WIDTH = 32  # channels
DISCRIMINATOR_RATE = 1e-3


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
        self._muon, self._adam = _optimizers(network, rate)
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
    compact network instead of VGG-19, after the ReLU, at five depths instead of one. The
    discriminator sees the same features, see `FeatureDiscriminator`. A fourth loss is against
    patterns that repeat with every pixel of the small picture, see `grid_loss`.

    Parameters
    ----------
    network : Compact
        The result of the first stage, on the device where it trains.
    rate : float
        About three times the highest learning rate of the network, which is used as in
        `PixelStage`.
    """

    def __init__(self, network: Compact, rate: float) -> None:
        device = next(network.parameters()).device
        self._features = features.load("compact", device)
        blocks, _ = features.SHAPES["compact"]
        widths = {tap: blocks[int(tap[0]) - 1] for tap in TAPS[:-1]}
        discriminator = FeatureDiscriminator(widths).to(device)
        self._muon, self._adam = _optimizers(network, 0.3 * rate)
        self._discriminator = discriminator
        self._discriminator_adam = torch.optim.Adam(
            discriminator.parameters(), DISCRIMINATOR_RATE, betas=(0.5, 0.99)
        )
        super().__init__(
            network,
            muon=self._muon,
            adam=self._adam,
            discriminator=discriminator,
            discriminator_adam=self._discriminator_adam,
        )

    def step(self, small: Tensor, large: Tensor, target: Tensor, share: float) -> dict[str, float]:
        """Learn from a batch of patches, at a share of the learning rate; return the losses."""
        enlarged = self.network(small)
        l1_loss = pixel_loss(enlarged, large, target)
        with torch.no_grad():
            real = self._features(large, TAPS)
            sizes = {tap: values.mean() for tap, values in real.items()}
        made = self._features(enlarged, TAPS)
        feature_loss = features.difference(made, real)
        self._discriminator.requires_grad_(False)
        adversarial_loss = self._discriminator.loss(made, real, sizes)
        repeating = grid_loss(enlarged, large, self.network.scale)
        loss = (
            l1_loss
            + FEATURE_WEIGHT * feature_loss
            + ADVERSARIAL_WEIGHT * adversarial_loss
            + GRID_WEIGHT * repeating
        )
        optimizer_step(loss, share, self._muon, self._adam)
        self.average.update(self.network)
        self._discriminator.requires_grad_(True)
        made = {tap: values.detach() for tap, values in made.items()}
        discriminator_loss = self._discriminator.loss(real, made, sizes)
        optimizer_step(discriminator_loss, share, self._discriminator_adam)
        losses = {
            "loss": l1_loss,
            "features": feature_loss,
            "adversarial": adversarial_loss,
            "grid": repeating,
            "discriminator": discriminator_loss,
        }
        return {name: value.item() for name, value in losses.items()}


class FeatureDiscriminator(nn.Module):
    """Tells made pictures from real ones by frozen features (Sauer et al. 2021, "Projected GANs").

    One small head for each depth. It learns within a hundred steps; a discriminator of pixels had
    learned nothing after 500. We leave out the paper's random projections.

    Parameters
    ----------
    widths : mapping of str to int
        The channels of each layer of the features.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(
            {
                tap: nn.Sequential(
                    nn.Conv2d(width, HEAD_WIDTH, 1),
                    nn.LeakyReLU(0.2),
                    nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH, 3, padding=1),
                    nn.LeakyReLU(0.2),
                    nn.Conv2d(HEAD_WIDTH, 1, 1),
                )
                for tap, width in widths.items()
            }
        )

    def loss(self, better: Features, worse: Features, sizes: Features) -> Tensor:
        """Return the relativistic average loss, low if `better` looks more real than `worse`.

        The features are divided by ``sizes``, one number for each layer.
        """
        losses = [
            relativistic_average(head(better[tap] / sizes[tap]), head(worse[tap] / sizes[tap]))
            for tap, head in self.heads.items()
        ]
        return torch.stack(losses).mean()


def _optimizers(network: Compact, rate: float) -> tuple[Muon, torch.optim.Adam]:
    """Return Muon for all convolutions but the first, at four times the rate; Adam for the rest."""
    inner = [p for p in network.parameters() if p.dim() == 4 and p.shape[1] > 3]
    others = [p for p in network.parameters() if all(p is not q for q in inner)]
    return Muon(inner, 4 * rate), torch.optim.Adam(others, rate, betas=(0.9, 0.99))


def pixel_loss(made: Tensor, large: Tensor, target: Tensor) -> Tensor:
    """Return the L1 distances to the original and to the target of a teacher, weighted."""
    return torch.lerp(F.l1_loss(made, large), F.l1_loss(made, target), TEACHER_WEIGHT)


def grid_loss(made: Tensor, large: Tensor, scale: int) -> Tensor:
    """Return how far what repeats every ``scale`` pixels is from that of the original, a scalar.

    The last convolution draws each of the ``scale`` × ``scale`` pixels of a square by itself, so it
    can draw a mesh over textures. In windows of 4×4 squares, the mean fine detail of each of these
    pixels is compared: true texture has little, because it does not repeat.

    Parameters
    ----------
    made, large : Tensor
        [N, 3, H, W]; both sides are multiples of the scale, and at least four times as long.
    scale : int
        The period in pixels.
    """
    return F.l1_loss(_repeating(made, scale), _repeating(large, scale))


def _repeating(picture: Tensor, scale: int) -> Tensor:
    """Return the mean fine detail of each pixel of a square, [N, 3 · scale², h, w]."""
    coarse = F.avg_pool2d(F.pad(picture, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return F.avg_pool2d(F.pixel_unshuffle(picture - coarse, scale), 4, 2)
