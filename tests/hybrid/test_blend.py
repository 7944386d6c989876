"""The two blends, against explicit matrices that filter a tiny picture."""

import math

import numpy as np
import pytest
import torch

from limner.hybrid.blend import RESPONSES, blend, detail

HEIGHT, WIDTH = 12, 10
SIGMA = 1.8
RANDOM = np.random.default_rng


def photo(seed: int) -> torch.Tensor:
    values = RANDOM(seed).uniform(0, 1, (1, 3, HEIGHT, WIDTH))
    return torch.tensor(values, dtype=torch.float32)


def flat(picture: torch.Tensor) -> np.ndarray:
    """[pixels, 3], as the matrices want it."""
    return picture[0].flatten(1).double().numpy().T


def blur(length: int) -> np.ndarray:
    """A Gaussian that meets the mirrored picture again and again, as a matrix."""
    reach = math.ceil(8 * SIGMA)
    mirrored = np.pad(np.arange(length), reach, mode="symmetric")
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * SIGMA**2))
    matrix = np.zeros((length, length))
    for row in range(length):
        np.add.at(matrix[row], mirrored[row : row + kernel.size], kernel / kernel.sum())
    return matrix


H = np.kron(blur(HEIGHT), blur(WIDTH))
ONE = np.eye(HEIGHT * WIDTH)


def test_detail_solves_its_equations() -> None:
    near, far = photo(0), photo(1)
    high, low = (ONE - H).T @ (ONE - H), H.T @ H
    wanted = np.linalg.solve(high + low, high @ flat(near) + low @ flat(far))
    np.testing.assert_allclose(flat(blend(near, far, SIGMA, "detail", 1.0)), wanted, atol=1e-4)


def test_nothing_near_the_detail_blend_is_better() -> None:
    near, far = flat(photo(0)), flat(photo(1))

    def lack(x: np.ndarray) -> float:
        return float(np.square((ONE - H) @ (x - near)).sum() + np.square(H @ (x - far)).sum())

    found = flat(blend(photo(0), photo(1), SIGMA, "detail", 1.0))
    ways = RANDOM(2).normal(0, 1, (60, *found.shape))
    for way in ways:
        assert min(lack(found + 0.01 * way), lack(found - 0.01 * way)) > lack(found)
        # central differences are exact for a square
        slope = (lack(found + way) - lack(found - way)) / 2
        elsewhere = (lack(near + way) - lack(near - way)) / 2
        assert abs(slope) < 1e-4 * max(1.0, abs(elsewhere))


@pytest.mark.parametrize("contrast", [1.0, 0.7, 0.0])
def test_fourier_is_low_of_the_far_and_high_of_the_near(contrast: float) -> None:
    near, far = photo(0), photo(1)
    softer = 0.5 + contrast * (flat(far) - 0.5)
    wanted = H @ softer + (ONE - H) @ flat(near)
    np.testing.assert_allclose(
        flat(blend(near, far, SIGMA, "fourier", contrast)), wanted, atol=1e-4
    )


@pytest.mark.parametrize("method", RESPONSES)
def test_contrast_is_of_the_far_picture_about_middle_gray(method: str) -> None:
    near = torch.full((1, 3, HEIGHT, WIDTH), 0.2)
    far = torch.full((1, 3, HEIGHT, WIDTH), 0.9)  # all of it lets both filters through
    for contrast, wanted in ((1.0, 0.9), (0.75, 0.8), (0.0, 0.5)):
        found = blend(near, far, SIGMA, method, contrast)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("method", RESPONSES)
def test_a_picture_with_itself_is_itself(method: str) -> None:
    np.testing.assert_allclose(blend(photo(0), photo(0), SIGMA, method, 1.0), photo(0), atol=1e-6)


def test_detail_takes_each_side_where_it_rules() -> None:
    found = detail(torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0]))
    np.testing.assert_allclose(found, [0, 0.04 / 0.68, 0.5, 0.64 / 0.68, 1], rtol=1e-6)
