"""Moving colours: means and covariances in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.color.transfer import keep_chroma, move_colors

# ITU-R BT.601-7, 2.5.1 and 2.5.2
LUMA = np.array([0.299, 0.587, 0.114])


def picture(seed: int, mean: tuple[float, ...], spread: float, size: int = 40) -> torch.Tensor:
    """Correlated colours around a mean, far enough from 0 and 1."""
    random = np.random.default_rng(seed)
    mixture = np.eye(3) + random.uniform(-0.3, 0.3, (3, 3))
    mixture /= np.linalg.norm(mixture)
    values = mixture @ random.uniform(-1, 1, (3, size * size)) * spread + np.array(mean)[:, None]
    return torch.tensor(values.reshape(1, 3, size, size), dtype=torch.float32)


def flat(picture: torch.Tensor) -> np.ndarray:
    return picture[0].flatten(1).double().numpy()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 9999))
def test_mean_and_covariance_become_the_target_s(seed: int) -> None:
    ours = picture(seed, (0.3, 0.6, 0.5), 0.25)
    theirs = picture(seed + 1, (0.6, 0.5, 0.4), 0.12, size=23)
    moved = move_colors(ours, theirs)
    assert moved.shape == ours.shape and moved.dtype == torch.float32
    assert moved.min() > 0 and moved.max() < 1  # or something was clipped
    np.testing.assert_allclose(flat(moved).mean(1), flat(theirs).mean(1), atol=1e-5)
    # up to the little that is added to both
    np.testing.assert_allclose(np.cov(flat(moved)), np.cov(flat(theirs)), atol=3e-5)
    assert np.abs(np.cov(flat(ours)) - np.cov(flat(theirs))).max() > 1e-3


def test_of_all_maps_it_moves_colours_least() -> None:
    """Between normal distributions the least squared distance is that of Bures and Wasserstein."""
    ours, theirs = picture(0, (0.4, 0.5, 0.5), 0.25), picture(1, (0.6, 0.5, 0.4), 0.15)
    moved = flat(move_colors(ours, theirs)) - flat(ours)
    cost = np.square(moved).sum(0).mean()
    one, other = np.cov(flat(ours)), np.cov(flat(theirs))
    # trace of the root of their product, whose eigenvalues are real and not negative
    shared = np.sqrt(np.linalg.eigvals(one @ other).real).sum()
    means = np.square(flat(ours).mean(1) - flat(theirs).mean(1)).sum()
    least = means + np.trace(one) + np.trace(other) - 2 * shared
    assert cost == pytest.approx(least, rel=0.01)


def test_a_picture_of_the_same_statistics_stays() -> None:
    ours = picture(0, (0.4, 0.5, 0.5), 0.25)
    np.testing.assert_allclose(move_colors(ours, ours), ours, atol=1e-5)
    mirrored = ours.flip(-1)
    np.testing.assert_allclose(move_colors(ours, mirrored), ours, atol=1e-5)


def test_what_leaves_the_range_is_clipped() -> None:
    ours, theirs = picture(0, (0.5, 0.5, 0.5), 0.1), torch.zeros(1, 3, 8, 8)
    theirs[..., ::2] = 1
    moved = move_colors(ours, theirs)
    assert moved.min() == 0 and moved.max() == 1


@pytest.mark.parametrize("kind", ["grey", "constant", "black", "one pixel wide"])
def test_pictures_without_colours_survive(kind: str) -> None:
    ramp = torch.linspace(0.2, 0.8, 30).expand(1, 3, 20, 30).clone()
    plain = {
        "grey": ramp,
        "constant": torch.full((1, 3, 20, 30), 0.4),
        "black": torch.zeros(1, 3, 20, 30),
        "one pixel wide": ramp[..., :1],
    }[kind]
    colourful = picture(1, (0.6, 0.5, 0.4), 0.15)
    there, back = move_colors(plain, colourful), move_colors(colourful, plain)
    assert torch.isfinite(there).all() and torch.isfinite(back).all()
    np.testing.assert_allclose(flat(there).mean(1), flat(colourful).mean(1), atol=0.01)
    if kind == "grey":  # no clipping: the mean is the target's, the spread grey
        np.testing.assert_allclose(flat(back).mean(1), flat(plain).mean(1), atol=0.01)
        assert (np.ptp(flat(back), axis=0)).max() < 0.05
    if kind == "constant":
        np.testing.assert_allclose(flat(back), 0.4, atol=0.02)


def test_chroma_is_kept_and_luma_moved() -> None:
    painted, photo = picture(0, (0.5, 0.5, 0.4), 0.1), picture(1, (0.6, 0.5, 0.45), 0.1)
    kept = flat(keep_chroma(painted, photo))
    assert kept.min() > 0 and kept.max() < 1
    np.testing.assert_allclose(LUMA @ kept, LUMA @ flat(painted), atol=1e-6)
    differences = kept - LUMA @ kept
    np.testing.assert_allclose(differences, flat(photo) - LUMA @ flat(photo), atol=1e-6)


def test_chroma_of_itself_changes_nothing_and_the_range_holds() -> None:
    photo = picture(0, (0.5, 0.5, 0.4), 0.1)
    np.testing.assert_allclose(keep_chroma(photo, photo), photo, atol=1e-6)
    white, blue = torch.ones(1, 3, 2, 2), torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1)
    found = keep_chroma(white, blue.expand(1, 3, 2, 2))
    # 1 - 0.114 is added to each, and of blue only what goes
    np.testing.assert_allclose(flat(found), [[0.886] * 4, [0.886] * 4, [1.0] * 4], atol=1e-6)
