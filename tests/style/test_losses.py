"""Feature statistics, style losses and total variation, against NumPy and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.style import losses
from limner.style.losses import FeatureStatistics

RANDOM = np.random.default_rng


def field(channels: int = 5, height: int = 6, width: int = 7, seed: int = 0) -> torch.Tensor:
    values = RANDOM(seed).normal(2, 1, (1, channels, height, width))
    return torch.tensor(values * np.arange(1, channels + 1)[:, None, None])


def area(height: int = 6, width: int = 7, seed: int = 1) -> torch.Tensor:
    return torch.tensor(RANDOM(seed).uniform(0, 1, (1, 1, height, width)))


def some_statistics(seed: int, channels: int = 4) -> FeatureStatistics:
    random = RANDOM(seed)
    root = random.normal(0, 1, (channels, channels))
    return FeatureStatistics(
        torch.tensor(random.normal(1, 1, channels)), torch.tensor(root @ root.T)
    )


def numerical(function, x: torch.Tensor, step: float = 1e-5) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Gradient of a scalar function by central differences."""
    found = np.zeros(x.numel())
    for place in range(x.numel()):
        moved = torch.zeros(x.numel(), dtype=x.dtype)
        moved[place] = step
        moved = moved.view_as(x)
        found[place] = (function(x + moved) - function(x - moved)).item() / (2 * step)
    return found.reshape(x.shape)


def exact(function, x: torch.Tensor) -> np.ndarray:  # type: ignore[no-untyped-def]
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(leaf), leaf)
    return slope.numpy()


# --- statistics ---------------------------------------------------------------------------------


def test_statistics_are_the_weighted_mean_and_covariance() -> None:
    feature, weight = field(), area()
    found = losses.feature_statistics(feature, weight)
    flat, weights = feature[0].flatten(1).numpy(), weight.flatten().numpy()
    np.testing.assert_allclose(found.mean, np.average(flat, axis=1, weights=weights), rtol=1e-12)
    covariance = np.cov(flat, aweights=weights, bias=True)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9, atol=1e-12)


def test_with_a_uniform_mask_they_are_the_plain_mean_and_covariance() -> None:
    feature = field()
    found = losses.feature_statistics(feature, torch.full((1, 1, 6, 7), 0.3, dtype=torch.float64))
    flat = feature[0].flatten(1).numpy()
    np.testing.assert_allclose(found.mean, flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(flat, bias=True), rtol=1e-9)


def test_a_mask_of_zero_leaves_a_position_out() -> None:
    feature, weight = field(), torch.ones((1, 1, 6, 7), dtype=torch.float64)
    weight[..., 2:, :] = 0
    found = losses.feature_statistics(feature, weight)
    flat = feature[0, :, :2].flatten(1).numpy()
    np.testing.assert_allclose(found.mean, flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(flat, bias=True), rtol=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 999))
def test_sums_of_parts_add_up_to_the_whole(row: int, column: int, seed: int) -> None:
    feature, weight = field(seed=seed), area(seed=seed + 1)
    center = torch.tensor(RANDOM(seed).normal(0, 3, 5))
    parts = [
        losses.weighted_sums(feature[..., rows, columns], weight[..., rows, columns], center)
        for rows in (slice(row), slice(row, None))
        for columns in (slice(column), slice(column, None))
    ]
    flat = feature[0].flatten(1).numpy() - center.numpy()[:, None]
    weights = weight.flatten().numpy()
    np.testing.assert_allclose(sum(a for a, _ in parts), flat @ weights, rtol=1e-9, atol=1e-9)
    second = np.einsum("ci,di,i->cd", flat, flat, weights)
    np.testing.assert_allclose(sum(b for _, b in parts), second, rtol=1e-9, atol=1e-9)
    # and the statistics do not depend on the center
    found = losses.statistics_from_sums(
        sum(a for a, _ in parts), sum(b for _, b in parts), weight.sum(), center
    )
    covariance = np.cov(feature[0].flatten(1).numpy(), aweights=weights, bias=True)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-7, atol=1e-7)


def test_large_means_do_not_cost_the_covariance_its_precision() -> None:
    values = RANDOM(0).normal(0, 1, (1, 3, 40, 40)) + 1000
    feature = torch.tensor(values, dtype=torch.float32)
    found = losses.feature_statistics(feature, torch.ones(1, 1, 40, 40)).covariance
    flat = feature[0].flatten(1).double().numpy()
    np.testing.assert_allclose(found, np.cov(flat, bias=True), atol=0.01)


