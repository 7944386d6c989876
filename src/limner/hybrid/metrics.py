"""Measure a hybrid, find the best cut-off, and compute the viewing distances.

The cut-off is the sigma of the Gaussian that separates fine from coarse. Here it is in pixels of a
picture whose longest side has ``SIDE`` pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from limner.errors import OptionError
from limner.hybrid.blend import RESPONSES
from limner.hybrid.spectrum import gaussian_blur, low_pass
from limner.nn import images
from limner.units import as_typed

SIDE = 512  # longest side, in pixels, at which hybrids are measured
THUMBNAIL = 64  # longest side, in pixels, of a picture seen from far away
DETAIL_SIGMA = 3.0  # pixels at `SIDE`: what this blur removes counts as seen from near

# Candidates of the search
SIGMAS = (2.0, 2.4, 2.8, 3.4, 4.0, 4.8, 5.7, 6.7, 8.0)
CONTRASTS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)

# What a good hybrid reaches; see `Scores`
MIN_NEAR, MIN_FAR, MIN_SIMILARITY = 0.85, 0.95, 0.85
MAX_LEAK = 0.05  # above the floor
MAX_CLIPPED = 0.005  # share of the values

_WINDOW = 16  # side of the windows of `lowest_similarity`, in pixels of a thumbnail
_C2 = 2e-3  # the constant of SSIM: about twice the variance of a contrast of 3%

_HALF_GAIN = 0.187  # cycles per pixel at which the gain of a Gaussian with sigma 1 is 0.5
_ACUITY = 15.0  # cycles per degree that the eye resolves without effort
_DEGREES = 57.3  # per radian
_FAR_TO_NEAR = 3.0  # the near photo is well visible up to the far distance divided by this


@dataclass(frozen=True)
class Scores:
    """How a hybrid compares with its two photos. Correlations are Pearson's; 1 is a perfect match.

    Attributes
    ----------
    near : float
        Correlation of the detail of the hybrid and of the near photo.
    far : float
        Correlation of the thumbnails of the hybrid and of the far photo.
    leak : float
        Correlation of the thumbnails of the hybrid and of the near photo: how much of the near
        photo is left at a distance.
    floor : float
        Correlation of the thumbnails of the far and of the near photo. The leak can hardly be
        lower.
    worst : float
        Lowest local similarity of the thumbnails of the hybrid and of the far photo. A shape of the
        near photo in an empty sky of the far one lowers it, and no correlation of whole pictures.
    """

    near: float
    far: float
    leak: float
    floor: float
    worst: float

    @property
    def shortfall(self) -> float:
        """By how much the far photo fails to dominate from far away. At most 0 if it does."""
        return max(
            MIN_FAR - self.far, self.leak - self.floor - MAX_LEAK, MIN_SIMILARITY - self.worst
        )


def shrink(picture: Tensor, longest: int = SIDE) -> Tensor:
    """Shrink a picture [1, C, H, W] so that its longest side is at most `longest`."""
    size = images.size_of(picture)
    return picture if max(size) <= longest else images.resize(picture, images.fit(*size, longest))


def fine_detail(picture: Tensor) -> Tensor:
    """Return the part of a picture [1, C, H, W] that counts as seen from near."""
    return picture - gaussian_blur(picture, DETAIL_SIGMA * max(images.size_of(picture)) / SIDE)


def score(hybrid: Tensor, near: Tensor, far: Tensor) -> Scores:
    """Compare a hybrid with its photos: all [1, 3, H, W], sRGB in 0..1, of the same size.

    The far photo must have the contrast that it has in the hybrid.
    """
    hybrid, near, far = shrink(hybrid), shrink(near), shrink(far)
    thumbnail, near_thumbnail, far_thumbnail = (
        shrink(picture, THUMBNAIL) for picture in (hybrid, near, far)
    )
    return Scores(
        near=correlation(fine_detail(hybrid), fine_detail(near)),
        far=correlation(thumbnail, far_thumbnail),
        leak=correlation(thumbnail, near_thumbnail),
        floor=correlation(far_thumbnail, near_thumbnail),
        worst=lowest_similarity(thumbnail, far_thumbnail),
    )


def correlation(first: Tensor, second: Tensor) -> float:
    """Return Pearson's correlation of two tensors of one shape; 0 if one of them is constant."""
    first, second = first - first.mean(), second - second.mean()
    norms = (first.norm() * second.norm()).item()
    return (first * second).sum().item() / norms if norms > 1e-6 else 0.0


