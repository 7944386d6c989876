"""One gradient, three ways: in one piece, in tiles, and written down plainly for autograd."""

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
from limner.style import losses, objective
from limner.style.losses import Moments
from limner.style.method import METHODS
from limner.style.objective import Objective, Region

TAPS = ("1_1", "2_1", "3_1")


@pytest.fixture(scope="module")
def network() -> VGG:
    torch.manual_seed(0)
    return VGG("compact").requires_grad_(False).double()


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth noise, as pictures are: [1, 3, H, W] in 0..1."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, height // 4 + 2, width // 4 + 2), generator=random).double()
    large = F.interpolate(coarse, (height, width), mode="bilinear")
    fine = torch.rand((1, 3, height, width), generator=random).double()
    return 0.7 * large + 0.3 * fine


def targets(network: VGG, taps: tuple[str, ...], seed: int) -> dict[str, Moments]:
    with torch.no_grad():
        found = network(noise(40, 40, seed), taps)
    return {tap: losses.of_picture(x, torch.ones_like(x[:, :1])) for tap, x in found.items()}


def some_regions(network: VGG, height: int, width: int, taps: tuple[str, ...]) -> list[Region]:
    """Two soft masks that overlap, and a window of one of them with fewer taps."""
    ramp = torch.linspace(0, 1, width).double().expand(1, 1, height, width)
    masks = [ramp, (1.3 - ramp).clamp(0, 1)]
    found = [
        Region(
            targets(network, taps, 5 + i), objective.weights_at_taps(mask, taps, 4), 0.3 + 0.4 * i
        )
        for i, mask in enumerate(masks)
    ]
    seen = {}
    for tap in taps[-2:]:
        full = found[0].weights[tap]
        seen[tap] = torch.zeros_like(full)
        seen[tap][..., : full.shape[-2] // 2, full.shape[-1] // 3 :] = 1.5
    return [*found, Region({tap: found[0].targets[tap] for tap in seen}, seen, 0.25)]


def goal(
    network: VGG,
    size: tuple[int, int],
    taps: tuple[str, ...] = TAPS,
    content_taps: tuple[str, ...] = ("2_2", "3_2"),
    side: int = 10_000,
    margin: int | None = None,
    weights: tuple[float, float, float] = (0.7, 0.4, 3.0),
    **method: Any,
) -> Objective:
    deepest = max((*taps, *content_taps))
    tiles = cover(
        *size,
        side=side,
        margin=features.receptive_radius("compact", deepest) if margin is None else margin,
        multiple=2 ** (int(deepest[0]) - 1),
    )
    with torch.no_grad():
        content = network(noise(*size, 9).to(network.mean.dtype), content_taps)
    return Objective(
        network=network,
        tiles=tiles,
        method=replace(METHODS["limner"], **method),
        content=content,
        style_weight=weights[0],
        content_weight=weights[1],
        smoothness_weight=weights[2],
    )


def plainly(aim: Objective, picture: Tensor, regions: list[Region]) -> Tensor:
    """The whole loss in the words of the paper, for autograd to differentiate."""
    found = aim.network(picture, {*regions[0].targets, *aim.content})
    style = []
    for region in regions:
        for tap, target in region.targets.items():
            x, weight = found[tap][0].flatten(1), region.weights[tap].flatten()
            weight = weight / weight.sum()
            mean = x @ weight
            centred = x - mean[:, None]
            covariance = torch.einsum("ci,di,i->cd", centred, centred, weight)
            if aim.method.style_loss is losses.style_loss:
                part = ((mean - target.mean) ** 2).sum() / (target.mean**2).sum()
                difference = covariance - target.covariance
                part = part + (difference**2).sum() / (target.covariance**2).sum()
            else:
                gram = torch.einsum("ci,di,i->cd", x, x, weight)
                theirs = target.covariance + target.mean[:, None] * target.mean[None]
                part = ((gram - theirs) ** 2).mean() * 57.63**4
            style.append(region.share * part / len(regions[0].targets))
    content = []
    for tap, wanted in aim.content.items():
        error = ((found[tap] - wanted) ** 2).mean()
        relative = np.var(wanted.numpy(), ddof=1) if aim.method.relative_content else 1.0
        content.append(error / relative)
    across = ((picture[..., 1:] - picture[..., :-1]) ** 2).mean()
    down = ((picture[..., 1:, :] - picture[..., :-1, :]) ** 2).mean()
    return (
        aim.style_weight * torch.stack(style).sum()
        + aim.content_weight * torch.stack(content).mean()
        + aim.smoothness_weight * (across + down)
    )


# --- in one piece ----------------------------------------------------------------------------


@pytest.mark.parametrize("style_loss", [losses.style_loss, losses.gram_loss])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("size", [(32, 40), (37, 51)])
def test_loss_and_gradient_are_those_of_the_plain_formula(
    network: VGG,
    size: tuple[int, int],
    relative: bool,
    style_loss: Callable[[Moments, Moments], Tensor],
) -> None:
    aim = goal(network, size, style_loss=style_loss, relative_content=relative)
    regions = some_regions(network, *size, TAPS)
    picture = noise(*size)
    value, gradient = aim.gradient(picture, regions)
    leaf = picture.clone().requires_grad_()
    wanted = plainly(aim, leaf, regions)
    (slope,) = torch.autograd.grad(wanted, leaf)
    assert gradient.shape == picture.shape and not gradient.requires_grad
    assert value == pytest.approx(wanted.item(), rel=1e-9)
    np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-9 * float(slope.abs().max()))


