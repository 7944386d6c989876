"""What it means to look like a painting, and still to show the photo.

A painting's style is taken as the first two moments of its features at each tap: mean and centred
covariance. The Gram matrix of Gatys, Ecker & Bethge (2016) mixes the two, and leaves contrast
undetermined (Risser, Wilmot & Barnes 2017). Each difference is divided by its own target's squared
norm, so that every tap weighs the same at every size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Mean [C] and centred covariance [C, C] of features over positions."""

    mean: Tensor
    covariance: Tensor


def sums(feature: Tensor, weight: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sums from which moments are made; sums of parts add up to the sums of the whole.

    Parameters
    ----------
    feature : Tensor
        [1, C, H, W].
    weight : Tensor
        [1, 1, H, W]; how much each position counts.
    centre : Tensor
        [C], taken off first: without it, the covariance of large means drowns in float32.

    Returns
    -------
    tuple of Tensor
        [C] and [C, C].
    """
    flat = feature[0].flatten(1) - centre[:, None]
    weighted = flat * weight.flatten()
    return weighted.sum(1), weighted @ flat.T


def moments(first: Tensor, second: Tensor, mass: Tensor | float, centre: Tensor) -> Moments:
    """Turn `sums` over positions of total weight ``mass`` into moments."""
    offset = first / mass
    return Moments(centre + offset, second / mass - torch.outer(offset, offset))


def of_picture(feature: Tensor, weight: Tensor) -> Moments:
    """Moments of one feature map [1, C, H, W] under weights [1, 1, H, W]."""
    centre = feature.mean((0, 2, 3))
    return moments(*sums(feature, weight, centre), weight.sum(), centre)


def blend(parts: Sequence[Moments], shares: Sequence[float]) -> Moments:
    """Moments between several paintings': the weighted mean of each moment."""
    portions = torch.tensor(shares).to(parts[0].mean) / sum(shares)
    return Moments(
        torch.einsum("k,kc->c", portions, torch.stack([part.mean for part in parts])),
        torch.einsum("k,kcd->cd", portions, torch.stack([part.covariance for part in parts])),
    )


def style_loss(ours: Moments, target: Moments) -> Tensor:
    """Squared distance of mean and of covariance, each relative to the target's own size."""
    size = target.mean.square().sum().clamp(min=1e-12)
    mean = (ours.mean - target.mean).square().sum() / size
    covariance = (ours.covariance - target.covariance).square().sum()
    # a painting of one colour has no covariance: it is then measured against the mean's size
    spread = target.covariance.square().sum()
    return mean + covariance / torch.maximum(spread, (0.01 * size).square())


# Keras's VGG sees 0..255 and torchvision's 0..1 over a deviation of 0.226: features of the latter
# times this are in the range of the former's, for which the article's weights were chosen.
KERAS_RANGE = 255 * 0.226


def gram_loss(ours: Moments, target: Moments) -> Tensor:
    """Mean squared difference of Gram matrices, as Gatys, Ecker & Bethge (2016), section 2.2.

    A Gram matrix divided by the number of positions is the covariance about zero.
    """
    difference = _gram(ours) - _gram(target)
    return difference.square().mean() * KERAS_RANGE**4


def _gram(of: Moments) -> Tensor:
    return of.covariance + torch.outer(of.mean, of.mean)


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, of [N, C, H, W]; a scalar."""
    across = (picture[..., 1:] - picture[..., :-1]).square().mean()
    down = (picture[..., 1:, :] - picture[..., :-1, :]).square().mean()
    return across + down


def border_weight(height: int, width: int, ring: int) -> Tensor:
    """Ones [1, 1, H, W] with ``ring`` positions of zeros around, or fewer where they would meet.

    A global statistic is cheapest to satisfy by a few extreme places, above all at padded borders:
    left in, the border collects coloured fringes.
    """
    ring = min(ring, (min(height, width) - 1) // 4)
    return F.pad(torch.ones(1, 1, height - 2 * ring, width - 2 * ring), (ring,) * 4)
