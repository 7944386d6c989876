"""The picture being painted, and what moves it: Adam, with an average of the last steps."""

import torch
from torch import Tensor

AVERAGE = 0.8  # decay of the average of pictures: about the last five steps


class Canvas:
    """A picture, moved down its gradient by Adam (Kingma & Ba 2015, algorithm 1).

    Written out rather than `torch.optim.Adam`, because all of its state is one small dictionary of
    tensors: a checkpoint holds it, and a resumed run gives the same bits.

    Parameters
    ----------
    picture : Tensor
        [1, 3, H, W], sRGB in 0..1.
    """

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self.first = torch.zeros_like(picture)  # running mean of the gradient
        self.second = torch.zeros_like(picture)  # and of its square
        self.average = torch.zeros_like(picture)
        self.best = picture
        self.least = torch.tensor(float("inf"))
        self.count = torch.tensor(0)

    def step(
        self,
        loss: float,
        gradient: Tensor,
        rate: float,
        betas: tuple[float, float],
        epsilon: float,
        reach: Tensor | float = 1.0,
    ) -> None:
        """Move the picture once, and clip it to 0..1; loss and gradient are those before.

        Where ``reach`` [1, 1, H, W] is less than 1, a pixel is held back; at 0 it stays as it is.
        """
        if loss < self.least:
            self.best, self.least = self.picture, torch.tensor(loss)
        self.count = self.count + 1
        count = int(self.count)
        self.first = torch.lerp(gradient, self.first, betas[0])
        self.second = torch.lerp(gradient.square(), self.second, betas[1])
        first = self.first / (1 - betas[0] ** count)
        second = self.second / (1 - betas[1] ** count)
        move = rate * first / (second.sqrt() + epsilon)
        self.picture = (self.picture - reach * move).clamp(0, 1)
        self.average = torch.lerp(self.picture, self.average, AVERAGE)

    def result(self, keep: str) -> Tensor:
        """The average of the last pictures, or the best, as ``keep`` says."""
        if int(self.count) == 0 or keep == "best":
            return self.best
        return self.average / (1 - AVERAGE ** int(self.count))

    def state(self) -> dict[str, Tensor]:
        """Everything, by name."""
        return dict(vars(self))

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        vars(self).update(state)
