"""Grain and soft edges of a picture: measured, so that lines are drawn of neither too little."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images
from limner.nn.images import gaussian_blur

_MOST_GRAIN = 8 / 255  # standard deviation; more is texture
_LEAST_GRAIN = 2 / 255  # less leaves no marks
_MIDDLE = 0.7  # of the slope of the steepest edges: beside its middle, an edge is less steep
_FAINT = 0.002  # slope per pixel below which nothing is an edge
_WIDEST = 0.02  # of the longest side: a wider edge is a shade


def grain_of(luma: Tensor) -> float:
    """Return the standard deviation of the grain of a picture [1, 1, H, W].

    Of the second differences (Immerkær 1996) the median, so that edges do not count.
    """
    if min(images.size_of(luma)) < 3:
        return 0.0
    mask = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]], device=luma.device)
    differences = F.conv2d(luma, mask[None, None]).abs()
    inside = luma[..., 1:-1, 1:-1]
    differences = differences[(inside > 0.03) & (inside < 0.97)]  # clipped pixels have no grain
    return float(differences.median()) / (0.6745 * 6) if differences.numel() else 0.0


def without_grain(rgb: Tensor, step: int = 1) -> Tensor:
    """Smooth a picture [1, 3, H, W] where it varies no more than its grain (Lee 1980).

    ``step`` is the size of the grain in pixels: that of an enlarged picture is coarse.
    """
    luma = images.luma(rgb)
    grain = min(grain_of(luma[..., ::step, ::step]), _MOST_GRAIN)
    if grain < _LEAST_GRAIN / step:
        return rgb
    reach = 2 * step
    mean, square = (_local_mean(part, reach) for part in (luma, luma.square()))
    variance = (square - mean.square()).clamp(min=1e-8)
    # of so few pixels, the variance of grain alone is up to 2.5 times its true value
    share = (1 - 2.5 * grain**2 / variance).clamp(0, 1)
    return torch.lerp(_local_mean(rgb, reach), rgb, share)


def _local_mean(picture: Tensor, reach: int) -> Tensor:
    padded = F.pad(picture, (reach,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * reach + 1, stride=1)


def edge_width(luma: Tensor) -> float:
    """Return the standard deviation, in pixels, of the blur of the steepest edges [1, 1, H, W].

    An edge loses the more of its slope in a known blur the sharper it is (Zhuo & Sim 2011). 0 if
    there are no edges.
    """
    longest = images.page_side(*images.size_of(luma))
    known = max(1.0, longest / 512)
    before, after = (_slope(one) for one in (luma, gaussian_blur(luma, known)))
    steep = before >= max(_FAINT, _MIDDLE * float(_quantile(before, 0.999)))
    if not steep.any():
        return 0.0
    ratio = _quantile(before[steep] / after[steep].clamp(min=1e-6), 0.5).clamp(min=1 + 1e-6)
    return min(float(known / (ratio**2 - 1).sqrt()), _WIDEST * longest)


def _slope(luma: Tensor) -> Tensor:
    across, down = (F.pad(luma, edge, mode="replicate") for edge in ((1, 1, 0, 0), (0, 0, 1, 1)))
    return torch.hypot(
        (across[..., 2:] - across[..., :-2]) / 2, (down[..., 2:, :] - down[..., :-2, :]) / 2
    )


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return a quantile; of many values, some are enough."""
    flat = values.flatten()
    return flat[:: 1 + flat.numel() // 1_000_000].quantile(share)
