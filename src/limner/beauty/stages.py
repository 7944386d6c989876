"""The stages of `train_beautifier`: how each kind of network learns from one batch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.improver import Improver
from limner.beauty.objective import Loss, Predictors
from limner.beauty.predictor import ContextEncoder, UNet
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
