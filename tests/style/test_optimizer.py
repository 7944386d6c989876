"""The optimizer: Adam against torch, the EMA and the best picture against NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from limner.nn import weights
from limner.style.optimizer import PictureOptimizer

BETAS = (0.9, 0.99)


def start() -> torch.Tensor:
    return torch.rand((1, 3, 5, 7), generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3


def slope(step: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(100 + step)
    return torch.randn((1, 3, 5, 7), generator=random) * (1 + step % 3)


def after(steps: int) -> PictureOptimizer:
    optimizer = PictureOptimizer(start())
    for step in range(steps):
        optimizer.step(1.0, slope(step), 0.01, BETAS, 1e-8)
    return optimizer


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.99, 0.999), (0.0, 0.5)])
@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_it_is_the_same_as_adam_of_torch(betas: tuple[float, float], epsilon: float) -> None:
    optimizer = PictureOptimizer(start())
    theirs = start().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.005, betas=betas, eps=epsilon)
    for step in range(15):
        optimizer.step(1.0, slope(step), 0.005, betas, epsilon)
        theirs.grad = slope(step)
        adam.step()
        assert theirs.min() > 0 and theirs.max() < 1  # nothing was clipped
        np.testing.assert_allclose(optimizer.picture, theirs.detach(), atol=1e-6)
    assert int(optimizer.step_count) == 15
    assert (optimizer.picture - start()).abs().max() > 0.005


def test_a_mask_scales_the_update() -> None:
    mask = torch.linspace(0, 1, 7).expand(1, 1, 5, 7)
    masked, free = PictureOptimizer(start()), PictureOptimizer(start())
    masked.step(1.0, slope(0), 0.01, BETAS, 1e-8, mask)
    free.step(1.0, slope(0), 0.01, BETAS, 1e-8)
    moved = (free.picture - start()).numpy()
    assert np.abs(moved).min() > 0.009
    np.testing.assert_allclose(masked.picture - start(), moved * mask.numpy(), atol=1e-7)


def test_pictures_stay_in_range() -> None:
    optimizer = PictureOptimizer(torch.tensor([0.01, 0.5, 0.99]).view(1, 3, 1, 1))
    for _ in range(5):
        optimizer.step(1.0, torch.tensor([1.0, 0, -1]).view(1, 3, 1, 1), 0.1, BETAS, 1e-8)
    np.testing.assert_allclose(optimizer.picture.flatten(), [0, 0.5, 1], atol=1e-6)


def test_the_ema_is_corrected_for_its_start() -> None:
    """Decay 0.8, divided by the sum of the weights so far; the start picture does not count."""
    optimizer, iterates = PictureOptimizer(start()), []
    np.testing.assert_array_equal(optimizer.result("ema"), start())  # before the first step
    for step in range(12):
        optimizer.step(1.0, slope(step), 0.02, BETAS, 1e-8)
        iterates.append(optimizer.picture.double().numpy())
        shares = np.array([0.2 * 0.8 ** (step - i) for i in range(step + 1)])
        wanted = np.einsum("k,k...->...", shares / shares.sum(), np.array(iterates))
        np.testing.assert_allclose(optimizer.result("ema"), wanted, atol=1e-6)


def test_the_best_picture_has_the_lowest_loss() -> None:
    """The loss is that of the picture before the step."""
    optimizer, before = PictureOptimizer(start()), []
    np.testing.assert_array_equal(optimizer.result("best"), start())
    for step, loss in enumerate((5.0, 3.0, 4.0, 2.0, 2.0, 9.0)):
        before.append(optimizer.picture.clone())
        optimizer.step(loss, slope(step), 0.02, BETAS, 1e-8)
        best = (0, 1, 1, 3, 3, 3)[step]  # the first of equals
        np.testing.assert_array_equal(optimizer.result("best"), before[best])
        assert float(optimizer.best_loss) == (5, 3, 3, 2, 2, 2)[step]
    assert (optimizer.result("best") - optimizer.picture).abs().max() > 0.01


@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_loaded_state_continues_with_the_same_bits(tmp_path: Path, through_a_file: bool) -> None:
    optimizer = after(4)
    state = optimizer.state_dict()
    if through_a_file:
        weights.write(tmp_path / "a.safetensors", state, {})
        state = weights.read(tmp_path / "a.safetensors")
    other = PictureOptimizer(torch.zeros(1, 3, 5, 7))
    other.load_state_dict(state)
    for step in range(4, 8):
        for one in (optimizer, other):
            one.step(10.0 - step, slope(step), 0.01, BETAS, 1e-8, 0.1)
    for name, tensor in optimizer.state_dict().items():
        np.testing.assert_array_equal(tensor, other.state_dict()[name], err_msg=name)
        assert tensor.dtype == other.state_dict()[name].dtype
    for keep in ("ema", "best"):
        np.testing.assert_array_equal(optimizer.result(keep), other.result(keep))


def test_steps_do_not_change_a_state_that_was_saved() -> None:
    optimizer = after(2)
    state = optimizer.state_dict()
    copies = {name: tensor.clone() for name, tensor in state.items()}
    optimizer.step(0.5, slope(9), 0.01, BETAS, 1e-8)
    for name, tensor in state.items():
        np.testing.assert_array_equal(tensor, copies[name], err_msg=name)
    assert (optimizer.picture - state["picture"]).abs().max() > 0
