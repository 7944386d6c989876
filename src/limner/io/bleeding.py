"""Give transparent pixels the colors around them, so that filters do not mix hidden ones in."""

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import images


def bleed(rgb: Tensor, alpha: Tensor) -> Tensor:
    """Replace the colors of fully transparent pixels by those of visible pixels near them.

    Programs often leave black there. Enlarging, blurring and convolutions would make dark edges of
    it. The holes are filled from means over 2×2, 4×4, … pixels that count only what is visible.

    Parameters
    ----------
    rgb : Tensor
        [1, 3, H, W].
    alpha : Tensor
        [1, 1, H, W] in 0..1.

    Returns
    -------
    Tensor
        [1, 3, H, W]; visible pixels keep their colors, and so does a picture without any.
    """
    is_visible = alpha > 0
    if is_visible.all() or not is_visible.any():
        return rgb
    return torch.where(is_visible, rgb, _filled(rgb * alpha, alpha).clamp(0, 1))


def _filled(color: Tensor, weight: Tensor) -> Tensor:
    """Divide sums of colors by their weights; where those are 0, use larger and larger means."""
    own = color / weight.masked_fill(weight == 0, 1)
    size = images.size_of(color)
    if max(size) == 1 or bool((weight > 0).all()):
        return own
    halves = (F.avg_pool2d(part, 2, ceil_mode=True) for part in (color, weight))
    coarse = F.interpolate(_filled(*halves), size, mode="bilinear")
    return torch.where(weight > 0, own, coarse)
