"""PSNR and SSIM against NumPy, and on pictures whose scores are known."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from likeness import decibels, similarity
from limner.train.metrics import psnr, ssim

GRAY = torch.full((1, 3, 24, 26), 100 / 255)
LUMA = 16 + 219 / 255 * 100  # of it


def planes(pixels: np.ndarray) -> torch.Tensor:
    """[H, W, 3] in 0..255 → [1, 3, H, W] in 0..1."""
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None] / 255).float()


def test_psnr_by_hand() -> None:
    ours, theirs = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3))
    for border in (0, 1, 4):
        wanted = decibels(ours, theirs, border)
        assert psnr(planes(ours), planes(theirs), border) == pytest.approx(wanted, abs=1e-4)


def test_psnr_of_known_pictures() -> None:
    assert psnr(GRAY, GRAY, 2) == pytest.approx(100)
    # a step in 8 bits is 219/255 of one in luma: 20 log10(255² / 219) = 49.453 dB
    assert psnr(GRAY + 1 / 255, GRAY, 2) == pytest.approx(49.453, abs=1e-3)
    assert psnr(GRAY + 0.4 / 255, GRAY, 2) == pytest.approx(100)  # rounded off
    # white on black: 20 log10(255 / 219) = 1.322 dB, and no more beyond white
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    assert psnr(3 * white, black, 2) == pytest.approx(1.322, abs=1e-3)
    framed = black.clone()
    framed[..., :2, :] = framed[..., -2:] = 1
    assert psnr(framed, black, 2) == pytest.approx(100)
    assert psnr(framed, black, 1) < 20
    green = torch.tensor([0, 1, 0])[None, :, None, None] / 255 + GRAY
    assert psnr(green, GRAY, 2) == pytest.approx(20 * np.log10(255**2 / 128.553), abs=1e-3)


@pytest.mark.parametrize("border", [0, 1, 4])
def test_ssim_by_hand(border: int) -> None:
    """Of noise, of noise on a ramp, and of pictures that are the opposite of each other."""
    random = np.random.default_rng(border)
    ramp = np.broadcast_to(np.arange(23)[:, None, None] * 8 + 30, (23, 31, 3))
    noise = random.normal(size=(2, 23, 31, 3)) * 12
    pairs = [
        random.integers(0, 256, (2, 23, 31, 3)),
        (ramp + noise).round(),
        np.stack([ramp + noise[0], ramp - noise[0]]).round(),
    ]
    for ours, theirs in pairs:
        wanted = similarity(ours, theirs, border)
        assert ssim(planes(ours), planes(theirs), border) == pytest.approx(wanted, abs=1e-6)
        assert ssim(planes(theirs), planes(ours), border) == pytest.approx(wanted, abs=1e-6)


def test_ssim_of_known_pictures() -> None:
    picture = planes(np.random.default_rng(0).integers(0, 256, (24, 26, 3)))
    assert ssim(picture, picture, 2) == pytest.approx(1, abs=1e-12)
    assert ssim(GRAY + 0.4 / 255, GRAY, 2) == pytest.approx(1, abs=1e-12)  # rounded off
    # flat pictures: no more than their brightness tells them apart
    black = (2 * 16 * LUMA + 2.55**2) / (16**2 + LUMA**2 + 2.55**2)
    assert ssim(GRAY * 0, GRAY, 2) == pytest.approx(black, abs=1e-9)
    assert black == pytest.approx(0.3070, abs=1e-4)
    framed = GRAY.clone()
    framed[..., :2, :] = framed[..., -2:] = 1
    assert ssim(framed, GRAY, 2) == pytest.approx(1, abs=1e-12)
    assert ssim(framed, GRAY, 1) < 0.99


@pytest.mark.parametrize("depth", [2, 10])
def test_ssim_of_a_chessboard_and_its_opposite(depth: int) -> None:
    """The mean is the same in every window; the variance is the depth's square."""
    board = (-1) ** np.indices((24, 26)).sum(0)[..., None] * np.full(3, depth)
    ours, theirs = planes(100 + board), planes(100 - board)
    variance, small = (depth * 219 / 255) ** 2, 7.65**2
    opposite = (small - 2 * variance) / (small + 2 * variance)
    assert ssim(ours, theirs, 0) == pytest.approx(opposite, abs=1e-3)
    assert ssim(ours, GRAY, 0) == pytest.approx(small / (small + variance), abs=1e-3)


def test_ssim_falls_with_noise() -> None:
    y, x = np.mgrid[:40, :40]
    waves = (128 + 60 * np.sin(x / 3) * np.cos(y / 4))[..., None].repeat(3, 2)
    noise = np.random.default_rng(0).normal(size=waves.shape)
    scores = [ssim(planes(waves + noise * much), planes(waves), 2) for much in (1, 8, 32, 99)]
    assert scores[0] > 0.99 and np.diff(scores).max() < -0.04 and scores[-1] < 0.3


class OnMPS(Tensor):
    """Behaves like a tensor on an Apple GPU: there is no float64 until it is copied to the CPU."""

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.cpu:
            return args[0].as_subclass(Tensor)
        result = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(result, cls) and result.dtype == torch.float64:
            raise TypeError("the MPS framework doesn't support float64")
        return result


@pytest.mark.parametrize("score", [psnr, ssim])
def test_scores_of_pictures_on_a_device_without_float64(score: Any) -> None:
    ours, theirs = (planes(p) for p in np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3)))
    with pytest.raises(TypeError):
        ours.as_subclass(OnMPS).double()
    found = score(ours.as_subclass(OnMPS), theirs.as_subclass(OnMPS), 2)
    assert found == score(ours, theirs, 2)