def test_a_blend_is_the_weighted_average_of_statistics() -> None:
    parts = [some_statistics(seed) for seed in range(3)]
    found = losses.blend(parts, [1.0, 2.0, 5.0])
    for name in ("mean", "covariance"):
        values = [getattr(part, name).numpy() for part in parts]
        wanted = np.average(values, axis=0, weights=[1, 2, 5])
        np.testing.assert_allclose(getattr(found, name), wanted, rtol=1e-6)
    alone = losses.blend([parts[0]], [0.3])
    np.testing.assert_allclose(alone.mean, parts[0].mean, rtol=1e-6)


# --- losses ----------------------------------------------------------------------------------


def test_style_loss_is_relative_to_its_target() -> None:
    ours, target = some_statistics(0), some_statistics(1)
    wanted = 0.0
    for name in ("mean", "covariance"):
        one, other = (getattr(statistics, name).numpy() for statistics in (ours, target))
        wanted += np.square(one - other).sum() / np.square(other).sum()
    assert losses.style_loss(ours, target).item() == pytest.approx(wanted, rel=1e-9)
    assert losses.style_loss(target, target).item() == 0
    # twice the target: mean and covariance each differ by the target itself
    double = FeatureStatistics(2 * target.mean, 2 * target.covariance)
    assert losses.style_loss(double, target).item() == pytest.approx(2, rel=1e-9)


def test_style_loss_does_not_depend_on_the_range_of_the_features() -> None:
    ours, target = some_statistics(0), some_statistics(1)
    larger = [FeatureStatistics(9 * m.mean, 81 * m.covariance) for m in (ours, target)]
    at_first, then = losses.style_loss(ours, target), losses.style_loss(*larger)
    assert then.item() == pytest.approx(at_first.item(), rel=1e-9)


def test_gram_loss_is_computed_as_from_the_features() -> None:
    """Gatys, Ecker & Bethge (2016), equations 3 and 4, divided by positions as in the tutorial."""
    grams, statistics = [], []
    for feature in (field(seed=0), field(seed=2, height=5, width=9)):
        flat = feature[0].flatten(1).numpy()
        grams.append(flat @ flat.T / flat.shape[1])
        weight = torch.ones_like(feature[:, :1])
        statistics.append(losses.feature_statistics(feature, weight))
    # as of a network that takes 0..255, not 0..1 divided by ImageNet's deviation of 0.226
    wanted = np.square((255 * 0.226) ** 2 * (grams[0] - grams[1])).mean()
    assert losses.gram_loss(*statistics).item() == pytest.approx(float(wanted), rel=1e-9)
    assert losses.gram_loss(statistics[0], statistics[0]).item() == 0


def test_total_variation() -> None:
    picture = RANDOM(0).uniform(0, 1, (2, 3, 5, 7))
    across, down = np.diff(picture, axis=3), np.diff(picture, axis=2)
    wanted = np.square(across).mean() + np.square(down).mean()
    assert losses.total_variation(torch.tensor(picture)).item() == pytest.approx(wanted, rel=1e-12)
    assert losses.total_variation(torch.full((1, 3, 4, 4), 0.3)).item() == 0
    ramp = torch.arange(5.0).expand(1, 1, 4, 5)  # 1 from pixel to pixel across, 0 down
    assert losses.total_variation(ramp).item() == 1


@pytest.mark.parametrize(
    ("height", "width", "border", "left"),
    [(10, 12, 2, 2), (10, 12, 0, 0), (10, 12, 5, 2), (9, 40, 8, 2), (4, 4, 3, 0), (1, 1, 1, 0)],
)
def test_border_mask(height: int, width: int, border: int, left: int) -> None:
    wanted = np.zeros((1, 1, height, width), np.float32)
    wanted[..., left : height - left, left : width - left] = 1
    found = losses.border_mask(height, width, border)
    assert found.shape == (1, 1, height, width)
    np.testing.assert_array_equal(found, wanted)
    assert found.sum() >= height * width / 4  # half of each side always counts


# --- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [losses.style_loss, losses.gram_loss])
def test_gradients_of_style_by_finite_differences(loss) -> None:  # type: ignore[no-untyped-def]
    feature, weight, target = field(4, 3, 3), area(3, 3), some_statistics(0)

    def value(x: torch.Tensor) -> torch.Tensor:
        return loss(losses.feature_statistics(x, weight), target)

    slopes = numerical(value, feature)
    np.testing.assert_allclose(
        exact(value, feature), slopes, rtol=1e-5, atol=1e-7 * abs(slopes).max()
    )


def test_gradient_of_total_variation_by_finite_differences() -> None:
    picture = torch.tensor(RANDOM(0).uniform(0, 1, (1, 3, 4, 5)))
    slopes = numerical(losses.total_variation, picture)
    np.testing.assert_allclose(exact(losses.total_variation, picture), slopes, rtol=1e-6, atol=1e-9)
