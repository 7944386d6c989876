"""The gradient of the objective: whole and in tiles, against autograd and finite differences."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn import features
from limner.nn.features import VGG
from limner.nn.tiles import cover
from limner.style import losses
from limner.style.losses import FeatureStatistics
from limner.style.method import METHODS
from limner.style.objective import (
    Objective,
    Region,
    feature_maps,
    masks_at_layers,
    style_statistics,
)

LAYERS = ("1_1", "2_1", "3_1")


@pytest.fixture(scope="module")
def network() -> VGG:
    torch.manual_seed(0)
    return VGG("compact").requires_grad_(False).double()


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    """Noise, smoother than white: [1, 3, H, W] in 0..1."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, height // 4 + 2, width // 4 + 2), generator=random).double()
    large = F.interpolate(coarse, (height, width), mode="bilinear")
    fine = torch.rand((1, 3, height, width), generator=random).double()
    return 0.7 * large + 0.3 * fine


def targets(network: VGG, layers: tuple[str, ...], seed: int) -> dict[str, FeatureStatistics]:
    with torch.no_grad():
        found = network(noise(40, 40, seed), layers)
    return {
        layer: losses.feature_statistics(x, torch.ones_like(x[:, :1])) for layer, x in found.items()
    }


def some_regions(network: VGG, height: int, width: int, layers: tuple[str, ...]) -> list[Region]:
    """Two soft masks that overlap, and a window of one of them with fewer layers."""
    ramp = torch.linspace(0, 1, width).double().expand(1, 1, height, width)
    masks = [ramp, (1.3 - ramp).clamp(0, 1)]
    found = [
        Region(targets(network, layers, 5 + i), masks_at_layers(mask, layers, 4), 0.3 + 0.4 * i)
        for i, mask in enumerate(masks)
    ]
    seen = {}
    for layer in layers[-2:]:
        full = found[0].masks[layer]
        seen[layer] = torch.zeros_like(full)
        seen[layer][..., : full.shape[-2] // 2, full.shape[-1] // 3 :] = 1.5
    return [*found, Region({layer: found[0].targets[layer] for layer in seen}, seen, 0.25)]


def make_objective(
    network: VGG,
    size: tuple[int, int],
    layers: tuple[str, ...] = LAYERS,
    content_layers: tuple[str, ...] = ("2_2", "3_2"),
    side: int = 10_000,
    margin: int | None = None,
    weights: tuple[float, float, float] = (0.7, 0.4, 3.0),
    **method: Any,
) -> Objective:
    deepest = max((*layers, *content_layers))
    tiles = cover(
        *size,
        side=side,
        margin=features.receptive_radius("compact", deepest) if margin is None else margin,
        multiple=2 ** (int(deepest[0]) - 1),
    )
    with torch.no_grad():
        content = network(noise(*size, 9).to(network.mean.dtype), content_layers)
    return Objective(
        network=network,
        tiles=tiles,
        method=replace(METHODS["network"], **method),
        content=content,
        style_weight=weights[0],
        content_weight=weights[1],
        tv_weight=weights[2],
    )


def reference_loss(objective: Objective, picture: Tensor, regions: list[Region]) -> Tensor:
    """The loss as in the papers, for autograd."""
    found = objective.network(picture, {*regions[0].targets, *objective.content})
    style = []
    for region in regions:
        for layer, target in region.targets.items():
            x, weight = found[layer][0].flatten(1), region.masks[layer].flatten()
            weight = weight / weight.sum()
            mean = x @ weight
            centered = x - mean[:, None]
            covariance = torch.einsum("ci,di,i->cd", centered, centered, weight)
            if objective.method.style_loss is losses.style_loss:
                part = ((mean - target.mean) ** 2).sum() / (target.mean**2).sum()
                difference = covariance - target.covariance
                part = part + (difference**2).sum() / (target.covariance**2).sum()
            else:
                gram = torch.einsum("ci,di,i->cd", x, x, weight)
                theirs = target.covariance + target.mean[:, None] * target.mean[None]
                part = ((gram - theirs) ** 2).mean() * 57.63**4
            style.append(region.weight * part / len(regions[0].targets))
    content = []
    for layer, wanted in objective.content.items():
        error = ((found[layer] - wanted) ** 2).mean()
        relative = np.var(wanted.numpy(), ddof=1) if objective.method.relative_content else 1.0
        content.append(error / relative)
    across = ((picture[..., 1:] - picture[..., :-1]) ** 2).mean()
    down = ((picture[..., 1:, :] - picture[..., :-1, :]) ** 2).mean()
    return (
        objective.style_weight * torch.stack(style).sum()
        + objective.content_weight * torch.stack(content).mean()
        + objective.tv_weight * (across + down)
    )


# --- whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("style_loss", [losses.style_loss, losses.gram_loss])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("size", [(32, 40), (37, 51)])
def test_loss_and_gradient_against_autograd(
    network: VGG,
    size: tuple[int, int],
    relative: bool,
    style_loss: Callable[[FeatureStatistics, FeatureStatistics], Tensor],
) -> None:
    objective = make_objective(network, size, style_loss=style_loss, relative_content=relative)
    regions = some_regions(network, *size, LAYERS)
    picture = noise(*size)
    value, gradient = objective.gradient(picture, regions)
    leaf = picture.clone().requires_grad_()
    wanted = reference_loss(objective, leaf, regions)
    (slope,) = torch.autograd.grad(wanted, leaf)
    assert gradient.shape == picture.shape and not gradient.requires_grad
    assert value == pytest.approx(wanted.item(), rel=1e-9)
    np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-9 * float(slope.abs().max()))


