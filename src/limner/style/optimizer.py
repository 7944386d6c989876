"""Adam on the pixels of one picture, with an exponential moving average (EMA) of the iterates."""

from typing import Literal

import torch
from torch import Tensor

EMA_DECAY = 0.8  # averages about the last five iterates


class PictureOptimizer:
    """Optimize the pixels of a picture with Adam (Kingma & Ba 2015, algorithm 1).

    This is not `torch.optim.Adam` because here the whole state is one small dictionary of tensors.
    A checkpoint holds it, and a resumed run continues with the same bits.

    Parameters
    ----------
    picture : Tensor
        The first iterate: [1, 3, H, W], sRGB in 0..1.
    """

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self.exp_avg = torch.zeros_like(picture)  # running mean of the gradient
        self.exp_avg_sq = torch.zeros_like(picture)  # running mean of its square
        self.ema = torch.zeros_like(picture)  # of the iterates, not corrected for its zero start
        self.best_picture = picture
        self.best_loss = torch.tensor(float("inf"))
        self.step_count = torch.tensor(0)

    def step(
        self,
        loss: float,
        gradient: Tensor,
        learning_rate: float,
        betas: tuple[float, float],
        epsilon: float,
        mask: Tensor | float = 1.0,
    ) -> None:
        """Update the picture once, and clip it to 0..1.

        Parameters
        ----------
        loss : float
            Loss of the picture before this step.
        gradient : Tensor
            Its gradient, [1, 3, H, W].
        learning_rate, betas, epsilon
            Parameters of Adam. The learning rate is in units of the full range of a channel.
        mask : Tensor or float
            The update is multiplied by this: [1, 1, H, W] in 0..1.
        """
        if loss < self.best_loss:
            self.best_picture, self.best_loss = self.picture, torch.tensor(loss)
        self.step_count = self.step_count + 1
        step_count = int(self.step_count)
        self.exp_avg = torch.lerp(gradient, self.exp_avg, betas[0])
        self.exp_avg_sq = torch.lerp(gradient.square(), self.exp_avg_sq, betas[1])
        first_moment = self.exp_avg / (1 - betas[0] ** step_count)
        second_moment = self.exp_avg_sq / (1 - betas[1] ** step_count)
        update = learning_rate * first_moment / (second_moment.sqrt() + epsilon)
        self.picture = (self.picture - mask * update).clamp(0, 1)
        self.ema = torch.lerp(self.picture, self.ema, EMA_DECAY)

    def result(self, keep: Literal["ema", "best"]) -> Tensor:
        """Return the EMA of the iterates, or the iterate with the lowest loss."""
        if int(self.step_count) == 0 or keep == "best":
            return self.best_picture
        return self.ema / (1 - EMA_DECAY ** int(self.step_count))

    def state_dict(self) -> dict[str, Tensor]:
        """Return the whole state, by name."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a state that `state_dict` returned."""
        vars(self).update(state)