def test_gradient_by_finite_differences(network: VGG) -> None:
    size = (32, 36)
    aim, regions, picture = goal(network, size), some_regions(network, *size, TAPS), noise(*size)
    _, gradient = aim.gradient(picture, regions)
    step = 1e-5
    for place in ((0, 0, 0, 0), (0, 1, 13, 20), (0, 2, 31, 35), (0, 0, 16, 7)):
        moved = torch.zeros_like(picture)
        moved[place] = step
        with torch.no_grad():
            higher = plainly(aim, picture + moved, regions).item()
            lower = plainly(aim, picture - moved, regions).item()
        slope = (higher - lower) / (2 * step)
        assert gradient[place].item() == pytest.approx(slope, rel=1e-3)


def test_each_part_counts_as_much_as_its_weight(network: VGG) -> None:
    """The loss is linear in the three weights: each alone, then all together."""
    size = (32, 32)
    regions, picture, whole = some_regions(network, *size, TAPS), noise(*size), goal(network, size)
    total = 0.0
    for weights in ((0.7, 0.0, 0.0), (0.0, 0.4, 0.0), (0.0, 0.0, 3.0)):
        value, gradient = goal(network, size, weights=weights).gradient(picture, regions)
        assert value > 1e-3 and gradient.abs().max() > 0
        total += value
    assert whole.gradient(picture, regions)[0] == pytest.approx(total, rel=1e-9)


def test_where_nothing_else_is_wanted_the_content_is_at_rest(network: VGG) -> None:
    size = (32, 32)
    alone = goal(network, size, weights=(0.0, 1.0, 0.0))
    regions = some_regions(network, *size, TAPS)
    value, gradient = alone.gradient(noise(*size, 9), regions)
    assert value == pytest.approx(0, abs=1e-12) and gradient.abs().max() < 1e-12
    value, gradient = alone.gradient(noise(*size, 8), regions)
    assert value > 0.01 and gradient.abs().max() > 1e-6


# --- in tiles --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "taps", "content_taps", "side"),
    [
        ((61, 83), TAPS, ("2_2",), 16),
        ((61, 83), TAPS, ("1_2", "3_2"), 24),
        ((64, 64), TAPS, ("3_1",), 32),
        ((40, 97), ("1_1", "3_3"), ("2_1",), 20),
        ((33, 301), ("1_1", "2_1", "3_1", "4_1", "5_1"), ("3_1", "4_2"), 48),
        ((250, 19), ("1_1", "4_1"), ("4_3",), 16),
    ],
)
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
def test_tiles_give_the_gradient_of_the_whole(
    network: VGG,
    size: tuple[int, int],
    taps: tuple[str, ...],
    content_taps: tuple[str, ...],
    side: int,
    precision: torch.dtype,
) -> None:
    if precision == torch.float32:
        torch.manual_seed(0)
        network = VGG("compact").requires_grad_(False)
    regions = [
        Region(
            {t: Moments(m.mean.to(precision), m.covariance.to(precision))
             for t, m in region.targets.items()},
            {t: w.to(precision) for t, w in region.weights.items()},
            region.share,
        )
        for region in some_regions(network.double(), *size, taps)
    ]  # fmt: skip
    network.to(precision)
    picture = noise(*size).to(precision)
    whole = goal(network, size, taps, content_taps)
    parts = goal(network, size, taps, content_taps, side)
    assert len(whole.tiles) == 1 and len(parts.tiles) > 2
    # some tile does not see everything, or nothing is shown
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