def lowest_similarity(first: Tensor, second: Tensor) -> float:
    """Return the similarity of two pictures [1, 3, H, W] in the window where they differ most.

    The contrast and structure terms of SSIM (Wang et al. 2004, equation 13 without the luminance
    term), of luma, over overlapping windows. 1 is a perfect match.
    """
    side = min(_WINDOW, *images.size_of(first))
    windows = []
    for picture in (first, second):
        gray = images.luma(picture)
        # Windows may not reach the last rows and columns. Those of the picture turned by 180
        # degrees do.
        turned = torch.cat((gray, gray.flip((-2, -1))))
        windows.append(turned.unfold(2, side, side // 2).unfold(3, side, side // 2))
    one, other = (window - window.mean((-1, -2), keepdim=True) for window in windows)
    covariance = (one * other).mean((-1, -2))
    variances = (one.square() + other.square()).mean((-1, -2))
    return ((2 * covariance + _C2) / (variances + _C2)).min().item()


def clipped_share(picture: Tensor) -> float:
    """Return the share of values outside 0..1."""
    return ((picture < 0) | (picture > 1)).float().mean().item()


def search_cutoff(
    near: Tensor, far: Tensor, method: str, sigma: float | None, contrast: float | None
) -> tuple[float, float]:
    """Find the cut-off, and the contrast of the far photo.

    Each cut-off gets the highest contrast that hardly clips. Among the cut-offs with which the far
    photo dominates from far away, the one that keeps most detail of the near photo wins.

    Parameters
    ----------
    near, far : Tensor
        [1, 3, H, W], sRGB in 0..1, of the same size.
    method : str
        A key of ``RESPONSES``.
    sigma, contrast : float or None
        Given values. None: searched for.

    Returns
    -------
    tuple of float
        Sigma in pixels at ``SIDE``, and contrast.
    """
    near, far = shrink(near), shrink(far)
    pixels = max(images.size_of(near)) / SIDE
    found = []
    for candidate in reversed(SIGMAS) if sigma is None else (sigma,):
        both = torch.cat((near, far - 0.5))
        low_near, low_far = low_pass(both, candidate * pixels, RESPONSES[method]).chunk(2)
        detail = near - low_near + 0.5
        for level in CONTRASTS if contrast is None else (contrast,):
            hybrid = detail + level * low_far
            if clipped_share(hybrid) <= MAX_CLIPPED:
                break
        scores = score(hybrid.clamp(0, 1), near, 0.5 + level * (far - 0.5))
        found.append((scores.shortfall, candidate, level))
        if scores.shortfall <= 0:  # smaller cut-offs would only lose detail of the near photo
            break
    return min(found)[1:]


# --- viewing distances ----------------------------------------------------------------------


def far_distance(sigma: float, width: float) -> float:
    """Return from how far the detail of the near photo is no longer visible, in picture widths.

    Parameters
    ----------
    sigma : float
        The cut-off in pixels at ``SIDE``.
    width : float
        Width of the picture as a share of its longest side.
    """
    return _DEGREES * _ACUITY / (_HALF_GAIN * SIDE * width / sigma)


def near_distance(sigma: float, width: float) -> float:
    """Return up to which distance the near photo is well visible, in picture widths."""
    return far_distance(sigma, width) / _FAR_TO_NEAR


def sigma_for_distances(near: float, far: float, print_width: float, width: float) -> float:
    """Return the cut-off with which a print shows the near and the far photo at these distances.

    Parameters
    ----------
    near, far, print_width : float
        The two distances and the width of the print, in meters.
    width : float
        Width of the picture as a share of its longest side.

    Raises
    ------
    OptionError
        No cut-off suits these distances.
    """
    if near > 1.005 * far / _FAR_TO_NEAR:  # the limit in the message is rounded
        raise OptionError(
            f"--near {as_typed(near)}: must be at most a third of --far, "
            f"{as_typed(far / _FAR_TO_NEAR)} here; change one of them"
        )
    sigma = far / print_width / far_distance(1.0, width)
    if not 0.99 <= sigma <= 16.16:  # the limits in the message are rounded
        lowest, highest = (far_distance(limit, width) * print_width for limit in (1.0, 16.0))
        raise OptionError(
            f"--far {as_typed(far)}: must be from {as_typed(lowest)} to {as_typed(highest)} for a "
            f"print of {as_typed(print_width)}; change it, or --print-width"
        )
    return sigma
