"""The article's loss and both solvers, compared with NumPy and finite differences."""

import itertools
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pytest
import torch

from limner.hybrid.optimization import (
    FAST_STEPS,
    Objective,
    fast_solver,
    gradient_descent,
    projected_lbfgs,
)

WEIGHTS = [0.1, 0.3, 1.0]
RANDOM = np.random.default_rng


def noise(seed: int, height: int = 18, width: int = 23) -> np.ndarray:
    return RANDOM(seed).uniform(0.02, 0.98, (1, 3, height, width)).astype(np.float32)


def textured(seed: int, side: int = 96) -> np.ndarray:
    """Waves of many lengths, and a square with edges, in 0..1."""
    random = RANDOM(seed)
    y, x = np.mgrid[:side, :side] / side
    picture = np.zeros((1, 3, side, side))
    for _ in range(25):
        across, down = random.normal(0, 6, 2)
        wave = np.cos(2 * np.pi * (across * x + down * y + random.uniform()))
        picture += random.normal(0, 1, (1, 3, 1, 1)) * wave / (1 + np.hypot(across, down))
    top, left = random.integers(0, side // 2, 2)
    picture[:, :, top : top + side // 3, left : left + side // 3] += 1
    low, high = picture.min(), picture.max()
    return ((picture - low) / (high - low)).astype(np.float32)


def blur(field: np.ndarray) -> np.ndarray:
    """15 taps of a Gaussian of 3 pixels, down and across, the border mirrored."""
    kernel = np.exp(-(np.arange(-7, 8) ** 2) / 18)
    kernel /= kernel.sum()
    for axis in (2, 3):
        padding = [(7, 7) if one == axis else (0, 0) for one in range(4)]
        padded = np.pad(field, padding, mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 15, axis)
        field = windows @ kernel
    return field


def wanted_loss(x: np.ndarray, near: np.ndarray, far: np.ndarray, weight: float) -> float:
    x, near, far = (picture.astype(float) for picture in (x, near, far))
    apart = blur(x**2.2) - blur(far**2.2)
    return float(weight * np.square(x - near).mean() + np.square(apart).mean())


def objective(near: np.ndarray, far: np.ndarray, weight: float) -> Objective:
    return Objective.prepare(torch.tensor(near), torch.tensor(far), weight)


# --- loss and gradient -----------------------------------------------------------------------


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("size", [(18, 23), (5, 31), (4, 3)])  # some smaller than the kernel
def test_loss_is_the_article_s(weight: float, size: tuple[int, int]) -> None:
    x, near, far = (noise(seed, *size) for seed in range(3))
    found, _ = objective(near, far, weight)(torch.tensor(x))
    assert found == pytest.approx(wanted_loss(x, near, far, weight), rel=1e-4)


def test_loss_is_zero_where_both_pictures_match() -> None:
    near = noise(0)
    assert objective(near, near, 0.3)(torch.tensor(near))[0] == pytest.approx(0, abs=1e-12)
    # and of one gray on another it is worked out by hand: blurs of constants are themselves
    gray, black = np.full_like(near, 0.5), np.zeros_like(near)
    found, _ = objective(black, black, 0.3)(torch.tensor(gray))
    assert found == pytest.approx(0.3 * 0.25 + 0.5**4.4, rel=1e-5)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_gradient_by_finite_differences(weight: float) -> None:
    x, near, far = (noise(seed, 7, 9) for seed in range(3))
    _, gradient = objective(near, far, weight)(torch.tensor(x))
    wanted = np.zeros(x.size)
    for place in range(x.size):
        moved = np.zeros(x.size)
        moved[place] = 1e-5
        moved = moved.reshape(x.shape)
        ends = [wanted_loss(x + way * moved, near, far, weight) for way in (1, -1)]
        wanted[place] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(
        gradient.numpy().ravel(), wanted, rtol=1e-3, atol=1e-4 * abs(wanted).max()
    )


def test_gradient_at_black_is_that_of_the_near_picture_alone() -> None:
    """The slope of X^2.2 is 0 there."""
    near, far = noise(0), noise(1)
    _, gradient = objective(near, far, 0.3)(torch.zeros(near.shape))
    np.testing.assert_allclose(gradient, -2 * 0.3 * near / near.size, rtol=1e-5)


def test_the_loss_needs_no_float64_on_the_device(
    without_float64: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    near, far = noise(0), noise(1)
    there = [without_float64(torch.tensor(picture)) for picture in (near, far)]
    for solver in (gradient_descent, fast_solver):
        *_, (_, loss) = islice(solver(Objective.prepare(*there, 0.1)), 3)
        *_, (_, wanted) = islice(solver(objective(near, far, 0.1)), 3)
        assert loss == pytest.approx(wanted, rel=1e-5)


# --- the article's descent -------------------------------------------------------------------


def plain_descent(near: np.ndarray, far: np.ndarray, weight: float) -> Iterator[np.ndarray]:
    """At 0.3, on sums over values, of the argument of a sigmoid that starts at 0."""
    state = np.zeros(near.shape)
    while True:
        x = 1 / (1 + np.exp(-state))
        yield x
        pull = blur(blur(x**2.2 - far.astype(float) ** 2.2))  # a mirrored blur is symmetric
        slope = 2 * weight * (x - near) + 2 * 2.2 * x**1.2 * pull
        state = state - 0.3 * slope * x * (1 - x)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_descent_is_plain_gradient_descent(weight: float) -> None:
    near, far = noise(0), noise(1)
    ours = islice(gradient_descent(objective(near, far, weight)), 12)
    for (picture, loss), wanted in zip(ours, plain_descent(near, far, weight), strict=False):
        np.testing.assert_allclose(picture, wanted, atol=1e-5)
        assert loss == pytest.approx(wanted_loss(wanted, near, far, weight), rel=1e-3)


def test_the_descent_s_loss_falls() -> None:
    near, far = textured(0, 40), textured(1, 40)
    losses = [loss for _, loss in islice(gradient_descent(objective(near, far, 0.1)), 60)]
    assert losses[0] == pytest.approx(
        wanted_loss(np.full_like(near, 0.5), near, far, 0.1), rel=1e-4
    )
    assert all(after < before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.6 * losses[0]


# --- the fast solver -------------------------------------------------------------------------


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("seed", [0, 6])
def test_four_fast_steps_are_worth_two_hundred(weight: float, seed: int) -> None:
    near, far = textured(seed), textured(seed + 1)
    steps = list(islice(fast_solver(objective(near, far, weight)), FAST_STEPS + 1))
    *_, (slow, _) = islice(gradient_descent(objective(near, far, weight)), 201)
    fast = steps[FAST_STEPS][0]
    assert FAST_STEPS == 4
    assert wanted_loss(fast.numpy(), near, far, weight) <= wanted_loss(
        slow.numpy(), near, far, weight
    )


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_fast_solver_stays_in_range_and_never_raises_the_loss(weight: float) -> None:
    near, far = textured(2, 48), textured(3, 48)
    near[..., :12], near[..., 12:24] = 0, 1  # bounds to run into
    far[:, :, :12], far[:, :, 12:24] = 1, 0
    steps = list(islice(fast_solver(objective(near, far, weight)), 30))
    for picture, loss in steps:
        assert picture.min() >= 0 and picture.max() <= 1
        # the loss that is returned is the loss of that picture
        assert loss == pytest.approx(wanted_loss(picture.numpy(), near, far, weight), rel=1e-3)
    losses = [loss for _, loss in steps]
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("lowest", [0.0, 0.2])
def test_lbfgs_finds_the_minimum_of_a_square_in_a_box(lowest: float) -> None:
    random = RANDOM(0)
    steepness, middle = random.uniform(0.5, 20, 40), random.uniform(-0.6, 1.6, 40)
    a, c = torch.tensor(steepness), torch.tensor(middle)

    def square(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        return (a * (x - c) ** 2).sum().item() / 2, a * (x - c)

    start = torch.full((40,), 0.7, dtype=torch.float64)
    # 1/6 of a gradient: an inverse of the Hessian that is only roughly right
    *_, (found, loss) = islice(projected_lbfgs(square, lambda g: g / 6, start, lowest), 80)
    wanted = middle.clip(lowest, 1)
    assert 10 < (wanted != middle).sum() < 30  # of both kinds
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert loss == pytest.approx(float((steepness * (wanted - middle) ** 2).sum() / 2), rel=1e-9)


def test_lbfgs_needs_one_step_with_the_inverse_of_the_hessian() -> None:
    steepness, middle = RANDOM(1).uniform(0.5, 20, 9), RANDOM(2).uniform(-0.6, 1.6, 9)
    a, c = torch.tensor(steepness), torch.tensor(middle)

    def square(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        return (a * (x - c) ** 2).sum().item() / 2, a * (x - c)

    start = torch.full((9,), 0.5, dtype=torch.float64)
    first, (second, _) = islice(projected_lbfgs(square, lambda g: g / a, start), 2)
    assert torch.equal(first[0], start)
    np.testing.assert_allclose(second, middle.clip(0, 1), atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_lbfgs_with_coupled_values(seed: int) -> None:
    """Against every choice of which values lie at 0, at 1 or free, each solved as equations."""
    random = RANDOM(seed)
    root, middle = random.normal(0, 1, (4, 4)), random.uniform(-0.8, 1.8, 4)
    hessian = root @ root.T + 0.3 * np.eye(4)
    h, c = torch.tensor(hessian), torch.tensor(middle)

    def square(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        return ((x - c) @ h @ (x - c) / 2).item(), h @ (x - c)

    least = float("inf")
    for kinds in itertools.product((0, 1, 2), repeat=4):
        x, free = np.minimum(kinds, 1).astype(float), np.array(kinds) == 2
        pull = hessian[np.ix_(free, ~free)] @ (x - middle)[~free]
        x[free] = middle[free] - np.linalg.solve(hessian[np.ix_(free, free)], pull)
        if x.min() >= 0 and x.max() <= 1:
            least = min(least, float((x - middle) @ hessian @ (x - middle) / 2))
    start = torch.full((4,), 0.5, dtype=torch.float64)
    *_, (_, loss) = islice(projected_lbfgs(square, lambda g: g / 5, start), 150)
    assert loss == pytest.approx(least, rel=1e-7, abs=1e-9)
