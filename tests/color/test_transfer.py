"""Color transfer: means and covariances against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from limner.color.transfer import keep_chroma, transfer_colors

# ITU-R BT.601-7, 2.5.1 and 2.5.2
LUMA = np.array([0.299, 0.587, 0.114])


def picture(seed: int, mean: tuple[float, ...], spread: float, size: int = 40) -> torch.Tensor:
    """Correlated colors around a mean, far from 0 and 1."""
    random = np.random.default_rng(seed)
    mixture = np.eye(3) + random.uniform(-0.3, 0.3, (3, 3))
    mixture /= np.linalg.norm(mixture)
    values = mixture @ random.uniform(-1, 1, (3, size * size)) * spread + np.array(mean)[:, None]
    return torch.tensor(values.reshape(1, 3, size, size), dtype=torch.float32)


def flat(picture: torch.Tensor) -> np.ndarray:
    return picture[0].flatten(1).double().numpy()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 9999))
def test_mean_and_covariance_become_those_of_the_target(seed: int) -> None:
    ours = picture(seed, (0.3, 0.6, 0.5), 0.25)
    theirs = picture(seed + 1, (0.6, 0.5, 0.4), 0.12, size=23)
    moved = transfer_colors(ours, theirs)
    assert moved.shape == ours.shape and moved.dtype == torch.float32
    assert moved.min() > 0 and moved.max() < 1  # nothing was clipped
    np.testing.assert_allclose(flat(moved).mean(1), flat(theirs).mean(1), atol=1e-5)
    # up to the ridge that is added to both
    np.testing.assert_allclose(np.cov(flat(moved)), np.cov(flat(theirs)), atol=3e-5)
    assert np.abs(np.cov(flat(ours)) - np.cov(flat(theirs))).max() > 1e-3


def test_no_map_changes_the_colors_less() -> None:
    """Between normal distributions, the least squared change is the Bures-Wasserstein distance."""
    ours, theirs = picture(0, (0.4, 0.5, 0.5), 0.25), picture(1, (0.6, 0.5, 0.4), 0.15)
    moved = flat(transfer_colors(ours, theirs)) - flat(ours)
    cost = np.square(moved).sum(0).mean()
    one, other = np.cov(flat(ours)), np.cov(flat(theirs))
    # the trace of the root of their product: its eigenvalues are real and not negative
    shared = np.sqrt(np.linalg.eigvals(one @ other).real).sum()
    means = np.square(flat(ours).mean(1) - flat(theirs).mean(1)).sum()
    least = means + np.trace(one) + np.trace(other) - 2 * shared
    assert cost == pytest.approx(least, rel=0.01)


def test_a_picture_with_the_same_statistics_does_not_change() -> None:
    ours = picture(0, (0.4, 0.5, 0.5), 0.25)
    np.testing.assert_allclose(transfer_colors(ours, ours), ours, atol=1e-5)
    mirrored = ours.flip(-1)
    np.testing.assert_allclose(transfer_colors(ours, mirrored), ours, atol=1e-5)


def test_the_result_is_clipped() -> None:
    ours, theirs = picture(0, (0.5, 0.5, 0.5), 0.1), torch.zeros(1, 3, 8, 8)
    theirs[..., ::2] = 1
    moved = transfer_colors(ours, theirs)
    assert moved.min() == 0 and moved.max() == 1


@pytest.mark.parametrize("kind", ["gray", "constant", "black", "one pixel wide"])
def test_pictures_without_color_give_finite_results(kind: str) -> None:
    ramp = torch.linspace(0.2, 0.8, 30).expand(1, 3, 20, 30).clone()
    plain = {
        "gray": ramp,
        "constant": torch.full((1, 3, 20, 30), 0.4),
        "black": torch.zeros(1, 3, 20, 30),
        "one pixel wide": ramp[..., :1],
    }[kind]
    colorful = picture(1, (0.6, 0.5, 0.4), 0.15)
    there, back = transfer_colors(plain, colorful), transfer_colors(colorful, plain)
    assert torch.isfinite(there).all() and torch.isfinite(back).all()
    np.testing.assert_allclose(flat(there).mean(1), flat(colorful).mean(1), atol=0.01)
    if kind == "gray":  # no clipping: the mean is the target's, the spread gray
        np.testing.assert_allclose(flat(back).mean(1), flat(plain).mean(1), atol=0.01)
        assert (np.ptp(flat(back), axis=0)).max() < 0.05
    if kind == "constant":
        np.testing.assert_allclose(flat(back), 0.4, atol=0.02)


def test_luma_of_one_and_chroma_of_the_other() -> None:
    painted, photo = picture(0, (0.5, 0.5, 0.4), 0.1), picture(1, (0.6, 0.5, 0.45), 0.1)
    kept = flat(keep_chroma(painted, photo))
    assert kept.min() > 0 and kept.max() < 1
    np.testing.assert_allclose(LUMA @ kept, LUMA @ flat(painted), atol=1e-6)
    differences = kept - LUMA @ kept
    np.testing.assert_allclose(differences, flat(photo) - LUMA @ flat(photo), atol=1e-6)


def test_a_picture_keeps_its_own_chroma_and_the_result_is_clipped() -> None:
    photo = picture(0, (0.5, 0.5, 0.4), 0.1)
    np.testing.assert_allclose(keep_chroma(photo, photo), photo, atol=1e-6)
    white, blue = torch.ones(1, 3, 2, 2), torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1)
    found = keep_chroma(white, blue.expand(1, 3, 2, 2))
    # 1 - 0.114 is added to each channel, and blue is clipped
    np.testing.assert_allclose(flat(found), [[0.886] * 4, [0.886] * 4, [1.0] * 4], atol=1e-6)


def test_devices_without_float64_will_do(without_float64: Callable[[Tensor], Tensor]) -> None:
    ours, theirs = picture(0, (0.4, 0.5, 0.5), 0.25), picture(1, (0.6, 0.5, 0.4), 0.15)
    on_device = transfer_colors(without_float64(ours), without_float64(theirs))
    np.testing.assert_array_equal(on_device.as_subclass(Tensor), transfer_colors(ours, theirs))
