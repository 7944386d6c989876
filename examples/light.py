"""Noise, light and color, which both example pictures need."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def noise_tile(rng: np.random.Generator, power: float, size: int = 1024) -> Array:
    """Return periodic Gaussian noise [size, size]: mean 0, deviation 1, amplitude ~ f^-power."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * frequency**-power
    tile: Array = np.fft.irfft2(spectrum, s=(size, size))
    tile /= tile.std()
    return tile


def sample(tile: Array, x: Array, y: Array) -> Array:
    """Read a periodic tile bilinearly at x, y; one period is 1."""
    size = len(tile)
    x, y = x * size, y * size
    left, top = np.floor(x), np.floor(y)
    fx, fy = x - left, y - top
    i, j = left.astype(np.int64) % size, top.astype(np.int64) % size
    i1, j1 = (i + 1) % size, (j + 1) % size
    upper = tile[j, i] * (1 - fx) + tile[j, i1] * fx
    lower = tile[j1, i] * (1 - fx) + tile[j1, i1] * fx
    result: Array = upper * (1 - fy) + lower * fy
    return result


def step(low: float, high: float, x: Array) -> Array:
    """Rise smoothly from 0 at low to 1 at high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Array, b: Array, t: Array) -> Array:
    """Blend colors a to b [..., 3] by a weight t [...]."""
    return a + (b - a) * t[..., None]


def to_srgb(linear: Array) -> Array:
    """Encode linear light 0..1 as sRGB 0..1 (IEC 61966-2-1)."""
    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def to_linear(srgb: Array) -> Array:
    """Decode sRGB 0..1 to linear light 0..1."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def rgb(*values: float) -> Array:
    """Return one color as an array."""
    return np.array(values)


def blur(picture: Array, radius: float) -> Array:
    """Blur [H, W, C] by a Gaussian with this radius in pixels; edge pixels are repeated."""
    pad = int(3 * radius) + 1
    wide = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    fy, fx = np.fft.fftfreq(wide.shape[0])[:, None], np.fft.rfftfreq(wide.shape[1])
    gauss = np.exp(-2 * (np.pi * radius) ** 2 * (fy**2 + fx**2))[..., None]
    soft = np.fft.irfft2(np.fft.rfft2(wide, axes=(0, 1)) * gauss, wide.shape[:2], (0, 1))
    result: Array = soft[pad:-pad, pad:-pad]
    return result
