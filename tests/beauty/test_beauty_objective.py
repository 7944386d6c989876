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
    EPSILON,
    LOSSES,
    Predictors,
    closeness,
    contrast,
    fidelity,
    gradient_energy,
    log_ratio,
    progress,
    relative,
)
from limner.nn import images

TINY = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.0, 0.25]])
ACROSS, DOWN = (0.5 + 0.5 + 0 + 0.25) / 4, (0 + 0.5 + 0.75) / 3
SQUARES = (0.25 + 0.25 + 0 + 0.0625) / 4 + (0 + 0.25 + 0.5625) / 3


def noise(seed: int = 0, count: int = 2) -> Tensor:
    return torch.rand((count, 3, 128, 160), generator=torch.Generator().manual_seed(seed))


def beside(*offs: float) -> Callable[[Tensor], Tensor]:
    """Return a predictor with this error in each frame."""
    by = torch.tensor(offs).view(-1, 1, 1, 1)
    return lambda frame: masks.crop_holes(frame) + by


PREDICTORS = Predictors(beside(0.1, -0.2), beside(-0.3, 0.5))


def steps(picture: Tensor) -> list[float]:
    """Mean absolute difference of neighboring pixels in the holes of each frame."""
    values = picture.numpy().astype(float)[..., 48:-48, 48:-48]
    return [
        (np.abs(np.diff(one, axis=1)).mean() + np.abs(np.diff(one, axis=2)).mean()) / 2
        for one in values
    ]


def test_contrast_and_gradients_of_a_tiny_picture() -> None:
    gray = TINY.expand(1, 3, 2, 3)
    several = torch.cat((gray, gray / 2, torch.zeros_like(gray)))
    by_hand = (ACROSS + DOWN) / 2
    np.testing.assert_allclose(contrast(several), [by_hand, by_hand / 2, 0], rtol=1e-6)
    np.testing.assert_allclose(gradient_energy(several), [SQUARES, SQUARES / 4, 0], rtol=1e-6)
    shares = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    np.testing.assert_allclose(contrast(gray * shares), by_hand / 3, rtol=1e-6)
    np.testing.assert_allclose(gradient_energy(gray * shares), SQUARES * 0.299**2, rtol=1e-5)


def test_errors_are_counted_for_each_picture() -> None:
    frames = noise()
    found = PREDICTORS.errors(frames)
    np.testing.assert_allclose(found.good, [0.1, 0.2], rtol=1e-5)
    np.testing.assert_allclose(found.bad, [0.3, 0.5], rtol=1e-5)
    np.testing.assert_allclose(found.contrast, steps(frames), rtol=1e-5)
    wanted = [off / (step + EPSILON) for off, step in zip((0.1, 0.2), steps(frames), strict=True)]
    np.testing.assert_allclose(found.relative, wanted, rtol=1e-5)
    np.testing.assert_allclose(
        found.progress, [0.3 / (0.1 + EPSILON), 0.5 / (0.2 + EPSILON)], rtol=1e-5
    )


def test_the_bad_predictor_is_the_harmonic_fill() -> None:
    frames = noise()
    wanted = (masks.crop_holes(frames) - masks.harmonic_fill(frames)).abs().mean((1, 2, 3))
    np.testing.assert_allclose(Predictors(beside(0.1, 0.1)).errors(frames).bad, wanted)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_fading_changes_nothing_until_contrast_nears_epsilon(share: float) -> None:
    """The harmonic fill fades with the picture, so both error and contrast do."""
    frames, predictors = noise(), Predictors(masks.harmonic_fill)
    before, after = predictors.errors(frames), predictors.errors(0.4 + share * (frames - 0.5))
    np.testing.assert_allclose(after.good, share * before.good, rtol=1e-3)
    pure = before.good / before.contrast
    np.testing.assert_allclose(
        after.relative, pure, rtol=EPSILON / share / float(before.contrast.min())
    )
    assert (after.relative < before.relative).all()
    assert (
        predictors.errors(torch.full_like(frames, 0.3)).relative.max() < 1e-2
    )  # nothing there to err


def test_the_losses_are_their_formulas() -> None:
    before, after = noise(), noise(1)
    moved = (after - before).abs().double().mean().item()
    assert closeness(PREDICTORS, before, after).item() == pytest.approx(
        0.5 * moved + 0.5 * 0.15, rel=1e-5
    )
    times = [0.3 / (0.1 + EPSILON), 0.5 / (0.2 + EPSILON)]
    wanted, held = -np.log(times).mean(), fidelity(before, after).item()
    assert log_ratio(PREDICTORS, before, after).item() == pytest.approx(wanted, rel=1e-4)
    assert progress(PREDICTORS, before, after).item() == pytest.approx(wanted + held, rel=1e-4)
    shares = [off / (step + EPSILON) for off, step in zip((0.1, 0.2), steps(after), strict=True)]
    wanted = np.log(shares).mean() + held
    assert relative(PREDICTORS, before, after).item() == pytest.approx(wanted, rel=1e-4)
    assert held > 0.01
    assert {
        "default": {"closeness": closeness, "progress": progress},
        "article": {"closeness": closeness, "progress": log_ratio},
    } == LOSSES


def test_the_same_picture_has_no_fidelity_penalty() -> None:
    assert fidelity(noise(), noise()).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("gains", [(1.003, 0.998), (0.9, 1.05), (0.5, 1.0)])
def test_fidelity_is_its_formula(gains: tuple[float, float]) -> None:
    """Gradient energy goes with the square of the contrast; its first 1% is free."""
    before = noise()
    after = before * torch.tensor(gains).view(2, 1, 1, 1)
    beyond = [max(0.0, abs(2 * math.log(gain)) - 0.01) ** 2 for gain in gains]
    moved = (after - before).abs().double().mean().item()
    wanted = objective._ENERGY_WEIGHT * sum(beyond) / 2 + objective._DISTANCE_WEIGHT * moved
    assert fidelity(before, after).item() == pytest.approx(wanted, rel=1e-3)
    assert (sum(beyond) == 0) == (gains[0] == 1.003)


def test_blur_and_grain_cost_much_more_than_their_distance(
    scene: Callable[..., Image.Image], planes: Callable[[Image.Image], Tensor]
) -> None:
    before = planes(scene())
    grain = 0.2 * (torch.rand(before.shape, generator=torch.Generator().manual_seed(0)) - 0.5)
    for after in (images.gaussian_blur(before, 0.7), before + grain):
        moved = objective._DISTANCE_WEIGHT * (after - before).abs().mean().item()
        assert fidelity(before, after).item() > 20 * moved > 0.02
