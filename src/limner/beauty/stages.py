"""How predictors and improvers learn."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty.improver import Free, Tables
from limner.beauty.objective import Eye, Loss
from limner.beauty.predictor import Context, Predictor
from limner.train.optim import Stage, descend, solvers


class Grid(Stage[Predictor]):
    """Our predictor: mean absolute error of every other centre, by another phase at each step.

    Parameters
    ----------
    network : Predictor
        What is trained.
    rate : float
        The highest learning rate of biases. Weights go down orthogonal steps of four times as much.
    """

    side, share = 224, 1  # pixels of a crop's side; crops for each of the batch

    def __init__(self, network: Predictor, rate: float) -> None:
        self._muon, self._adam = solvers(network, rate)
        super().__init__(network, muon=self._muon, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from crops [N, 3, H, W] at a share of the rate; give the loss, of 255."""
        phase = self.average.steps % masks.PHASES
        hidden = (masks.phase_of(crops) == phase).to(crops)
        film = F.pad(masks.harmonic(crops), (masks.CONTEXT,) * 4)
        given = torch.lerp(crops, film, hidden)
        made = film + self.network(given, hidden.expand(len(crops), -1, -1, -1))
        loss = ((made - crops).abs() * hidden).mean() / hidden.mean()
        descend(loss, share, self._muon, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item() * 255}


class Window(Stage[Context]):
    """The article's predictor: mean absolute error of the centre of a window, by Adam.

    Parameters
    ----------
    network : Context
        What is trained.
    rate : float
        Ten times its learning rate.
    """

    side, share = masks.WINDOW, 1

    def __init__(self, network: Context, rate: float) -> None:
        self._adam = torch.optim.Adam(network.parameters(), rate / 10)
        super().__init__(network, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from windows [N, 3, 128, 128] at a share of the rate; give the loss, of 255."""
        loss = F.l1_loss(self.network(crops), masks.inner(crops))
        descend(loss, share, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item() * 255}


class Improving(Stage[Tables | Free]):
    """An improver, judged by predictors that learn no more.

    Parameters
    ----------
    network : Tables or Free
        What is trained.
    rate : float
        The highest learning rate.
    eye : Eye
        The predictors.
    loss : callable
        Of these, of what was, and of what the improver makes of it.
    """

    # nearly the whole of a photo: the cells of its light are then as large as they will be
    side, share = 416, 1 / 12

    def __init__(self, network: Tables | Free, rate: float, eye: Eye, loss: Loss) -> None:
        self._adam = torch.optim.Adam(network.parameters(), rate)
        self._eye, self._loss = eye, loss
        super().__init__(network, adam=self._adam)

    def step(self, crops: Tensor, share: float) -> dict[str, float]:
        """Learn from crops [N, 3, H, W] at a share of the rate; give the loss."""
        crops, _ = masks.framed(crops)
        loss = self._loss(self._eye, crops, self.network(crops))
        descend(loss, share, self._adam)
        self.average.update(self.network)
        return {"loss": loss.item()}
