"""GAN losses and the gradient penalty against their formulas."""

import numpy as np
import pytest
import torch

from limner.train.adversarial import (
    LOSSES,
    gradient_penalty,
    relativistic_average,
    relativistic_paired,
)


def cross_entropy(logits: np.ndarray, label: int) -> float:
    """Mean binary cross-entropy."""
    chance = 1 / (1 + np.exp(-logits))
    return float(-np.log(chance if label else 1 - chance).mean())


def by_hand(better: np.ndarray, worse: np.ndarray) -> float:
    """The relativistic average loss: each logit is compared with the mean of the others."""
    above = cross_entropy(better - worse.mean(), 1)
    below = cross_entropy(worse - better.mean(), 0)
    return (above + below) / 2


# --- the loss --------------------------------------------------------------------------------


def test_the_average_loss_is_the_cross_entropy_of_logits_less_the_others_mean() -> None:
    random = np.random.default_rng(0)
    for spread in (0.1, 1, 5):
        better = random.normal(0.5, spread, (3, 1, 2, 2))
        worse = random.normal(-0.5, spread, (5, 1, 1, 2))  # as many as there are
        for one, other in ((better, worse), (worse, better)):
            found = relativistic_average(torch.from_numpy(one), torch.from_numpy(other))
            assert found.item() == pytest.approx(by_hand(one, other), rel=1e-9)


@pytest.mark.parametrize("logit", [-7.0, 0.0, 40.0])
def test_equal_logits_cost_ln_2(logit: float) -> None:
    same = torch.full((2, 1, 3, 3), logit)
    assert relativistic_average(same, same).item() == pytest.approx(np.log(2), rel=1e-6)


def test_distant_logits_cost_nothing_or_their_distance() -> None:
    high, low = torch.full((2, 1), 5000.0), torch.full((2, 1), -5000.0)
    assert relativistic_average(high, low).item() == 0
    assert relativistic_average(low, high).item() == 10_000


def test_the_gradient_raises_the_better_and_lowers_the_worse() -> None:
    random = np.random.default_rng(1)
    pair = [torch.from_numpy(random.normal(size=(4, 1))).requires_grad_() for _ in range(2)]
    slopes = torch.autograd.grad(relativistic_average(*pair), pair)
    for which, sign in ((0, -1), (1, 1)):
        assert (slopes[which].sign() == sign).all()
        for place in range(4):  # and is what the formula's own change says
            ends = []
            for nudge in (1e-5, -1e-5):
                moved = [logits.detach().numpy().copy() for logits in pair]
                moved[which][place] += nudge
                ends.append(by_hand(*moved))
            slope = (ends[0] - ends[1]) / 2e-5
            assert slopes[which][place].item() == pytest.approx(slope, rel=1e-5)


# --- the other losses ------------------------------------------------------------------------


def test_the_paired_loss_is_the_cross_entropy_of_each_difference() -> None:
    random = np.random.default_rng(0)
    for spread in (0.1, 1, 5):
        better, worse = random.normal(0, spread, (2, 3, 7))
        found = relativistic_paired(torch.from_numpy(better), torch.from_numpy(worse))
        assert found.item() == pytest.approx(cross_entropy(better - worse, 1), rel=1e-9)
    high, low = torch.tensor([5000.0, 1.0]), torch.tensor([-5000.0, 1.0])
    assert relativistic_paired(high, low).item() == pytest.approx(np.log(2) / 2)
    assert relativistic_paired(low, high).item() == pytest.approx(5000 + np.log(2) / 2)


def test_losses_by_name_are_those_of_the_papers() -> None:
    """The discriminator's and the generator's loss, from logits of real and of fake pictures."""
    random = np.random.default_rng(2)
    real, made = random.normal((0.7, -0.4), 2, (6, 2)).T
    wanted = {
        "standard": (cross_entropy(real, 1) + cross_entropy(made, 0), cross_entropy(made, 1)),
        "hinge": (
            np.mean([max(0, 1 - logit) for logit in real])
            + np.mean([max(0, 1 + logit) for logit in made]),
            -np.mean(made),
        ),
        "average": (by_hand(real, made), by_hand(made, real)),
        "paired": (cross_entropy(real - made, 1), cross_entropy(made - real, 1)),
    }
    assert LOSSES.keys() == wanted.keys()
    for name, losses in LOSSES.items():
        found = [loss(torch.from_numpy(real), torch.from_numpy(made)).item() for loss in losses]
        assert found == pytest.approx(wanted[name], rel=1e-9), name


@pytest.mark.parametrize("name", LOSSES)
def test_the_two_networks_have_opposite_goals(name: str) -> None:
    """The discriminator raises real logits and lowers fake ones; the generator raises fake ones."""
    discriminator_loss, generator_loss = LOSSES[name]
    real, made = torch.tensor([0.5, -0.2]), torch.tensor([0.3, -0.6])
    for logits in (real, made):
        logits.requires_grad_(True)
    slopes = torch.autograd.grad(discriminator_loss(real, made), (real, made))
    assert (slopes[0] < 0).all() and (slopes[1] > 0).all()
    (slope,) = torch.autograd.grad(generator_loss(real.detach(), made), made)
    assert (slope < 0).all()


# --- the penalty -----------------------------------------------------------------------------


def test_the_penalty_of_a_linear_function_is_its_slope_squared() -> None:
    """For any pictures: a sum over pixels, a mean over pictures."""
    slope = torch.tensor([3.0, 0.0, -4.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    for count in (1, 5):
        pictures = torch.rand((count, 3, 2, 2), requires_grad=True)
        logits = (pictures * slope).sum((1, 2, 3)) + 7
        assert gradient_penalty(logits, pictures).item() == pytest.approx(4 * (9 + 16))


def test_the_penalty_matches_finite_differences_and_is_differentiable() -> None:
    """For tanh of a linear function, whose gradient differs from picture to picture."""
    random = np.random.default_rng(3)
    x, weights = random.normal(size=(4, 3, 2, 2)), random.normal(0, 0.3, (3, 2, 2))

    def logit(picture: np.ndarray, plane: np.ndarray) -> float:
        return float(np.tanh((picture * plane).sum()))

    def steep(plane: np.ndarray) -> float:
        total = 0.0
        for picture in x:
            for place in np.ndindex(3, 2, 2):
                nudge = np.zeros((3, 2, 2))
                nudge[place] = 1e-5
                rise = logit(picture + nudge, plane) - logit(picture - nudge, plane)
                total += (rise / 2e-5) ** 2
        return total / len(x)

    pictures = torch.from_numpy(x).requires_grad_(True)
    plane = torch.from_numpy(weights).requires_grad_(True)
    found = gradient_penalty(torch.tanh((pictures * plane).sum((1, 2, 3))), pictures)
    assert found.item() == pytest.approx(steep(weights), rel=1e-6)
    found.backward()
    assert plane.grad is not None
    way = random.normal(size=(3, 2, 2))
    slope = (steep(weights + 1e-4 * way) - steep(weights - 1e-4 * way)) / 2e-4
    assert (plane.grad.numpy() * way).sum() == pytest.approx(slope, rel=1e-4)
