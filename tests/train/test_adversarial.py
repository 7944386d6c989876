"""GAN losses and the gradient penalty against their formulas, and a discriminator that learns."""

import numpy as np
import pytest
import torch

from limner.train.adversarial import (
    LOSSES,
    Discriminator,
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


# --- the discriminator -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "halvings", "size", "patches"),
    [(32, 4, (64, 48), (4, 3)), (4, 2, (20, 32), (5, 8)), (4, 5, (32, 64), (1, 2))],
)
def test_there_is_a_logit_for_every_patch(
    width: int, halvings: int, size: tuple[int, int], patches: tuple[int, int]
) -> None:
    logits = Discriminator(width, halvings)(torch.rand(2, 3, *size))
    assert logits.shape == (2, 1, *patches)


def test_channels_double_with_every_halving() -> None:
    channels = [layer.out_channels for layer in Discriminator(8, 4).body]
    assert channels == [8, 8, 16, 16, 32, 32, 64, 64, 1]


def test_mid_gray_is_zero_to_the_discriminator() -> None:
    """Without biases: the input is scaled to -1..1."""
    network = Discriminator(4, 2)
    for layer in network.body:
        torch.nn.init.zeros_(layer.bias)
    assert network(torch.full((1, 3, 8, 8), 0.5)).abs().max() == 0
    assert network(torch.full((1, 3, 8, 8), 0.6)).abs().max() > 1e-4


def test_every_layer_has_spectral_norm_1() -> None:
    """The largest singular value of each layer is 1, however large its weights."""
    torch.manual_seed(0)
    network = Discriminator(8, 3)
    layers = network.body
    for number, layer in enumerate(layers):
        layer.parametrizations.weight.original.data *= 3 + number
    with torch.no_grad():
        for _ in range(40):  # a power iteration each
            network(torch.rand(1, 3, 8, 8))
    network.eval()
    for layer in layers:
        matrix = layer.weight.detach().numpy().reshape(layer.out_channels, -1)
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=0.02)


def test_the_discriminator_learns_to_tell_stripes_from_noise() -> None:
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    network = Discriminator(8, 2)

    def pictures() -> tuple[torch.Tensor, torch.Tensor]:
        """Stripes and noise of the same mean and contrast."""
        shifts = torch.randint(0, 4, (8, 1, 1, 1), generator=random)
        stripes = ((torch.arange(16) + shifts) // 2 % 2).expand(8, 3, 16, 16).float()
        return stripes, torch.randint(0, 2, (8, 3, 16, 16), generator=random).float()

    def loss() -> torch.Tensor:
        return relativistic_average(*map(network, pictures()))

    adam = torch.optim.Adam(network.parameters(), 0.01)
    assert loss().item() == pytest.approx(np.log(2), abs=0.1)
    for _ in range(30):
        adam.zero_grad()
        loss().backward()
        adam.step()
    with torch.no_grad():  # on new pictures
        stripes, noise = (network(picture).mean((1, 2, 3)) for picture in pictures())
    assert loss().item() < 0.2 and stripes.min() > noise.max()
