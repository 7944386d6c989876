"""Hybrids by optimization (``--method article``): the loss, and two solvers for it.

The article this verb grew out of makes a hybrid by gradient descent. Its recipe: stay close to the
near photo N at every pixel, with a small weight, and match the far photo F where both are blurred
in linear light. The loss of a hybrid X is weight · |X - N|² + |B(X^γ) - B(F^γ)|², means over all
values, with B the blur.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from limner.hybrid.spectrum import low_pass

# The article's recipe
SIGMA, TAPS = 3.0, 15  # of the blur, in pixels
GAMMA = 2.2  # exponent that approximates the sRGB curve
SIZE = 512  # longest side of the pictures, in pixels
WEIGHT = 0.1
LEARNING_RATE, STEPS = 0.3, 200

FAST_STEPS = 4  # of `fast_solver`, which then has a lower loss than 200 of `gradient_descent`
_MIN_VALUE = 1e-4  # of a pixel in `fast_solver`: at 0 the slope of X^γ is 0, so it would stay there


@dataclass(frozen=True)
class Objective:
    """The loss to minimize. See `prepare`.

    Attributes
    ----------
    near, linear_far : Tensor
        [1, 3, H, W] in 0..1: the near photo in sRGB, the far one to the power of ``GAMMA``.
    rows, columns : Tensor
        [H, H] and [W, W]: the blur of a column and of a row, applied twice.
    weight : float
        Weight of the near photo.
    """

    near: Tensor
    linear_far: Tensor
    rows: Tensor
    columns: Tensor
    weight: float

    @classmethod
    def prepare(cls, near: Tensor, far: Tensor, weight: float) -> "Objective":
        """Make the loss of two photos [1, 3, H, W], sRGB in 0..1, of the same size."""
        rows, columns = (blur_matrix(length).to(near) for length in near.shape[-2:])
        return cls(near, far**GAMMA, rows @ rows, columns @ columns, weight)

    def __call__(self, picture: Tensor) -> tuple[float, Tensor]:
        """Return the loss of a picture [1, 3, H, W] in 0..1, and its gradient.

        A mirrored blur B is symmetric, so |Br|² is the dot product of r and BBr. The gradient needs
        BBr too, so it is computed once.
        """
        linear = picture**GAMMA
        residual, linear_residual = picture - self.near, linear - self.linear_far
        blurred_twice = self.rows @ linear_residual @ self.columns
        squares = self.weight * residual.square().sum()
        loss = (squares + (linear_residual * blurred_twice).sum()).item()
        slope = GAMMA * linear / picture.clamp(min=1e-12)  # of picture**GAMMA
        gradient = 2 * (self.weight * residual + slope * blurred_twice)
        return loss / picture.numel(), gradient / picture.numel()


def blur_matrix(length: int) -> Tensor:
    """Return the blur as a matrix [length, length], mirrored at the ends. It is on the CPU."""
    offsets = torch.arange(TAPS) - TAPS // 2
    kernel = torch.exp(-(offsets.double() ** 2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    matrix = torch.zeros(length, length, dtype=torch.float64)
    for offset, value in zip(offsets.tolist(), kernel.tolist(), strict=True):
        place = (torch.arange(length) + offset) % (2 * length)  # … c b a | a b c … c b a | a b …
        matrix[torch.arange(length), torch.minimum(place, 2 * length - 1 - place)] += value
    return matrix.float()


def gradient_descent(objective: Objective) -> Iterator[tuple[Tensor, float]]:
    """Yield the picture and its loss after every step of the article's gradient descent.

    The picture is the sigmoid of what is optimized. The gradient is that of the sum over pixels:
    with the mean, a learning rate of 0.3 would change nothing. The article does not say where it
    starts. Here it is middle gray, which with a weight of 0.1 ends at a lower loss than a start
    from either photo or from noise.
    """
    state = torch.zeros_like(objective.near)
    while True:
        picture = torch.sigmoid(state)
        loss, gradient = objective(picture)
        yield picture, loss
        state -= LEARNING_RATE * gradient * picture.numel() * picture * (1 - picture)


def fast_solver(objective: Objective) -> Iterator[tuple[Tensor, float]]:
    """Yield the best picture so far and its loss after every step of a faster solver.

    It starts from the closed form of the same loss without gamma, and runs `projected_lbfgs` with
    the Hessian of that loss as preconditioner. A lower loss is not a better hybrid: after many
    steps, dark areas fill with bright dots, the cheapest way to brighten a blurred picture.
    """
    weight, size = objective.weight, objective.near.numel()
    far = objective.linear_far ** (1 / GAMMA)

    def closed_form(gaussian: Tensor) -> Tensor:
        return gaussian**2 / (weight + gaussian**2)

    start = objective.near + low_pass(far - objective.near, SIGMA, closed_form)
    start = start.clamp(_MIN_VALUE, 1)
    # Twice the mean square of the slope of X^γ: in bright areas it is steeper than the mean, and
    # a step would be too long there.
    slope = 2 * (GAMMA * start ** (GAMMA - 1)).square().mean().item()

    def precondition(gradient: Tensor) -> Tensor:
        """Apply (2 · weight + 2 · slope · B²)⁻¹: its value at high frequencies, minus the rest."""

        def difference(gaussian: Tensor) -> Tensor:
            return weight / (weight + slope * gaussian**2) - 1

        return size / (2 * weight) * (gradient + low_pass(gradient, SIGMA, difference))

    return projected_lbfgs(objective, precondition, start, _MIN_VALUE)


def projected_lbfgs(
    objective: Callable[[Tensor], tuple[float, Tensor]],
    precondition: Callable[[Tensor], Tensor],
    start: Tensor,
    lowest: float = 0.0,
    memory: int = 6,
) -> Iterator[tuple[Tensor, float]]:
    """Yield the best picture so far and its loss after every step. Values stay in `lowest` to 1.

    Projected L-BFGS (Nocedal & Wright 2006, algorithm 7.4). Values at a bound whose gradient points
    outward do not move, and each step is clipped to the bounds. After a step that raises the loss,
    it restarts from the best picture with steps half as long.

    Parameters
    ----------
    objective : callable
        Returns the loss and the gradient of a picture.
    precondition : callable
        Applies an approximate inverse of the Hessian to a gradient.
    start : Tensor
        Any shape, values in `lowest` to 1.
    lowest : float
        Lower bound of the values.
    memory : int
        Number of past steps that the estimate of the Hessian uses.
    """
    best, best_loss, best_gradient, picture = start, float("inf"), start, start
    history: list[tuple[Tensor, Tensor, Tensor]] = []  # s, y and 1 / (s · y) of past steps
    previous: tuple[Tensor, Tensor] | None = None
    step_length = 1.0
    while True:
        loss, gradient = objective(picture)
        if loss > best_loss:
            picture, previous, history, step_length = best, None, [], step_length / 2
            loss, gradient = best_loss, best_gradient
        best, best_loss, best_gradient = picture, loss, gradient
        yield best, best_loss
        bound = ((picture <= lowest) & (gradient > 0)) | ((picture >= 1) & (gradient < 0))
        free = gradient.masked_fill(bound, 0)
        if previous is not None:
            s, y = picture - previous[0], free - previous[1]
            curvature = (s * y).sum()
            if curvature > 0:
                history = [*history[1 - memory :], (s, y, 1 / curvature)]
        previous = picture, free
        direction, factors = free, []
        for s, y, inverse in reversed(history):
            factors.append(inverse * (s * direction).sum())
            direction = direction - factors[-1] * y
        direction = precondition(direction)
        for s, y, inverse in history:
            direction = direction + s * (factors.pop() - inverse * (y * direction).sum())
        picture = (picture - step_length * direction.masked_fill(bound, 0)).clamp(lowest, 1)
