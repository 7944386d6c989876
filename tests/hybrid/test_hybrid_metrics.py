"""Scores, the search for a cut-off and viewing distances, compared with NumPy and Pillow."""

import re
from dataclasses import astuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.errors import OptionError
from limner.hybrid import metrics
from limner.hybrid.metrics import (
    Scores,
    clipped_share,
    correlation,
    far_distance,
    lowest_similarity,
    near_distance,
    score,
    search_cutoff,
    shrink,
    sigma_for_distances,
)

RANDOM = np.random.default_rng


def photo(seed: int, height: int = 120, width: int = 160, roughness: float = 1.0) -> np.ndarray:
    """Waves of many lengths and some rectangles: [1, 3, H, W] in 0.05..0.95."""
    random = RANDOM(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = np.zeros((1, 3, height, width))
    for _ in range(40):
        across, down = random.normal(0, 12, 2)
        wave = np.cos(2 * np.pi * (across * x + down * y + random.uniform()))
        falling = (2 + np.hypot(across, down)) ** roughness
        picture += random.normal(0, 1, (1, 3, 1, 1)) * wave / falling
    for _ in range(6):
        top, left = random.integers(0, height - 10), random.integers(0, width - 10)
        tall, wide = random.integers(8, height // 2), random.integers(8, width // 2)
        picture[:, :, top : top + tall, left : left + wide] += random.normal(0, 0.3, (1, 3, 1, 1))
    low, high = picture.min(), picture.max()
    return 0.05 + 0.9 * (picture - low) / (high - low)


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.tensor(picture, dtype=torch.float32)


# --- the same, worked out another way --------------------------------------------------------


def low(picture: np.ndarray, sigma: float, method: str = "fourier") -> np.ndarray:
    """What a filter lets through of a mirrored plane, by Fourier transform."""
    height, width = picture.shape[2:]
    whole = np.concatenate((picture, picture[:, :, ::-1]), 2)
    whole = np.concatenate((whole, whole[..., ::-1]), 3)
    down, right = (2 * np.pi * np.fft.fftfreq(2 * n) for n in (height, width))
    h = np.exp(-(down[:, None] ** 2 + right**2) * sigma**2 / 2)
    if method == "detail":
        h = h**2 / (h**2 + (1 - h) ** 2)
    return np.fft.ifft2(np.fft.fft2(whole) * h).real[:, :, :height, :width]


def thumbnail(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[2:]
    size = round(64 * width / max(height, width)), round(64 * height / max(height, width))
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in picture[0]]
    return np.stack([plane.resize(size, Image.Resampling.BICUBIC) for plane in planes])[None]


def pearson(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def worst(one: np.ndarray, other: np.ndarray) -> float:
    """Over 16 × 16 pixels in steps of 8, structural similarity without its term of brightness."""
    a, b = (np.tensordot([0.299, 0.587, 0.114], picture[0], 1) for picture in (one, other))
    found = []
    for top in range(0, a.shape[0] - 15, 8):
        for left in range(0, a.shape[1] - 15, 8):
            part = np.s_[top : top + 16, left : left + 16]
            (va, cov), (_, vb) = np.cov(a[part].ravel(), b[part].ravel(), bias=True)
            found.append((2 * cov + 0.002) / (va + vb + 0.002))  # contrasts of about 3%
    return min(found)


def wanted_scores(hybrid: np.ndarray, near: np.ndarray, far: np.ndarray) -> list[float]:
    sigma = 3 * max(near.shape) / 512
    ours, nears, fars = map(thumbnail, (hybrid, near, far))
    return [
        pearson(hybrid - low(hybrid, sigma), near - low(near, sigma)),
        pearson(ours, fars),
        pearson(ours, nears),
        pearson(fars, nears),
        worst(ours, fars),
    ]


# --- scores ----------------------------------------------------------------------------------


def test_correlation_known_answers() -> None:
    picture, other = tensor(photo(0)), tensor(photo(1))
    assert correlation(picture, picture) == pytest.approx(1, abs=1e-5)
    assert correlation(picture, 0.2 + 0.3 * picture) == pytest.approx(1, abs=1e-5)
    assert correlation(picture, 1 - picture) == pytest.approx(-1, abs=1e-5)
    assert correlation(picture, other) == pytest.approx(pearson(photo(0), photo(1)), abs=1e-5)
    across = torch.tensor([[1.0, -1.0], [1.0, -1.0]])
    assert correlation(across, across.T) == 0
    assert correlation(across, torch.tensor([[1.0, 0.0], [0.0, 0.0]])) == pytest.approx(3**-0.5)


def test_correlation_without_contrast_is_zero() -> None:
    # the mean of 57,600 equal values may be off by one bit, on other CPUs than this one
    flat = torch.full((1, 3, 120, 160), 0.3)
    assert correlation(tensor(photo(0)), flat) == pytest.approx(0, abs=1e-3)
    assert correlation(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)) == 0


@pytest.mark.parametrize("size", [(120, 160), (200, 130), (64, 64)])
def test_scores_are_what_numpy_and_pillow_find(size: tuple[int, int]) -> None:
    near, far = photo(0, *size), photo(1, *size)
    hybrid = (near - low(near, 2.0) + low(0.3 + 0.4 * far, 2.0)).clip(0, 1)
    found = astuple(score(*map(tensor, (hybrid, near, far))))
    np.testing.assert_allclose(found, wanted_scores(hybrid, near, far), atol=3e-3)


def test_scores_of_the_near_and_of_the_far_picture_themselves() -> None:
    near, far = photo(0), photo(1)
    floor = pearson(thumbnail(near), thumbnail(far))
    assert abs(floor) < 0.9
    ours = score(tensor(near), tensor(near), tensor(far))
    assert (ours.near, ours.leak) == pytest.approx((1, 1), abs=1e-5)
    assert (ours.far, ours.floor) == pytest.approx((floor, floor), abs=3e-3)
    theirs = score(tensor(far), tensor(near), tensor(far))
    assert (theirs.far, theirs.worst) == pytest.approx((1, 1), abs=1e-5)
    assert (theirs.leak, theirs.floor) == pytest.approx((floor, floor), abs=3e-3)
    sigma = 3 * 160 / 512
    details = [picture - low(picture, sigma) for picture in (near, far)]
    assert theirs.near == pytest.approx(pearson(*details), abs=3e-3)


def test_the_shortfall_is_the_worst_of_three() -> None:
    assert Scores(0.9, 0.90, 0.2, 0.2, 0.99).shortfall == pytest.approx(0.05)  # far below 0.95
    assert Scores(0.9, 0.99, 0.5, 0.2, 0.99).shortfall == pytest.approx(
        0.25
    )  # leak above floor + 0.05
    assert Scores(0.9, 0.99, 0.2, 0.2, 0.70).shortfall == pytest.approx(0.15)  # worst below 0.85
    assert Scores(0.1, 0.97, 0.2, 0.2, 0.99).shortfall == pytest.approx(-0.02)


def test_the_lowest_similarity_of_equal_pictures_is_one() -> None:
    picture = tensor(photo(0, 48, 64))
    assert lowest_similarity(picture, picture) == pytest.approx(1, abs=1e-5)
    assert lowest_similarity(picture, picture + 0.1) == pytest.approx(
        1, abs=1e-5
    )  # brightness does not count


@pytest.mark.parametrize("corner", [(0, 0), (0, 48), (32, 0), (32, 48)])
def test_a_ghost_in_one_corner_lowers_only_the_lowest_similarity(corner: tuple[int, int]) -> None:
    plain = photo(0, 48, 64)
    down, right = (slice(start, start + 16) for start in corner)
    plain[:, :, down, right] = 0.6  # a sky
    ghost = plain.copy()
    ghost[:, :, down, right] += 0.08 * np.sin(np.arange(16) / 16 * 4 * np.pi)
    found = lowest_similarity(tensor(ghost), tensor(plain))
    # nothing in common but the constant that stands for what nobody notices
    assert found == pytest.approx(0.002 / (0.002 + 0.08**2 / 2), abs=1e-3)
    assert found == pytest.approx(worst(ghost, plain), abs=1e-3)
    assert correlation(tensor(ghost), tensor(plain)) > 0.99


def test_clipped_is_a_share_of_values() -> None:
    picture = torch.full((1, 3, 4, 5), 0.5)
    assert clipped_share(picture) == 0
    picture[0, 0, 0, :3] = torch.tensor([-0.01, 1.01, 1.0])  # of 60, the first two
    picture[0, 2, 1, 1] = 0.0
    assert clipped_share(picture) == pytest.approx(2 / 60)


@pytest.mark.parametrize(
    ("size", "wanted"), [((600, 1024), (300, 512)), ((70, 30), (70, 30)), ((512, 512), (512, 512))]
)
def test_only_larger_pictures_are_shrunk(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert shrink(torch.rand(1, 3, *size)).shape == (1, 3, *wanted)


# --- the search ------------------------------------------------------------------------------


def mixed(
    near: np.ndarray, far: np.ndarray, method: str, sigma: float, contrast: float
) -> np.ndarray:
    """A hybrid as it comes out of its filter; sigma in pixels of 512."""
    pixels = sigma * max(near.shape) / 512
    return near - low(near, pixels, method) + low(0.5 + contrast * (far - 0.5), pixels, method)


def grainy(picture: np.ndarray) -> np.ndarray:
    return (picture + RANDOM(9).normal(0, 0.1, picture.shape)).clip(0, 1)


def overflow(hybrid: np.ndarray) -> float:
    return float(((hybrid < 0) | (hybrid > 1)).mean())


@pytest.mark.parametrize("method", ["detail", "fourier"])
def test_search_keeps_given_values(method: str) -> None:
    near, far = photo(0), photo(1)
    assert search_cutoff(tensor(near), tensor(far), method, 3.7, 0.83) == (3.7, 0.83)
    assert search_cutoff(tensor(near), tensor(far), method, None, 0.83)[1] == 0.83
    assert search_cutoff(tensor(near), tensor(far), method, 11.0, None)[0] == 11.0


def test_search_takes_the_highest_contrast_that_hardly_clips() -> None:
    near = grainy(photo(0))
    far = (0.5 + 1.5 * (photo(1) - 0.5)).clip(0, 1)
    found = search_cutoff(tensor(near), tensor(far), "detail", 4.0, None)[1]
    shares = {c: overflow(mixed(near, far, "detail", 4.0, c)) for c in metrics.CONTRASTS}
    assert found == max(c for c, share in shares.items() if share <= 0.005)
    assert min(metrics.CONTRASTS) < found < 1


def test_where_everything_clips_the_lowest_contrast_is_taken() -> None:
    black_and_white = (photo(0) > 0.5).astype(float)
    found = search_cutoff(tensor(black_and_white), tensor(photo(1)), "detail", 4.0, None)
    assert found == (4.0, min(metrics.CONTRASTS))


@pytest.mark.parametrize("method", ["detail", "fourier"])
def test_search_keeps_most_detail_while_the_far_picture_dominates(method: str) -> None:
    near, far = grainy(0.2 + 0.6 * photo(4, roughness=0.4)), photo(5, roughness=2.0)
    found = search_cutoff(tensor(near), tensor(far), method, None, None)
    ruling = {}
    for sigma in metrics.SIGMAS:
        for contrast in metrics.CONTRASTS:
            hybrid = mixed(near, far, method, sigma, contrast)
            if overflow(hybrid) <= 0.005:
                break
        soft = 0.5 + contrast * (far - 0.5)
        fine, far_score, leak, floor, least = wanted_scores(hybrid.clip(0, 1), near, soft)
        if far_score >= 0.95 and leak <= floor + 0.05 and least >= 0.85:
            ruling[sigma, contrast] = fine
    assert found in ruling
    assert ruling[found] == max(ruling.values())
    assert 1 <= len(ruling) < len(metrics.SIGMAS)  # the rule excluded some


# --- distances -------------------------------------------------------------------------------


def test_distance_by_hand() -> None:
    # f = 0.187 · 512 / 5 = 19.1488 cycles across the picture; 57.3 · 15 / f = 44.885 widths
    assert far_distance(5.0, 1.0) == pytest.approx(44.885, abs=1e-3)
    # upright, three quarters as wide: 384 pixels, 14.3616 cycles
    assert far_distance(5.0, 0.75) == pytest.approx(59.847, abs=1e-3)
    assert near_distance(5.0, 0.75) == pytest.approx(19.949, abs=1e-3)


def test_sigma_by_hand() -> None:
    # 0.3 m wide, from 4 m: f = 57.3 · 0.3 · 15 / 4 = 64.4625; sigma = 0.187 · 512 / f
    assert sigma_for_distances(0.5, 4.0, 0.3, 1.0) == pytest.approx(1.48527, abs=1e-5)
    # upright, half as wide, of 256 pixels: from 8 m as many pixels a cycle
    assert sigma_for_distances(0.5, 8.0, 0.3, 0.5) == pytest.approx(1.48527, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.floats(1.01, 15.9), st.floats(0.05, 3), st.floats(0.2, 1))
def test_sigma_is_the_inverse_of_distance(sigma: float, meters: float, width: float) -> None:
    cycles = 0.187 * 512 * width / sigma
    far = 57.3 * meters * 15 / cycles
    assert sigma_for_distances(far / 4, far, meters, width) == pytest.approx(sigma, rel=1e-9)
    assert far_distance(sigma, width) * meters == pytest.approx(far, rel=1e-9)


@pytest.mark.parametrize(
    ("near", "far", "wanted"),
    [
        (1.4, 4.0, "--near 1.4m: must be at most a third of --far, 1.33m here; change one"),
        (5.0, 4.0, "--near 5m: must be at most a third of --far, 1.33m here; "),
        # 1 pixel of 512: f = 95.744, 57.3 · 0.3 · 15 / f = 2.693; and 16 times as far
        (0.5, 2.5, "--far 2.5m: must be from 2.69m to 43.1m for a print of 30cm; "),
        (0.5, 44.0, "--far 44m: must be from 2.69m to 43.1m for a print of 30cm; "),
    ],
)
def test_distances_that_no_cutoff_gives(near: float, far: float, wanted: str) -> None:
    with pytest.raises(OptionError) as caught:
        sigma_for_distances(near, far, 0.3, 1.0)
    message = str(caught.value)
    assert message.startswith(wanted) and "\n" not in message


def test_distances_at_the_limits_are_accepted() -> None:
    assert sigma_for_distances(1.0, 3.0, 0.3, 1.0) == pytest.approx(
        1.11395, abs=1e-5
    )  # a third of it
    assert sigma_for_distances(0.5, 2.694, 0.3, 1.0) == pytest.approx(1.00033, abs=1e-5)
    assert sigma_for_distances(0.9, 43.08, 0.3, 1.0) == pytest.approx(15.9964, abs=1e-4)


@pytest.mark.parametrize(("near", "far"), [(2.0, 5.0), (0.5, 2.5), (0.5, 44.0)])
def test_the_limit_named_in_a_message_is_accepted(near: float, far: float) -> None:
    with pytest.raises(OptionError) as caught:
        sigma_for_distances(near, far, 0.3, 1.0)
    limits = [float(n) for n in re.findall(r"([\d.]+)m(?: to| here| for)", str(caught.value))]
    for limit in limits:
        if str(caught.value).startswith("--near"):
            sigma_for_distances(limit, far, 0.3, 1.0)
        else:
            sigma_for_distances(near, limit, 0.3, 1.0)
    assert limits
