"""The bilateral improver: tones in order, no clipping, no halos, the same in rows and whole."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.beauty.bilateral import (
    BINS,
    CELLS,
    BilateralImprover,
    Tones,
    extremes,
    histogram,
    relight,
    saturate,
    spread,
    tone,
)
from limner.nn import images

BEFORE, BEHIND = slice(96, 128), slice(128, 160)  # columns on both sides of an edge


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def tones(**changed: float | list[float]) -> Tones:
    """Tones that change nothing but what is given."""
    values: dict[str, float | list[float]] = dict.fromkeys(Tones._fields, 0.0)
    values |= {"white": 1.0, "balance": [0.0, 0.0, 0.0], "high": 1.0, **changed}
    made = {name: torch.tensor(value).reshape(1, -1, 1, 1) for name, value in values.items()}
    return Tones(**made)


def ramp() -> Tensor:
    return torch.linspace(0, 1, 256).view(1, 1, 1, -1).expand(1, 3, 1, -1)


def test_strength_0_leaves_a_picture(bilateral: BilateralImprover) -> None:
    picture = noise(2, 3, 40, 30)
    np.testing.assert_allclose(bilateral(picture, 0.0), picture, atol=1e-5)
    assert (bilateral(picture, 1.0) - picture).abs().mean() > 0.01


def test_levels_are_linear_between_their_ends() -> None:
    made = tone(ramp(), tones(black=0.2, white=0.8, low=0.2, high=0.8))[0, 0, 0]
    old = ramp()[0, 0, 0]
    inside = (old > 0.27) & (old < 0.6)
    np.testing.assert_allclose(made[inside], (old[inside] - 0.2) / 0.6, atol=1e-5)
    assert made[old <= 0.2].max() < 1e-4 and made[old >= 0.8].min() > 1 - 1e-4


def test_midtones_and_contrast_are_affine_in_log_odds() -> None:
    made = tone(ramp(), tones(midtones=0.5, contrast=1.0))[0, 0, 0, 1:-1].double()
    old = ramp()[0, 0, 0, 1:-1].double()
    wanted = 2 * torch.log2(old / (1 - old)) + 0.5
    np.testing.assert_allclose(torch.log2(made / (1 - made)), wanted, atol=2e-3)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_tones_keep_their_order_and_none_is_clipped(strength: float) -> None:
    for number in range(20):
        draw = noise(10, seed=number).tolist()
        drawn = tones(
            black=0.4 * draw[0],
            white=1 - 0.5 * draw[1],
            balance=[0.3 * draw[2], 0.0, -0.3 * draw[2]],
            midtones=3 * draw[3] - 1.5,
            high=1 - 0.4 * draw[5],
            low=0.3 * draw[6],
            contrast=0.5 * draw[4],
        )
        made = tone(ramp(), drawn.scaled(strength, 1.0))
        assert made.diff(dim=-1).min() >= -1e-6
        inside = (ramp() > drawn.low + 0.01) & (ramp() < drawn.high)
        assert (made.diff(dim=-1)[inside[..., 1:]] > 0).float().mean() > 0.98  # but for roundoff
        np.testing.assert_allclose(made[..., 0], 0, atol=1e-4)
        np.testing.assert_allclose(made[..., -1], 1, atol=1e-4)


def test_saturation_spares_strong_colors_and_gray() -> None:
    colors = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.4, 0.3], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    made = saturate(colors.view(-1, 3, 1, 1), 0.5).view(-1, 3)
    np.testing.assert_allclose(made[0], colors[0], atol=1e-6)
    np.testing.assert_allclose(made[2:], colors[2:], atol=1e-3)
    spans = (made[1].max() - made[1].min()) / (colors[1].max() - colors[1].min())
    assert 1.2 < spans < 1.5
    luma = images.luma(made.view(-1, 3, 1, 1)).flatten()
    np.testing.assert_allclose(luma, images.luma(colors.view(-1, 3, 1, 1)).flatten(), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_light_is_looked_up_by_luma(seed: int) -> None:
    bins = 2 * noise(BINS, seed=seed) - 1
    made = relight(ramp(), bins.view(1, -1, 1, 1).expand(1, -1, 1, 256))[0, 0, 0, 1:-1].double()
    old = ramp()[0, 0, 0, 1:-1].double()
    shift = torch.log2(made / (1 - made)) - torch.log2(old / (1 - old))
    wanted = np.interp(old, np.linspace(0, 1, BINS), bins)
    np.testing.assert_allclose(shift, wanted, atol=1e-3)


def test_a_grid_is_spread_smoothly_and_an_even_one_stays() -> None:
    even = torch.full((1, BINS, CELLS, CELLS), 0.3)
    np.testing.assert_allclose(spread(even, slice(None), (50, 70)), 0.3, atol=1e-6)
    slope = torch.arange(CELLS, dtype=torch.float32).expand(1, BINS, CELLS, CELLS)
    made = spread(slope, slice(None), (1, 320))[0, 0, 0]
    places = (torch.arange(320) + 0.5) / 320 * CELLS - 0.5
    inside = slice(40, -40)
    np.testing.assert_allclose(made[inside], places[inside], atol=1e-4)


def test_rows_are_parts_of_the_whole(bilateral: BilateralImprover) -> None:
    picture = noise(1, 3, 130, 90)
    change = bilateral.change(picture, 1.3, 0.5).rows
    rows = torch.cat([change(slice(top, top + 17)) for top in range(0, 130, 17)], 2)
    np.testing.assert_allclose(rows, change(slice(None)), atol=1e-6)


def test_the_change_does_not_depend_on_the_size(bilateral: BilateralImprover) -> None:
    small = images.resize(noise(1, 3, 8, 8), (256, 256))
    large = images.resize(small, (1024, 1024))
    made, larger = (bilateral(one) for one in (small, large))
    assert (images.resize(larger, (256, 256)) - made).abs().max() < 0.01


def test_no_halo_beside_an_edge() -> None:
    """The same light for dark and pale areas: from a grid, and from a map that knows no edges."""
    picture = torch.full((1, 3, 256, 256), 0.25)
    picture[..., 128:] = 0.8
    grid = torch.linspace(0.8, -0.8, BINS).view(1, -1, 1, 1) + 0.1 * noise(1, BINS, CELLS, CELLS)
    places = images.luma(picture) * (BINS - 1)
    flat_light = images.resize(0.5 + (3.5 - places) / 8.75, (64, 64)) - 0.5
    halo = F.interpolate(flat_light, (256, 256), mode="bicubic").expand(-1, BINS, -1, -1)
    for light, low, high in ((spread(grid, slice(None), (256, 256)), 0, 0.006), (halo, 0.02, 1)):
        gain = (relight(picture, light) / picture).log().mean(1)
        assert abs(gain[..., 64].mean() - gain[..., 192].mean()) > 0.1
        steps = [gain[..., part].diff(dim=-1).abs().max() for part in (BEFORE, BEHIND)]
        assert low <= max(steps) < high


def test_gray_gets_no_color(bilateral: BilateralImprover) -> None:
    gray = noise(1, 1, 64, 64).expand(1, 3, 64, 64)
    made = bilateral(gray, 2.0)
    np.testing.assert_allclose(made[:, 0], made[:, 1], atol=1e-6)
    np.testing.assert_allclose(made[:, 0], made[:, 2], atol=1e-6)


def test_white_balance_takes_a_share(bilateral: BilateralImprover) -> None:
    picture = noise(1, 3, 64, 64) * torch.tensor([1.0, 0.8, 0.5]).view(1, 3, 1, 1)
    found, _ = bilateral.adjustments(picture)
    assert found.balance.abs().max() > 1e-3
    assert found.balance.sum(1).abs().max() < 1e-6
    assert found.scaled(1, 0).balance.abs().max() == 0
    np.testing.assert_allclose(found.scaled(2, 0.5).balance, 0.5 * found.balance)
    np.testing.assert_allclose(found.scaled(2, 1).contrast, 2 * found.contrast)
    np.testing.assert_allclose(found.scaled(2, 1).midtones, found.midtones)


def test_levels_stay_outside_the_range_of_a_picture(
    bilateral: BilateralImprover,
) -> None:
    """A dark picture with a few small bright lights is not underexposed."""
    dark = 0.2 * noise(1, 3, 640, 640)
    lights = dark.clone()
    lights[..., ::20, ::20] = 1  # a quarter of a percent
    small = images.resize(dark, (128, 128))
    for picture, brightest in ((dark, 0.2), (lights, 1.0)):
        low, high = extremes(picture)
        assert float(high) == pytest.approx(brightest, abs=0.01) and float(low) < 0.01
        tones, _ = bilateral.decide(small, low, high)
        assert float(tones.white) >= brightest - 0.01 and float(tones.black) <= 0.01
    hazy = 0.5 + 0.3 * noise(1, 3, 64, 64)
    assert [float(one) for one in extremes(hazy)] == pytest.approx([0.5, 0.8], abs=0.01)


@pytest.mark.parametrize(
    ("low", "high", "black", "white"),
    [(0.5, 0.4, 0.5, 0.4), (0.4, 0.5, 0.2, 0.75), (0.3, 0.6, 0.0, 1.0), (0.0, 0.9, 0.0, 1.0)],
)
def test_levels_far_beyond_the_pixels_are_a_mistake(
    bilateral: BilateralImprover, low: float, high: float, black: float, white: float
) -> None:
    """The network wishes to move black to 0.5 and white to 0.4: both move, or in part, or stay."""
    sure = deepcopy(bilateral)
    with torch.no_grad():
        sure.tones.bias[:2] = 1000
    range_of_pixels = torch.tensor([low, high]).view(2, 1, 1, 1, 1)
    found, _ = sure.decide(noise(1, 3, 128, 128), *range_of_pixels)
    assert float(found.black) == pytest.approx(black, abs=1e-5)
    assert float(found.white) == pytest.approx(white, abs=1e-5)


def test_histograms_count_shares() -> None:
    shares = histogram(torch.full((2, 3, 8, 8), 1.0)).view(2, 4, -1)
    assert (shares[..., -1] > 0.999).all() and (shares[..., :-1] < 1e-3).all()
    np.testing.assert_allclose(histogram(noise(1, 3, 64, 64)).view(4, -1).sum(1), 1, atol=1e-4)
