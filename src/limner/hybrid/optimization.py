"""The article's objective, its own descent, and a solver that gets there sooner.

The hybrid X is to equal the near picture N at every pixel, by a small weight, and the far one F
where both are blurred in linear light: weight · |X − N|² + |B(X^γ) − B(F^γ)|², means over values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.hybrid.spectrum import low_pass

SIGMA, TAPS, GAMMA = 3.0, 15, 2.2  # pixels, pixels, and sRGB's curve as the article takes it
SIZE = 512  # longest side of its pictures
RATE, STEPS = 0.3, 200
FAST_STEPS = 4  # of `solve`, with which it is below what 200 of `descend` reach
_DARKEST = 1e-4  # of a solved pixel: the slope of X^γ is 0 at 0, and nothing would leave it


@dataclass(frozen=True)
class Objective:
    """What is to be small.

    Attributes
    ----------
    near, linear_far : Tensor
        [1, 3, H, W] in 0..1: sRGB the one, the other to the power of ``GAMMA``.
    rows, columns : Tensor
        [H, H] and [W, W], the blur of a column and of a row, twice over.
    weight : float
        Of the near picture.
    """

    near: Tensor
    linear_far: Tensor
    rows: Tensor
    columns: Tensor
    weight: float

    @classmethod
    def of(cls, near: Tensor, far: Tensor, weight: float) -> "Objective":
        """Prepare two pictures [1, 3, H, W], sRGB in 0..1, of one size."""
        rows, columns = (blur_matrix(length).to(near) for length in near.shape[-2:])
        return cls(near, far**GAMMA, rows @ rows, columns @ columns, weight)

    def __call__(self, picture: Tensor) -> tuple[float, Tensor]:
        """Loss of a picture [1, 3, H, W] in 0..1 and its gradient.

        A mirrored blur is symmetric, so |Br|² is ⟨r, BBr⟩, and the gradient needs that BBr too.
        """
        linear = picture**GAMMA
        sharp, wide = picture - self.near, linear - self.linear_far
        pull = self.rows @ wide @ self.columns
        loss = (self.weight * sharp.square().sum() + (wide * pull).sum()).item()
        slope = GAMMA * linear / picture.clamp(min=1e-12)
        gradient = 2 * (self.weight * sharp + slope * pull)
        return loss / picture.numel(), gradient / picture.numel()


def blur_matrix(length: int) -> Tensor:
    """Return the article's kernel as a matrix [length, length], mirrored at the ends."""
    offsets = torch.arange(TAPS) - TAPS // 2
    kernel = torch.exp(-(offsets.double() ** 2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    matrix = torch.zeros(length, length, dtype=torch.float64)
    for offset, value in zip(offsets.tolist(), kernel.tolist(), strict=True):
        place = (torch.arange(length) + offset) % (2 * length)  # … c b a | a b c … c b a | a b …
        matrix[torch.arange(length), torch.minimum(place, 2 * length - 1 - place)] += value
    return matrix.float()


def descend(objective: Objective) -> Iterator[tuple[Tensor, float]]:
    """Give, step by step, the picture and its loss on the article's way down.

    Plain gradient descent at a rate of 0.3, on sums over pixels (on means nothing would move), of
    a picture that is the sigmoid of what is optimised. The article does not say where it begins:
    here in middle grey, which at its weight of 0.1 ends lower than either photo or noise.
    """
    state = torch.zeros_like(objective.near)
    while True:
        picture = torch.sigmoid(state)
        loss, gradient = objective(picture)
        yield picture, loss
        state -= RATE * gradient * picture.numel() * picture * (1 - picture)


def solve(objective: Objective) -> Iterator[tuple[Tensor, float]]:
    """Give, step by step, the best picture so far and its loss on the fast way down.

    From the closed form of the same objective without its gamma, by `minimise`, preconditioned
    with that objective's Hessian. A lower loss is not a better hybrid: far down, dark parts fill
    with bright dots, which is how this objective lifts a blur at the least cost per pixel.
    """
    weight, size = objective.weight, objective.near.numel()
    far = objective.linear_far ** (1 / GAMMA)

    def share(gaussian: Tensor) -> Tensor:
        return gaussian**2 / (weight + gaussian**2)

    start = objective.near + low_pass(far - objective.near, SIGMA, share)
    start = start.clamp(_DARKEST, 1)
    # twice the mean, for the bright parts' sake, which are steeper and would be overshot
    slope = 2 * (GAMMA * start ** (GAMMA - 1)).square().mean().item()

    def precondition(gradient: Tensor) -> Tensor:
        """(2·weight + 2·slope·B²)⁻¹, as what it is at high frequencies and what lacks at low."""

        def lacking(gaussian: Tensor) -> Tensor:
            return weight / (weight + slope * gaussian**2) - 1

        return size / (2 * weight) * (gradient + low_pass(gradient, SIGMA, lacking))

    return minimise(objective, precondition, start, _DARKEST)


def minimise(
    objective: Callable[[Tensor], tuple[float, Tensor]],
    precondition: Callable[[Tensor], Tensor],
    start: Tensor,
    lowest: float = 0.0,
    memory: int = 6,
) -> Iterator[tuple[Tensor, float]]:
    """Give, step by step, the best picture so far and its loss; values stay in lowest..1.

    Projected L-BFGS (Nocedal & Wright 2006, algorithm 7.4): what pushes against a bound is left
    out of the step, and the step is clipped. After a step upwards it begins anew from the best
    picture, with steps half as long.

    Parameters
    ----------
    objective : callable
        Loss and gradient of a picture.
    precondition : callable
        An approximate inverse of the Hessian, applied to a gradient.
    start : Tensor
        Any shape, values in lowest..1.
    lowest : float
    memory : int
        Steps whose change of gradient is remembered.
    """
    best, least, slope, picture = start, float("inf"), start, start
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    before: tuple[Tensor, Tensor] | None = None
    length = 1.0
    while True:
        loss, gradient = objective(picture)
        if loss > least:
            picture, before, history, length = best, None, [], length / 2
            loss, gradient = least, slope
        best, least, slope = picture, loss, gradient
        yield best, least
        bound = ((picture <= lowest) & (gradient > 0)) | ((picture >= 1) & (gradient < 0))
        free = gradient.masked_fill(bound, 0)
        if before is not None:
            moved, turned = picture - before[0], free - before[1]
            curvature = (moved * turned).sum()
            if curvature > 0:
                history = [*history[1 - memory :], (moved, turned, 1 / curvature)]
        before = picture, free
        direction, factors = free, []
        for moved, turned, inverse in reversed(history):
            factors.append(inverse * (moved * direction).sum())
            direction = direction - factors[-1] * turned
        direction = precondition(direction)
        for moved, turned, inverse in history:
            direction = direction + moved * (factors.pop() - inverse * (turned * direction).sum())
        picture = (picture - length * direction.masked_fill(bound, 0)).clamp(lowest, 1)
