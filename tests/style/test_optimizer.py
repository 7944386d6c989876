"""The canvas: Adam as torch has it, the average and the best by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from limner.nn import weights
from limner.style.optimizer import Canvas

BETAS = (0.9, 0.99)


def start() -> torch.Tensor:
    return torch.rand((1, 3, 5, 7), generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3


def slope(step: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(100 + step)
    return torch.randn((1, 3, 5, 7), generator=random) * (1 + step % 3)


def walked(steps: int, **options: float) -> Canvas:
    canvas = Canvas(start())
    for step in range(steps):
        canvas.step(1.0, slope(step), options.get("rate", 0.01), BETAS,
                    options.get("epsilon", 1e-8))  # fmt: skip
    return canvas


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.99, 0.999), (0.0, 0.5)])
@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_it_is_adam(betas: tuple[float, float], epsilon: float) -> None:
    canvas = Canvas(start())
    theirs = start().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.005, betas=betas, eps=epsilon)
    for step in range(15):
        canvas.step(1.0, slope(step), 0.005, betas, epsilon)
        theirs.grad = slope(step)
        adam.step()
        assert theirs.min() > 0 and theirs.max() < 1  # nothing is clipped on the way
        np.testing.assert_allclose(canvas.picture, theirs.detach(), atol=1e-6)
    assert int(canvas.count) == 15
    assert (canvas.picture - start()).abs().max() > 0.005


def test_reach_holds_pixels_back() -> None:
    reach = torch.linspace(0, 1, 7).expand(1, 1, 5, 7)
    held, free = Canvas(start()), Canvas(start())
    held.step(1.0, slope(0), 0.01, BETAS, 1e-8, reach)
    free.step(1.0, slope(0), 0.01, BETAS, 1e-8)
    moved = (free.picture - start()).numpy()
    assert np.abs(moved).min() > 0.009
    np.testing.assert_allclose(held.picture - start(), moved * reach.numpy(), atol=1e-7)


def test_pictures_stay_in_range() -> None:
    canvas = Canvas(torch.tensor([0.01, 0.5, 0.99]).view(1, 3, 1, 1))
    for _ in range(5):
        canvas.step(1.0, torch.tensor([1.0, 0, -1]).view(1, 3, 1, 1), 0.1, BETAS, 1e-8)
    np.testing.assert_allclose(canvas.picture.flatten(), [0, 0.5, 1], atol=1e-6)


def test_the_average_is_that_of_the_pictures_not_of_the_start() -> None:
    """The exponential moving average with decay 0.8, divided by the weights it has had so far."""
    canvas, seen = Canvas(start()), []
    np.testing.assert_array_equal(canvas.result("average"), start())  # before the first step
    for step in range(12):
        canvas.step(1.0, slope(step), 0.02, BETAS, 1e-8)
        seen.append(canvas.picture.double().numpy())
        shares = np.array([0.2 * 0.8 ** (step - i) for i in range(step + 1)])
        wanted = np.einsum("k,k...->...", shares / shares.sum(), np.array(seen))
        np.testing.assert_allclose(canvas.result("average"), wanted, atol=1e-6)


def test_the_best_is_the_picture_of_the_least_loss() -> None:
    """A loss belongs to the picture before the step."""
    canvas, before = Canvas(start()), []
    np.testing.assert_array_equal(canvas.result("best"), start())
    for step, loss in enumerate((5.0, 3.0, 4.0, 2.0, 2.0, 9.0)):
        before.append(canvas.picture.clone())
        canvas.step(loss, slope(step), 0.02, BETAS, 1e-8)
        best = (0, 1, 1, 3, 3, 3)[step]  # of equals the first
        np.testing.assert_array_equal(canvas.result("best"), before[best])
        assert float(canvas.least) == (5, 3, 3, 2, 2, 2)[step]
    assert (canvas.result("best") - canvas.picture).abs().max() > 0.01


@pytest.mark.parametrize("through_a_file", [False, True])
def test_what_is_restored_goes_on_to_the_same_bits(tmp_path: Path, through_a_file: bool) -> None:
    canvas = walked(4)
    state = canvas.state()
    if through_a_file:
        weights.write(tmp_path / "a.safetensors", state, {})
        state = weights.read(tmp_path / "a.safetensors")
    other = Canvas(torch.zeros(1, 3, 5, 7))
    other.restore(state)
    for step in range(4, 8):
        for one in (canvas, other):
            one.step(10.0 - step, slope(step), 0.01, BETAS, 1e-8, 0.1)
    for name, tensor in canvas.state().items():
        np.testing.assert_array_equal(tensor, other.state()[name], err_msg=name)
        assert tensor.dtype == other.state()[name].dtype
    for keep in ("average", "best"):
        np.testing.assert_array_equal(canvas.result(keep), other.result(keep))


def test_a_kept_state_does_not_change_with_the_canvas() -> None:
    canvas = walked(2)
    state = canvas.state()
    copies = {name: tensor.clone() for name, tensor in state.items()}
    canvas.step(0.5, slope(9), 0.01, BETAS, 1e-8)
    for name, tensor in state.items():
        np.testing.assert_array_equal(tensor, copies[name], err_msg=name)
    assert (canvas.picture - state["picture"]).abs().max() > 0
