"""EMA and Muon."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.train.optim import EMA, Muon


def filled(network: torch.nn.Linear, seed: int) -> torch.nn.Linear:
    """New weights, as a step would leave them."""
    random = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        weight.data = torch.randn(weight.shape, generator=random)
    return network


def test_an_average_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its share of a step depends on how many there were."""
    network = filled(torch.nn.Linear(3, 2), 0)
    whole, broken = EMA(network), EMA(network)
    for seed in (1, 2, 3):
        whole.update(filled(network, seed))
        broken.update(network)
    torch.save(broken.state_dict(), tmp_path / "average.pt")
    resumed = EMA(filled(network, 9))
    resumed.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True))
    assert resumed.steps == 3
    before = whole.state["weight"].clone()
    for average in (whole, resumed):
        average.update(filled(network, 4))
    for key, value in whole.state.items():
        np.testing.assert_array_equal(resumed.state[key], value)
    fourth = before * 4 / 13 + network.weight.detach() * 9 / 13
    np.testing.assert_allclose(resumed.state["weight"], fourth, rtol=1e-5, atol=1e-6)


SHAPES = [(6, 20), (20, 6), (7, 7), (8, 4, 3, 3), (40, 2, 3, 3)]  # of weights: wide, tall, square


def made_orthogonal(matrix: np.ndarray) -> np.ndarray:
    """Jordan's quintic, five times, of each singular value in shares of the Frobenius norm."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.linalg.norm(values)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (left * values) @ right


@pytest.mark.parametrize("shape", SHAPES)
def test_a_first_step_is_the_gradient_with_singular_values_of_1(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(len(shape))
    rows, columns = shape[0], math.prod(shape[1:])
    left, _ = np.linalg.qr(random.normal(size=(rows, min(rows, columns))))
    right, _ = np.linalg.qr(random.normal(size=(columns, min(rows, columns))))
    values = np.geomspace(1, 0.01, min(rows, columns))
    gradient = 300 * (left * values) @ right.T
    before = random.normal(size=shape)
    weight = torch.nn.Parameter(torch.from_numpy(before).float())
    weight.grad = torch.from_numpy(gradient.reshape(shape)).float()
    Muon([weight], lr=0.25).step()
    step = (before - weight.detach().double().numpy()).reshape(rows, columns) / 0.25
    turned = left.T @ step @ right
    found = np.diag(turned)
    assert found.min() > 0.65 and found.max() < 1.25
    np.testing.assert_allclose(turned, np.diag(found), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(step), np.linalg.norm(found), rtol=1e-5)
    np.testing.assert_allclose(step, made_orthogonal(gradient), atol=1e-4)


@pytest.mark.parametrize("momentum", [0.95, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_follow_the_running_mean(shape: tuple[int, ...], momentum: float) -> None:
    """Nesterov's way: the mean as it is, moved once more towards the gradient."""
    random = np.random.default_rng(0)
    weight = torch.nn.Parameter(torch.from_numpy(random.normal(size=shape)))
    wanted = weight.detach().numpy().copy()
    muon = Muon([weight], lr=0.1, momentum=momentum)
    mean = np.zeros(shape)
    for lr in (0.1, 0.1, 0.1, 0.02, 0.02, 0.02):
        muon.param_groups[0]["lr"] = lr
        gradient = random.normal(size=shape)
        weight.grad = torch.from_numpy(gradient)
        muon.step()
        mean = momentum * mean + (1 - momentum) * gradient
        ahead = momentum * mean + (1 - momentum) * gradient
        wanted -= lr * made_orthogonal(ahead.reshape(shape[0], -1)).reshape(shape)
        np.testing.assert_allclose(weight.detach(), wanted, rtol=0, atol=1e-6)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(3, 4))
    weight.grad = torch.zeros(3, 4)
    Muon([weight]).step()
    np.testing.assert_array_equal(weight.detach(), np.ones((3, 4)))


def test_orthogonal_steps_resume_with_the_same_bits(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    gradients = torch.from_numpy(random.normal(size=(6, 5, 2, 3, 3))).float()

    def go_on(weight: torch.nn.Parameter, muon: Muon, steps: range) -> None:
        for step in steps:
            weight.grad = gradients[step].clone()
            muon.step()

    whole = torch.nn.Parameter(torch.ones(5, 2, 3, 3))
    go_on(whole, Muon([whole], lr=0.1), range(6))
    broken = torch.nn.Parameter(torch.ones(5, 2, 3, 3))
    muon = Muon([broken], lr=0.1)
    go_on(broken, muon, range(3))
    torch.save({"weight": broken.detach(), "muon": muon.state_dict()}, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = torch.nn.Parameter(state["weight"])
    muon = Muon([resumed])  # the rate is in the state too
    muon.load_state_dict(state["muon"])
    go_on(resumed, muon, range(3, 6))
    np.testing.assert_array_equal(resumed.detach(), whole.detach())
    forgot = torch.nn.Parameter(broken.detach().clone())
    go_on(forgot, Muon([forgot], lr=0.1), range(3, 6))
    assert (forgot - whole).abs().max() > 0.01