def test_gradient_by_finite_differences(network: VGG) -> None:
    size = (32, 36)
    objective, regions, picture = (
        make_objective(network, size),
        some_regions(network, *size, LAYERS),
        noise(*size),
    )
    _, gradient = objective.gradient(picture, regions)
    step = 1e-5
    for place in ((0, 0, 0, 0), (0, 1, 13, 20), (0, 2, 31, 35), (0, 0, 16, 7)):
        moved = torch.zeros_like(picture)
        moved[place] = step
        with torch.no_grad():
            higher = reference_loss(objective, picture + moved, regions).item()
            lower = reference_loss(objective, picture - moved, regions).item()
        slope = (higher - lower) / (2 * step)
        assert gradient[place].item() == pytest.approx(slope, rel=1e-3)


def test_the_loss_is_linear_in_the_weights_of_its_parts(network: VGG) -> None:
    """Each part alone, then all together."""
    size = (32, 32)
    regions, picture, whole = (
        some_regions(network, *size, LAYERS),
        noise(*size),
        make_objective(network, size),
    )
    total = 0.0
    for weights in ((0.7, 0.0, 0.0), (0.0, 0.4, 0.0), (0.0, 0.0, 3.0)):
        value, gradient = make_objective(network, size, weights=weights).gradient(picture, regions)
        assert value > 1e-3 and gradient.abs().max() > 0
        total += value
    assert whole.gradient(picture, regions)[0] == pytest.approx(total, rel=1e-9)


def test_a_caller_may_have_turned_gradients_off(network: VGG) -> None:
    size = (32, 32)
    objective, regions = make_objective(network, size), some_regions(network, *size, LAYERS)
    loss, gradient = objective.gradient(noise(*size), regions)
    with torch.no_grad():
        again, same = objective.gradient(noise(*size), regions)
    assert again == pytest.approx(loss)
    torch.testing.assert_close(same, gradient)


def test_the_content_loss_is_zero_at_the_content(network: VGG) -> None:
    size = (32, 32)
    alone = make_objective(network, size, weights=(0.0, 1.0, 0.0))
    regions = some_regions(network, *size, LAYERS)
    value, gradient = alone.gradient(noise(*size, 9), regions)
    assert value == pytest.approx(0, abs=1e-12) and gradient.abs().max() < 1e-12
    value, gradient = alone.gradient(noise(*size, 8), regions)
    assert value > 0.01 and gradient.abs().max() > 1e-6


# --- in tiles --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "layers", "content_layers", "side"),
    [
        ((61, 83), LAYERS, ("2_2",), 16),
        ((61, 83), LAYERS, ("1_2", "3_2"), 24),
        ((64, 64), LAYERS, ("3_1",), 32),
        ((40, 97), ("1_1", "3_3"), ("2_1",), 20),
        ((33, 301), ("1_1", "2_1", "3_1", "4_1", "5_1"), ("3_1", "4_2"), 48),
        ((250, 19), ("1_1", "4_1"), ("4_3",), 16),
    ],
)
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
def test_tiles_give_the_gradient_of_the_whole(
    network: VGG,
    size: tuple[int, int],
    layers: tuple[str, ...],
    content_layers: tuple[str, ...],
    side: int,
    precision: torch.dtype,
) -> None:
    if precision == torch.float32:
        torch.manual_seed(0)
        network = VGG("compact").requires_grad_(False)
    regions = [
        Region(
            {t: FeatureStatistics(m.mean.to(precision), m.covariance.to(precision))
             for t, m in region.targets.items()},
            {t: w.to(precision) for t, w in region.masks.items()},
            region.weight,
        )
        for region in some_regions(network.double(), *size, layers)
    ]  # fmt: skip
    network.to(precision)
    picture = noise(*size).to(precision)
    whole = make_objective(network, size, layers, content_layers)
    parts = make_objective(network, size, layers, content_layers, side)
    assert len(whole.tiles) == 1 and len(parts.tiles) > 2
    # some tile is not the whole picture, or the test would prove nothing
    assert min((t.outer[1] - t.outer[0]) * (t.outer[3] - t.outer[2]) for t in parts.tiles) < (
        size[0] * size[1]
    )
    value, gradient = whole.gradient(picture, regions)
    value_of_parts, gradient_of_parts = parts.gradient(picture, regions)
    close = 1e-9 if precision == torch.float64 else 1e-4
    assert value_of_parts == pytest.approx(value, rel=close)
    off = (gradient_of_parts - gradient).abs().max() / gradient.abs().max()
    assert off < close
    network.double()


