"""Improvers: tables that neither clip nor blur, and convolutional networks."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from limner.beauty.improver import ConvolutionalImprover, TableImprover, adjust


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_strength_0_leaves_a_picture(tables: TableImprover, free: ConvolutionalImprover) -> None:
    picture = (noise(2, 3, 40, 30) * 255).round() / 255
    for network in (tables, free):
        np.testing.assert_allclose(network(picture, 0.0), picture, atol=1e-6)
        assert (network(picture, 1.0) - picture).abs().mean() > 0.01


def test_twice_the_strength_is_about_twice_as_much(free: ConvolutionalImprover) -> None:
    picture = 0.3 + 0.4 * noise(1, 3, 40, 30)
    once, twice = (free(picture, strength) - picture for strength in (0.5, 1.0))
    np.testing.assert_allclose(twice, 2 * once, atol=1e-6)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_black_stays_black_and_white_white(tables: TableImprover, strength: float) -> None:
    picture = (noise(2, 3, 50, 70) > 0.5).float()
    # rounding of powers and interpolation differs between CPUs
    np.testing.assert_allclose(tables(picture, strength), picture, atol=1e-6)


def extreme(sign: int) -> tuple[Tensor, Tensor]:
    """Return the largest changes of tables and light at strength 2."""
    return torch.full((1, 3, 9, 9, 9), 2.0 * sign), torch.full((1, 1, 1, 1), 1.2 * sign)


@pytest.mark.parametrize("first", [-1, 1])
@pytest.mark.parametrize("second", [-1, 1])
def test_nothing_is_newly_clipped(first: int, second: int) -> None:
    inner = torch.arange(1, 255).view(1, 1, 1, -1).expand(1, 3, 1, -1) / 255
    made = adjust(inner, extreme(first)[0], extreme(second)[1])
    assert made.min() > 0 and made.max() < 1


def test_adjustments_stay_within_their_limits(tables: TableImprover) -> None:
    table, light = tables.adjustments(noise(2, 3, 300, 90))
    assert table.shape == (2, 3, 9, 9, 9) and light.shape == (2, 1, 64, 64)
    assert 0.01 < table.abs().max() <= 1 and 0.01 < light.abs().max() <= 0.6
    assert light.std() > 1e-3
    assert (table[0] - table[1]).abs().max() > 1e-5  # by the picture
    alone = tables.adjustments(noise(2, 3, 300, 90)[1:])
    np.testing.assert_allclose(alone[0][0], table[1], atol=1e-5)


def trilinear(table: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Look colors [N, 3] in 0..1 up in a table [3, blue, green, red], after its definition."""
    steps = table.shape[-1] - 1
    found = np.zeros_like(colors)
    for number, color in enumerate(colors * steps):
        low = np.minimum(np.floor(color).astype(int), steps - 1)
        for corner in product((0, 1), repeat=3):
            share = np.prod([f if c else 1 - f for c, f in zip(corner, color - low, strict=True)])
            red, green, blue = low + corner
            found[number] += share * table[:, blue, green, red]
    return found


def test_tables_are_looked_up_between_their_steps() -> None:
    picture, table, light = noise(2, 3, 9, 11), noise(2, 3, 9, 9, 9) * 2 - 1, noise(2, 1, 9, 11)
    light = light * 2 - 1
    picture[0, :, 0, 0], picture[0, :, 0, 1] = 0, torch.tensor([1.0, 0.5, 0.25])
    made = adjust(picture, table, light).numpy()
    for number in range(2):
        colors = picture[number].flatten(1).mT.double().numpy()
        shift = trilinear(table[number].double().numpy(), colors)
        moved = colors + 0.4 * shift * colors * (1 - colors)
        wanted = moved ** (2 ** -light[number].double().view(-1, 1).numpy())
        np.testing.assert_allclose(made[number].reshape(3, -1).T, wanted, atol=1e-5)


@pytest.mark.parametrize("shift", [-2.0, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("light", [-1.2, 0.0, 1.2])
def test_neutral_tables_keep_the_order_of_tones(shift: float, light: float) -> None:
    ramp = torch.linspace(0, 1, 256).view(1, 1, 1, -1).expand(1, 3, 1, -1)
    table = torch.full((1, 3, 9, 9, 9), shift)
    made = adjust(ramp, table, torch.full((1, 1, 1, 1), light))
    assert made.diff(dim=-1).min() > 0
    np.testing.assert_allclose(made[:, 0], made[:, 1], atol=1e-6)  # gray stays gray
    if not light:
        assert ((made - ramp).sum().sign() == np.sign(shift)).all()


def test_a_positive_exponent_lightens() -> None:
    made = adjust(
        torch.full((1, 3, 1, 1), 0.25), torch.zeros(1, 3, 9, 9, 9), torch.ones(1, 1, 1, 1)
    )
    np.testing.assert_allclose(made, 0.5, atol=1e-6)  # the square root


def test_tables_treat_the_same_color_alike_where_light_is_even(tables: TableImprover) -> None:
    """They cannot blur: the result of a pixel does not depend on its neighbors."""
    picture = noise(1, 3, 33, 47)
    table, light = tables.adjustments(picture)[0], torch.full((1, 1, 1, 1), 0.3)
    order = torch.randperm(33 * 47, generator=torch.Generator().manual_seed(3))
    mixed = picture.flatten(2)[..., order].view_as(picture)
    one, other = (adjust(both, table, light).flatten(2) for both in (picture, mixed))
    np.testing.assert_allclose(one[..., order], other, atol=1e-6)


def test_the_receptive_field_has_the_radius(free: ConvolutionalImprover) -> None:
    picture = 0.3 + 0.4 * noise(1, 3, 31, 31)
    changed = picture.clone()
    changed[..., 15, 15] = 0.9
    off = (free(changed) - free(picture)).abs().amax((0, 1))
    within = torch.zeros_like(off, dtype=torch.bool)
    reach = free.radius
    within[15 - reach : 16 + reach, 15 - reach : 16 + reach] = True
    # some CPUs compute convolutions in blocks, with roundoff beyond the receptive field
    assert off[~within].max() < 1e-5 < min(off[15 - reach, 15], off[15, 15 + reach])
