"""The numbers of a picture's predictability, and the losses, worked out by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from limner.beauty import inpainting_masks as masks
from limner.beauty import objective
from limner.beauty.objective import (
    ARTICLES_LOSSES,
    FLOOR,
    LOSSES,
    Eye,
    closeness,
    contrast,
    gradient_energy,
    progress,
    ratio,
    relative,
    together,
)
from limner.nn import images

TINY = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.0, 0.25]])
ACROSS, DOWN = (0.5 + 0.5 + 0 + 0.25) / 4, (0 + 0.5 + 0.75) / 3
SQUARES = (0.25 + 0.25 + 0 + 0.0625) / 4 + (0 + 0.25 + 0.5625) / 3


def noise(seed: int = 0, count: int = 2) -> Tensor:
    return torch.rand((count, 3, 128, 160), generator=torch.Generator().manual_seed(seed))


def beside(*offs: float) -> Callable[[Tensor], Tensor]:
    """Something that predicts each frame with such an error."""
    by = torch.tensor(offs).view(-1, 1, 1, 1)
    return lambda frame: masks.inner(frame) + by


EYE = Eye(beside(0.1, -0.2), beside(-0.3, 0.5))


def steps(picture: Tensor) -> list[float]:
    """Mean absolute difference of neighbours of each of the centres."""
    values = picture.numpy().astype(float)[..., 48:-48, 48:-48]
    return [
        (np.abs(np.diff(one, axis=1)).mean() + np.abs(np.diff(one, axis=2)).mean()) / 2
        for one in values
    ]


def test_contrast_and_gradients_of_a_tiny_picture() -> None:
    grey = TINY.expand(1, 3, 2, 3)
    several = torch.cat((grey, grey / 2, torch.zeros_like(grey)))
    by_hand = (ACROSS + DOWN) / 2
    np.testing.assert_allclose(contrast(several), [by_hand, by_hand / 2, 0], rtol=1e-6)
    np.testing.assert_allclose(gradient_energy(several), [SQUARES, SQUARES / 4, 0], rtol=1e-6)
    shares = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    np.testing.assert_allclose(contrast(grey * shares), by_hand / 3, rtol=1e-6)
    np.testing.assert_allclose(gradient_energy(grey * shares), SQUARES * 0.299**2, rtol=1e-5)


def test_errors_are_counted_for_each_picture() -> None:
    frames = noise()
    found = EYE.errors(frames)
    np.testing.assert_allclose(found.good, [0.1, 0.2], rtol=1e-5)
    np.testing.assert_allclose(found.bad, [0.3, 0.5], rtol=1e-5)
    np.testing.assert_allclose(found.contrast, steps(frames), rtol=1e-5)
    wanted = [off / (step + FLOOR) for off, step in zip((0.1, 0.2), steps(frames), strict=True)]
    np.testing.assert_allclose(found.relative, wanted, rtol=1e-5)
    np.testing.assert_allclose(
        found.progress, [0.3 / (0.1 + FLOOR), 0.5 / (0.2 + FLOOR)], rtol=1e-5
    )


def test_what_has_learnt_nothing_fills_like_a_soap_film() -> None:
    frames = noise()
    wanted = (masks.inner(frames) - masks.harmonic(frames)).abs().mean((1, 2, 3))
    np.testing.assert_allclose(Eye(beside(0.1, 0.1)).errors(frames).bad, wanted)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_fading_changes_nothing_down_to_the_floor(share: float) -> None:
    """A soap film fades with the picture, so both error and contrast do."""
    frames, eye = noise(), Eye(masks.harmonic)
    before, after = eye.errors(frames), eye.errors(0.4 + share * (frames - 0.5))
    np.testing.assert_allclose(after.good, share * before.good, rtol=1e-3)
    pure = before.good / before.contrast
    np.testing.assert_allclose(
        after.relative, pure, rtol=FLOOR / share / float(before.contrast.min())
    )
    assert (after.relative < before.relative).all()
    assert eye.errors(torch.full_like(frames, 0.3)).relative.max() < 1e-2  # nothing there to err


def test_the_losses_are_their_formulas() -> None:
    before, after = noise(), noise(1)
    moved = (after - before).abs().double().mean().item()
    assert closeness(EYE, before, after).item() == pytest.approx(0.5 * moved + 0.5 * 0.15, rel=1e-5)
    times = [0.3 / (0.1 + FLOOR), 0.5 / (0.2 + FLOOR)]
    wanted, held = -np.log(times).mean(), together(before, after).item()
    assert ratio(EYE, before, after).item() == pytest.approx(wanted, rel=1e-4)
    assert progress(EYE, before, after).item() == pytest.approx(wanted + held, rel=1e-4)
    shares = [off / (step + FLOOR) for off, step in zip((0.1, 0.2), steps(after), strict=True)]
    wanted = np.log(shares).mean() + held
    assert relative(EYE, before, after).item() == pytest.approx(wanted, rel=1e-4)
    assert held > 0.01
    assert {"closeness": closeness, "progress": progress, "relative": relative} == LOSSES
    assert {"closeness": closeness, "progress": ratio} == ARTICLES_LOSSES


def test_nothing_holds_back_the_same_picture() -> None:
    assert together(noise(), noise()).item() == 0


@pytest.mark.parametrize("gains", [(1.003, 0.998), (0.9, 1.05), (0.5, 1.0)])
def test_what_holds_together_is_its_formula(gains: tuple[float, float]) -> None:
    """Gradient energy goes with the square of the contrast; its first 1% is free."""
    before = noise()
    after = before * torch.tensor(gains).view(2, 1, 1, 1)
    beyond = [max(0.0, abs(2 * math.log(gain)) - 0.01) ** 2 for gain in gains]
    moved = (after - before).abs().double().mean().item()
    wanted = objective._ENERGY * sum(beyond) / 2 + objective._NEAR * moved
    assert together(before, after).item() == pytest.approx(wanted, rel=1e-3)
    assert (sum(beyond) == 0) == (gains[0] == 1.003)


def test_blur_and_grain_cost_more_than_they_move(
    scene: Callable[..., Image.Image], planes: Callable[[Image.Image], Tensor]
) -> None:
    before = planes(scene())
    grain = 0.2 * (torch.rand(before.shape, generator=torch.Generator().manual_seed(0)) - 0.5)
    for after in (images.gaussian_blur(before, 0.7), before + grain):
        moved = objective._NEAR * (after - before).abs().mean().item()
        assert together(before, after).item() > 20 * moved > 0.02
