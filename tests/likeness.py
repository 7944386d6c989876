"""How alike two pictures [H, W, 3] in 0..255 are, in NumPy, for tests."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def luma(pixels: np.ndarray, border: int) -> np.ndarray:
    """BT.601, as MATLAB's rgb2ycbcr: 16..235; less a border."""
    red, green, blue = np.moveaxis(pixels.astype(float), 2, 0)
    whole = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    height, width = whole.shape
    return whole[border : height - border, border : width - border]


def decibels(ours: np.ndarray, theirs: np.ndarray, border: int) -> float:
    off = luma(ours, border) - luma(theirs, border)
    return float(10 * np.log10(255**2 / np.mean(off**2)))


def similarity(ours: np.ndarray, theirs: np.ndarray, border: int) -> float:
    """SSIM as Wang et al. (2004) define it: window by window, from deviations off its mean."""
    squares = np.arange(-5, 6) ** 2
    share = np.exp(-(squares[:, None] + squares) / (2 * 1.5 * 1.5))
    share /= share.sum()

    def mean(windows: np.ndarray) -> np.ndarray:
        return np.einsum("yxij,ij->yx", windows, share)

    x, y = (sliding_window_view(luma(one, border), (11, 11)) for one in (ours, theirs))
    mean_x, mean_y = mean(x), mean(y)
    off_x, off_y = x - mean_x[..., None, None], y - mean_y[..., None, None]
    bright = (2 * mean_x * mean_y + 2.55**2) / (mean_x**2 + mean_y**2 + 2.55**2)
    both = (2 * mean(off_x * off_y) + 7.65**2) / (mean(off_x**2) + mean(off_y**2) + 7.65**2)
    return float((bright * both).mean())