def test_a_margin_too_small_would_be_seen(network: VGG) -> None:
    size = (61, 83)
    regions, picture = some_regions(network, *size, TAPS), noise(*size)
    _, gradient = goal(network, size).gradient(picture, regions)
    _, of_parts = goal(network, size, side=24, margin=0).gradient(picture, regions)
    assert (of_parts - gradient).abs().max() / gradient.abs().max() > 1e-3


@pytest.mark.parametrize(("tap", "size", "side"), [("3_3", (61, 83), 20), ("5_1", (19, 301), 48)])
def test_features_in_tiles_are_those_of_the_whole(
    network: VGG, tap: str, size: tuple[int, int], side: int
) -> None:
    stride = 2 ** (int(tap[0]) - 1)
    margin = features.receptive_radius("compact", tap)
    picture = noise(*size)
    tiles = cover(*size, side=side, margin=margin, multiple=stride)
    assert len(tiles) > 2
    taps = ["1_2", tap]
    with torch.no_grad():
        whole = network(picture, taps)
    found = objective.feature_maps(network, picture, taps, tiles)
    assert set(found) == set(taps)
    shape = (1, whole[tap].shape[1], size[0] // stride, size[1] // stride)
    assert found[tap].shape == shape
    for name, feature in whole.items():
        np.testing.assert_allclose(found[name], feature, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("size", "side"), [((61, 83), 1000), ((61, 83), 20), ((48, 45), 16)])
def test_moments_of_a_painting_are_numpy_s(network: VGG, size: tuple[int, int], side: int) -> None:
    margin = features.receptive_radius("compact", "3_1")
    tiles = cover(*size, side=side, margin=margin, multiple=4)
    picture, ring = noise(*size), 8
    found = objective.style_moments(network, picture.float().double(), TAPS, tiles, ring)
    with torch.no_grad():
        whole = network(picture.float().double(), TAPS)
    for tap, stride in (("1_1", 1), ("2_1", 2), ("3_1", 4)):
        border = ring // stride
        inside = whole[tap][0, :, border:-border, border:-border].flatten(1).numpy()
        np.testing.assert_allclose(found[tap].mean, inside.mean(1), rtol=1e-6)
        covariance = np.cov(inside, bias=True)
        close = 1e-6 * np.abs(covariance).max()
        np.testing.assert_allclose(found[tap].covariance, covariance, atol=close)


# --- weights per position --------------------------------------------------------------------


def test_weights_are_averaged_to_the_grid_of_each_tap() -> None:
    mask = np.random.default_rng(0).uniform(0, 1, (37, 43))
    found = objective.weights_at_taps(torch.tensor(mask)[None, None], ("1_1", "2_1", "4_2"), 0)
    assert list(found) == ["1_1", "2_1", "4_2"]
    for tap, stride in (("1_1", 1), ("2_1", 2), ("4_2", 8)):
        height, width = 37 // stride, 43 // stride
        blocks = mask[: height * stride, : width * stride].reshape(height, stride, width, stride)
        np.testing.assert_allclose(found[tap][0, 0], blocks.mean((1, 3)), rtol=1e-12)


def test_the_ring_is_left_out_at_every_tap() -> None:
    found = objective.weights_at_taps(torch.ones(1, 1, 160, 160), ("1_1", "3_1", "5_1"), 9)
    for tap, side, ring in (("1_1", 160, 9), ("3_1", 40, 3), ("5_1", 10, 1)):  # rounded up
        wanted = np.zeros((side, side))
        wanted[ring:-ring, ring:-ring] = 1
        np.testing.assert_array_equal(found[tap][0, 0], wanted)
