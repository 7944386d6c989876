"""Filters by the cosine transform, compared with convolutions and NumPy's Fourier transform."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.hybrid.spectrum import dct_basis, gaussian_blur, low_pass

SIZES = [(17, 24), (24, 17), (16, 16), (9, 40), (1, 12)]


def noise(height: int, width: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).uniform(0, 1, (2, 3, height, width))
    return torch.tensor(values, dtype=torch.float32)


def convolved(picture: np.ndarray, sigma: float) -> np.ndarray:
    """By a Gaussian of eight sigmas to each side, the picture mirrored as often as it takes."""
    reach = math.ceil(8 * sigma)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    for axis in (2, 3):
        padding = [(reach, reach) if one == axis else (0, 0) for one in range(4)]
        padded = np.pad(picture.astype(float), padding, mode="symmetric")
        picture = np.apply_along_axis(np.convolve, axis, padded, kernel, "valid")
    return picture


def transformed(picture: np.ndarray, sigma: float, response) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Filtered as one period of a mirrored plane, by its Fourier transform."""
    height, width = picture.shape[2:]
    whole = np.concatenate((picture, picture[:, :, ::-1]), 2)
    whole = np.concatenate((whole, whole[..., ::-1]), 3)
    down, right = (2 * np.pi * np.fft.fftfreq(2 * n) for n in (height, width))
    gaussian = np.exp(-(down[:, None] ** 2 + right**2) * sigma**2 / 2)
    return np.fft.ifft2(np.fft.fft2(whole) * response(gaussian)).real[:, :, :height, :width]


@pytest.mark.parametrize(("length", "count"), [(1, 1), (2, 2), (9, 9), (16, 5), (301, 301)])
def test_cosines_are_orthonormal(length: int, count: int) -> None:
    found = dct_basis(length, count).double().numpy()
    assert found.shape == (count, length)
    np.testing.assert_allclose(found @ found.T, np.eye(count), atol=1e-6)


def test_each_cosine_is_one_frequency_once_mirrored() -> None:
    found = dct_basis(15, 15).double().numpy()
    power = np.abs(np.fft.rfft(np.concatenate((found, found[:, ::-1]), 1))) ** 2
    share = power[:, :15] / power.sum(1, keepdims=True)
    np.testing.assert_allclose(share, np.eye(15), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [1.5, 3.0, 7.3, 40.0])  # below 1.5 a sampled Gaussian is none
def test_blur_is_a_convolution_of_the_mirrored_picture(size: tuple[int, int], sigma: float) -> None:
    picture = noise(*size)
    wanted = convolved(picture.numpy(), sigma)
    np.testing.assert_allclose(gaussian_blur(picture, sigma), wanted, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.3, 0.8, 2.0, 11.0])
def test_low_pass_applies_the_response(size: tuple[int, int], sigma: float) -> None:
    def response(gaussian):  # type: ignore[no-untyped-def]
        return gaussian**3 - 0.4 * gaussian

    picture = noise(*size)
    wanted = transformed(picture.numpy(), sigma, response)
    np.testing.assert_allclose(low_pass(picture, sigma, response), wanted, atol=1e-4)


@pytest.mark.parametrize(("order", "sigma"), [(1, 10.0), (3, 2.5), (7, 1.0), (12, 0.5)])
def test_a_cosine_loses_what_the_gaussian_says(order: int, sigma: float) -> None:
    wave = np.cos(np.pi / 30 * order * (np.arange(30) + 0.5))
    kept = math.exp(-((math.pi * order * sigma / 30) ** 2) / 2)
    across = torch.tensor(np.tile(wave, (1, 1, 20, 1)), dtype=torch.float32)
    for picture in (across, across.mT):
        np.testing.assert_allclose(gaussian_blur(picture, sigma), kept * picture, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.2, 1.0, 5.0, 300.0])
def test_a_constant_picture_stays_so(sigma: float) -> None:
    picture = torch.full((1, 3, 33, 50), 0.37)
    np.testing.assert_allclose(gaussian_blur(picture, sigma), 0.37, atol=1e-5)


def test_the_widest_blur_leaves_the_mean_of_each_channel() -> None:
    picture = noise(31, 20)
    wanted = np.broadcast_to(picture.numpy().mean((2, 3), keepdims=True), picture.shape)
    np.testing.assert_allclose(gaussian_blur(picture, 1e4), wanted, atol=1e-5)


def test_filters_need_no_float64_on_the_device(
    without_float64: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    dct_basis.cache_clear()
    picture = noise(24, 31)
    found = gaussian_blur(without_float64(picture), 2.0)
    np.testing.assert_allclose(found, gaussian_blur(picture, 2.0), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.5, 20), st.floats(-3, 3), st.floats(-3, 3))
def test_a_blur_is_linear(sigma: float, one: float, other: float) -> None:
    a, b = noise(13, 22), noise(13, 22, seed=1)
    wanted = one * gaussian_blur(a, sigma).numpy() + other * gaussian_blur(b, sigma).numpy()
    np.testing.assert_allclose(gaussian_blur(one * a + other * b, sigma), wanted, atol=1e-5)