def test_a_margin_that_is_too_small_changes_the_gradient(network: VGG) -> None:
    size = (61, 83)
    regions, picture = some_regions(network, *size, LAYERS), noise(*size)
    _, gradient = make_objective(network, size).gradient(picture, regions)
    _, of_parts = make_objective(network, size, side=24, margin=0).gradient(picture, regions)
    assert (of_parts - gradient).abs().max() / gradient.abs().max() > 1e-3


@pytest.mark.parametrize(("layer", "size", "side"), [("3_3", (61, 83), 20), ("5_1", (19, 301), 48)])
def test_features_in_tiles_are_those_of_the_whole(
    network: VGG, layer: str, size: tuple[int, int], side: int
) -> None:
    stride = 2 ** (int(layer[0]) - 1)
    margin = features.receptive_radius("compact", layer)
    picture = noise(*size)
    tiles = cover(*size, side=side, margin=margin, multiple=stride)
    assert len(tiles) > 2
    layers = ["1_2", layer]
    with torch.no_grad():
        whole = network(picture, layers)
    found = feature_maps(network, picture, layers, tiles)
    assert set(found) == set(layers)
    shape = (1, whole[layer].shape[1], size[0] // stride, size[1] // stride)
    assert found[layer].shape == shape
    for name, feature in whole.items():
        np.testing.assert_allclose(found[name], feature, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("size", "side"), [((61, 83), 1000), ((61, 83), 20), ((48, 45), 16)])
def test_style_statistics_against_numpy(network: VGG, size: tuple[int, int], side: int) -> None:
    margin = features.receptive_radius("compact", "3_1")
    tiles = cover(*size, side=side, margin=margin, multiple=4)
    picture, border = noise(*size), 8
    found = style_statistics(network, picture.float().double(), LAYERS, tiles, border)
    with torch.no_grad():
        whole = network(picture.float().double(), LAYERS)
    for layer, stride in (("1_1", 1), ("2_1", 2), ("3_1", 4)):
        edge = border // stride
        inside = whole[layer][0, :, edge:-edge, edge:-edge].flatten(1).numpy()
        np.testing.assert_allclose(found[layer].mean, inside.mean(1), rtol=1e-6)
        covariance = np.cov(inside, bias=True)
        close = 1e-6 * np.abs(covariance).max()
        np.testing.assert_allclose(found[layer].covariance, covariance, atol=close)


# --- masks ------------------------------------------------------------------------------------


def test_masks_are_averaged_to_the_grid_of_each_layer() -> None:
    mask = np.random.default_rng(0).uniform(0, 1, (37, 43))
    found = masks_at_layers(torch.tensor(mask)[None, None], ("1_1", "2_1", "4_2"), 0)
    assert list(found) == ["1_1", "2_1", "4_2"]
    for layer, stride in (("1_1", 1), ("2_1", 2), ("4_2", 8)):
        height, width = 37 // stride, 43 // stride
        blocks = mask[: height * stride, : width * stride].reshape(height, stride, width, stride)
        np.testing.assert_allclose(found[layer][0, 0], blocks.mean((1, 3)), rtol=1e-12)


def test_the_border_is_left_out_at_every_layer() -> None:
    found = masks_at_layers(torch.ones(1, 1, 160, 160), ("1_1", "3_1", "5_1"), 9)
    for layer, side, border in (("1_1", 160, 9), ("3_1", 40, 3), ("5_1", 10, 1)):  # rounded up
        wanted = np.zeros((side, side))
        wanted[border:-border, border:-border] = 1
        np.testing.assert_array_equal(found[layer][0, 0], wanted)


def test_a_mask_too_small_for_a_layer_is_pooled_on_the_cpu(
    without_float64: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MPS pools adaptively only if the sizes divide; here 95 rows become 5."""
    device = type(without_float64(torch.ones(1)))
    pool = F.adaptive_avg_pool2d

    def pooling(tensor: Tensor, size: tuple[int, int]) -> Tensor:
        assert not isinstance(tensor, device)
        return pool(tensor, size)

    monkeypatch.setattr(F, "adaptive_avg_pool2d", pooling)
    mask = torch.zeros(1, 1, 95, 95)
    mask[..., -4:, :] = 1
    found = masks_at_layers(without_float64(mask), ("5_1",), 8)["5_1"]
    assert found.shape == (1, 1, 5, 5)
    assert found[..., -1, :].min() > 0 == found[..., 0, :].max()
