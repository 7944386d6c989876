"""The stages of `train_beautifier`: how each kind of network learns from one batch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.bilateral import INPUT_SIZE, BilateralImprover, extremes, relight, spread, tone
from limner.beauty.improver import Improver
from limner.beauty.objective import Loss, Predictors, gradient_energy
from limner.beauty.predictor import ContextEncoder, UNet
from limner.beauty.retouching import retouch, worsen
from limner.color import oklab
from limner.nn import seeding
from limner.train import parallel
from limner.train.optim import Stage, muon_and_adam, optimizer_step


class UNetStage(Stage[UNet]):
    """Our predictor learns to fill the holes of one phase, another one at each step.

    The loss is the mean absolute error.

    Parameters
    ----------
    network : UNet
        The network to train.
    learning_rate : float
        The highest learning rate of the biases. That of the weights is four times as high, because
        Muon makes orthogonal steps.
    """

    crop_size = 224  # pixels
    batch_share = 1.0  # crops in a step, as a share of the batch size

    def __init__(self, network: UNet, learning_rate: float) -> None:
        self._muon, self._adam = muon_and_adam(network, learning_rate)
        super().__init__(network, muon=self._muon, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from crops [N, 3, H, W] at a share of the rate; return the loss in 1/255."""
        phase = self.average.steps % masks.PHASES
        hidden = (masks.phase_map(crops) == phase).to(crops)
        fill = F.pad(masks.harmonic_fill(crops), (masks.CONTEXT,) * 4)
        filled = torch.lerp(crops, fill, hidden)
        predicted = fill + self.network(filled, hidden.expand(len(crops), -1, -1, -1))
        loss = ((predicted - crops).abs() * hidden).mean() / hidden.mean()
        optimizer_step(loss, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item() * 255}


class ContextEncoderStage(Stage[ContextEncoder]):
    """The article's predictor learns to fill the hole of a window, with Adam.

    The loss is the mean absolute error.

    Parameters
    ----------
    network : ContextEncoder
        The network to train.
    learning_rate : float
        Ten times its highest learning rate.
    """

    crop_size, batch_share = masks.WINDOW, 1.0

    def __init__(self, network: ContextEncoder, learning_rate: float) -> None:
        self._adam = torch.optim.Adam(network.parameters(), learning_rate / 10)
        super().__init__(network, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from windows [N, 3, 128, 128] at a share of the rate; return the loss in 1/255."""
        loss = F.l1_loss(self.network(crops), masks.crop_holes(crops))
        optimizer_step(loss, share, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item() * 255}


class ImproverStage(Stage[Improver]):
    """An improver learns to make pictures easier for predictors, which stay fixed.

    Parameters
    ----------
    network : Improver
        The network to train.
    learning_rate : float
        The highest learning rate.
    predictors : Predictors
        They judge the improved picture.
    loss : callable
        From the predictors, the picture before and the picture after.
    """

    # Nearly a whole photo, because then the cells of its light map are as large as in use.
    crop_size, batch_share = 416, 1 / 12

    def __init__(
        self, network: Improver, learning_rate: float, predictors: Predictors, loss: Loss
    ) -> None:
        self._adam = torch.optim.Adam(network.parameters(), learning_rate)
        self._predictors, self._loss = predictors, loss
        super().__init__(network, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from crops [N, 3, H, W] at a share of the learning rate; return the loss."""
        frame, _ = masks.crop_frame(crops)
        loss = self._loss(self._predictors, frame, self.network(frame))
        optimizer_step(loss, share, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item()}


class BilateralStage(Stage[BilateralImprover]):
    """Our improver learns to undo what `worsen` did, and to do what `retouch` does.

    The loss is the color difference in Oklab, in a window of the picture: that is enough, and
    faster. The gradient energy is kept close to that of the retouched photo. The white balance also
    learns from the known cast, because colors alone teach it too little. The predictor's relative
    error counts too.

    Parameters
    ----------
    network : BilateralImprover
        The network to train.
    learning_rate : float
        The highest learning rate.
    predictors : Predictors
        They judge the improved picture.
    """

    crop_size, batch_share = 416, 1.0
    _WINDOW = 64  # pixels, of the 128 that the network sees
    _CLEAN_WEIGHT = 2.5  # of photos that were not worsened
    _ENERGY_WEIGHT, _BALANCE_WEIGHT, _UNEVENNESS_WEIGHT = 1.0, 100.0, 20.0
    _RELATIVE_WEIGHT = 6.0

    def __init__(
        self, network: BilateralImprover, learning_rate: float, predictors: Predictors
    ) -> None:
        self._adam = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=0.03)
        self._predictors = predictors
        super().__init__(network, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from crops [N, 3, H, W] at a share of the learning rate; return the loss.

        That is the color difference alone.
        """
        random = seeding.generator(parallel.rank(), self.average.steps)
        torch.manual_seed(self.average.steps)  # of the dropout, so that a resumed run is the same
        size = (INPUT_SIZE, INPUT_SIZE)
        worse, casts = worsen(crops, random)
        photos, before = (F.interpolate(one, size, mode="area") for one in (crops, worse))
        wanted = retouch(photos)
        tones, grid = self.network.decide(before, *extremes(worse))
        top, left = torch.randint(INPUT_SIZE - self._WINDOW + 1, (2,), generator=random).tolist()
        rows, columns = slice(top, top + self._WINDOW), slice(left, left + self._WINDOW)
        light = spread(grid, rows, size)[..., columns]
        after = relight(tone(before[..., rows, columns], tones), light)
        wanted = wanted[..., rows, columns]
        apart = 100 * (oklab.from_srgb(after) - oklab.from_srgb(wanted))
        difference = (apart.square().sum(1) + 1e-6).sqrt().mean((1, 2))
        clean = (before - photos).abs().mean((1, 2, 3)) < 1 / 255
        weights = 1 + (self._CLEAN_WEIGHT - 1) * clean
        difference = (weights * difference).sum() / weights.sum()
        energies = [(gradient_energy(one) + 1e-5).log() for one in (after, wanted)]
        wrong_balance = tones.balance[..., 0, 0] + casts - casts.mean(1, keepdim=True)
        loss = (
            difference
            + self._ENERGY_WEIGHT * (energies[0] - energies[1]).abs().mean()
            + self._BALANCE_WEIGHT * wrong_balance.square().mean()
            + self._UNEVENNESS_WEIGHT * sum(grid.diff(dim=d).square().mean() for d in (-1, -2))
            + self._RELATIVE_WEIGHT * self._relative_error(crops)
        )
        optimizer_step(loss, share, self._adam)
        self.average.update(self.network)
        return {"loss": difference.item()}

    def _relative_error(self, crops: Tensor) -> Tensor:
        """Return the logarithm of the relative error for one improved photo."""
        frame, _ = masks.crop_frame(crops[:1])
        return self._predictors.errors(self.network(frame)).relative.log().mean()
