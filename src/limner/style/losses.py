"""Style loss and total variation.

The style of a painting is described by the mean and the covariance of its features at each style
layer. The Gram matrix of Gatys, Ecker & Bethge (2016) mixes the two, which leaves the contrast
undetermined (Risser, Wilmot & Barnes 2017). Each squared difference is divided by the squared norm
of its target, so that every layer has the same weight at every size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class FeatureStatistics:
    """Mean [C] and covariance [C, C] of features over positions."""

    mean: Tensor
    covariance: Tensor


def weighted_sums(feature: Tensor, mask: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and second order sums from which `statistics_from_sums` is computed.

    The sums of the parts of a picture add up to the sums of the whole picture.

    Parameters
    ----------
    feature : Tensor
        [1, C, H, W].
    mask : Tensor
        [1, 1, H, W], the weight of each position.
    center : Tensor
        [C], subtracted first. Without it, large means would cost the covariance its precision in
        float32.

    Returns
    -------
    tuple of Tensor
        [C] and [C, C].
    """
    flat = feature[0].flatten(1) - center[:, None]
    weighted = flat * mask.flatten()
    return weighted.sum(1), weighted @ flat.T


def statistics_from_sums(
    first: Tensor, second: Tensor, total_weight: Tensor | float, center: Tensor
) -> FeatureStatistics:
    """Compute mean [C] and covariance [C, C] from `weighted_sums` around the same center [C]."""
    offset = first / total_weight
    return FeatureStatistics(center + offset, second / total_weight - torch.outer(offset, offset))


def feature_statistics(feature: Tensor, mask: Tensor) -> FeatureStatistics:
    """Compute mean and covariance of a feature map [1, C, H, W] under a mask [1, 1, H, W]."""
    center = feature.mean((0, 2, 3))
    return statistics_from_sums(*weighted_sums(feature, mask, center), mask.sum(), center)


def blend(parts: Sequence[FeatureStatistics], weights: Sequence[float]) -> FeatureStatistics:
    """Return the weighted average of the statistics of several paintings."""
    normalized = torch.tensor(weights).to(parts[0].mean) / sum(weights)
    return FeatureStatistics(
        torch.einsum("k,kc->c", normalized, torch.stack([part.mean for part in parts])),
        torch.einsum("k,kcd->cd", normalized, torch.stack([part.covariance for part in parts])),
    )


def style_loss(ours: FeatureStatistics, target: FeatureStatistics) -> Tensor:
    """Return the squared differences of mean and covariance, each relative to its target."""
    mean_norm = target.mean.square().sum().clamp(min=1e-12)
    mean = (ours.mean - target.mean).square().sum() / mean_norm
    covariance = (ours.covariance - target.covariance).square().sum()
    # the covariance of a painting of one color is 0: then it is relative to the mean
    covariance_norm = target.covariance.square().sum()
    return mean + covariance / torch.maximum(covariance_norm, (0.01 * mean_norm).square())


# The VGG-19 of the tutorial (see `limner.style.method`) is that of Keras, which takes 0..255.
# torchvision's takes 0..1 divided by a deviation of 0.226. Its features times this number have the
# range for which the tutorial chose its weights.
KERAS_RANGE = 255 * 0.226


def gram_loss(ours: FeatureStatistics, target: FeatureStatistics) -> Tensor:
    """Return the mean squared difference of Gram matrices: Gatys, Ecker & Bethge (2016), 2.2."""
    difference = _gram_matrix(ours) - _gram_matrix(target)
    return difference.square().mean() * KERAS_RANGE**4


def _gram_matrix(statistics: FeatureStatistics) -> Tensor:
    """Return the Gram matrix divided by the number of positions: the covariance around zero."""
    return statistics.covariance + torch.outer(statistics.mean, statistics.mean)


def total_variation(picture: Tensor) -> Tensor:
    """Return the mean squared difference of neighboring pixels of [N, C, H, W], a scalar."""
    horizontal = (picture[..., 1:] - picture[..., :-1]).square().mean()
    vertical = (picture[..., 1:, :] - picture[..., :-1, :]).square().mean()
    return horizontal + vertical


def border_mask(height: int, width: int, border: int) -> Tensor:
    """Return ones [1, 1, H, W] with zeros in a border, which is narrower in small pictures.

    The cheapest way to satisfy a global statistic is a few extreme features, above all at the
    padded border. If the border counted, it would collect colored fringes.
    """
    border = min(border, (min(height, width) - 1) // 4)
    return F.pad(torch.ones(1, 1, height - 2 * border, width - 2 * border), (border,) * 4)
