"""The colorizing network: features of any size, and tokens that see each other but no padding."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.colorization.network import COLORS, WIDTHS, Block, Colorizer, _Layer
from limner.colorization.tokens import PAIR, SHAPE, Tokens, stack

Build = Callable[..., Colorizer]
Grid = Callable[..., Tokens]


def random_ink(height: int, width: int, count: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return (torch.rand((count, 1, height, width), generator=random) > 0.9).float()


def chosen(
    network: Colorizer, ink: Tensor, tokens: Tokens, rgb: Tensor | None = None, known: object = ()
) -> tuple[Tensor, Tensor]:
    """Logits and mean colors, with some known colors: red where none are given."""
    count, most = tokens.area.shape
    mask = torch.zeros((count, most), dtype=torch.bool)
    mask[:, list(known)] = True  # type: ignore[call-overload]
    if rgb is None:
        rgb = torch.tensor([1.0, 0, 0]).expand(count, most, 3)
    described = network.embed(network.encode(ink), tokens)
    return network.choose(described, tokens, rgb, mask)


# --- the U-Net -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (16, 160)])
def test_features_are_at_a_quarter_and_an_eighth_of_the_size(
    size: tuple[int, int], build: Build
) -> None:
    network = build()
    assert network.multiple == 16
    fine, coarse = network.encode(random_ink(*size))
    assert fine.shape == (1, 8, size[0] // 4, size[1] // 4)
    assert coarse.shape == (1, 12, size[0] // 8, size[1] // 8)
    assert fine.isfinite().all() and fine.std() > 0.01


def test_the_full_network_fits_in_14_megabytes(build: Build) -> None:
    network = build(WIDTHS)
    assert network.multiple == 64
    fine, coarse = network.encode(random_ink(64, 128))
    assert fine.shape == (1, WIDTHS[0], 16, 32) and coarse.shape == (1, WIDTHS[1], 8, 16)
    assert 5e6 < sum(value.numel() for value in network.state_dict().values()) < 7e6


def test_an_untrained_block_adds_a_constant() -> None:
    x = torch.randn((1, 8, 9, 9))
    added = (Block(8)(x) - x).detach()
    assert added.std((2, 3)).max() < 1e-6


def test_a_block_is_its_formula(build: Build) -> None:
    block = build().encoder[0]
    x = torch.randn((1, 8, 9, 9)).double()
    found = block.double()(x)

    def silu(y: Tensor) -> Tensor:
        return y / (1 + (-y).exp())

    inner = F.conv2d(silu(x), block.first.weight, block.first.bias, padding=1)
    wanted = x + F.conv2d(silu(inner), block.second.weight, block.second.bias, padding=1)
    np.testing.assert_allclose(found, wanted, atol=1e-10)


@pytest.mark.parametrize(("gap", "as_it_is", "closed"), [(0, 0, 0), (8, 1, 0), (9, 1, 1)])
def test_the_flood_fills_tell_inside_from_outside(
    gap: int, as_it_is: int, closed: int, build: Build
) -> None:
    """One with the lines as they are, one with gaps of up to eight pixels closed."""
    ink = torch.zeros((1, 1, 48, 64))
    ink[..., [10, 39], 10:40] = ink[..., 10:40, [10, 39]] = 1
    ink[..., 20 : 20 + gap, 10] = 0
    network, seen = build(), []
    network.first.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.encode(ink)
    given = F.pixel_shuffle(seen[0], 4)
    assert given.shape == (1, 3, 48, 64)
    np.testing.assert_array_equal(given[:, :1], ink)
    inside, outside = given[0, 1:, 15:35, 15:35], given[0, 1:, :, 48:]
    assert (outside == 1).all()
    np.testing.assert_allclose(inside[0], as_it_is, atol=1e-3)
    np.testing.assert_allclose(inside[1], closed, atol=1e-3)


def test_distant_parts_of_a_drawing_matter_through_the_mean(build: Build) -> None:
    network, ink = build(), random_ink(16, 480)
    other = ink.clone()
    other[..., 400:] = 1 - other[..., 400:]
    far = (..., slice(0, 20))
    off = (network.encode(ink)[0] - network.encode(other)[0])[far].abs().max()
    network.context.weight.zero_()
    without = (network.encode(ink)[0] - network.encode(other)[0])[far].abs().max()
    assert off > 1e-3 > 1e-5 > without


# --- tokens ----------------------------------------------------------------------------------


def test_a_region_is_described_by_the_mean_of_its_features_and_its_shape(
    build: Build, grid: Grid
) -> None:
    network, tokens, ink = build(), grid(2, 3), random_ink(64, 96)
    fine, coarse = network.encode(ink)
    both = torch.cat((fine, F.interpolate(coarse, (16, 24), mode="bilinear")), 1)[0]
    found = network.embed((fine, coarse), tokens)
    assert found.shape[:2] == (1, 6)
    for row in range(2):
        for column in range(3):
            mean = both[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].mean((1, 2))
            index = 3 * row + column
            wanted = network.features(mean) + network.shape(tokens.shape[0, index])
            np.testing.assert_allclose(found[0, index], wanted, rtol=1e-4, atol=1e-5)


def test_a_layer_is_attention_with_a_bias_and_two_matrices() -> None:
    """In NumPy: heads one by one."""
    torch.manual_seed(0)
    layer = _Layer().double().requires_grad_(False)
    for part in (layer.out, layer.narrow):
        torch.nn.init.normal_(part.weight, 0, 0.1)
    x, bias = torch.randn((1, 4, 192)).double(), torch.randn((1, 6, 4, 4)).double()
    found = layer(x, bias)[0].numpy()

    def linear(part: torch.nn.Linear, values: np.ndarray) -> np.ndarray:
        return values @ part.weight.numpy().T + part.bias.numpy()

    def norm(part: torch.nn.LayerNorm, values: np.ndarray) -> np.ndarray:
        off = values - values.mean(-1, keepdims=True)
        off /= np.sqrt((off**2).mean(-1, keepdims=True) + 1e-5)
        return off * part.weight.numpy() + part.bias.numpy()

    plain = x[0].numpy()
    parts = linear(layer.attention, norm(layer.attention_norm, plain))
    query, key, value = np.split(parts, 3, 1)
    heads = []
    for head in range(6):
        own = slice(32 * head, 32 * head + 32)
        logits = query[:, own] @ key[:, own].T / np.sqrt(32) + bias[0, head].numpy()
        shares = np.exp(logits - logits.max(1, keepdims=True))
        heads.append(shares / shares.sum(1, keepdims=True) @ value[:, own])
    mixed = plain + linear(layer.out, np.concatenate(heads, 1))
    inner = linear(layer.wide, norm(layer.norm, mixed))
    wanted = mixed + linear(layer.narrow, inner / (1 + np.exp(-inner)))
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 2), (7, 11)])
def test_any_number_of_regions_works(rows: int, columns: int, build: Build, grid: Grid) -> None:
    logits, mean = chosen(build(), random_ink(64, 96), grid(rows, columns))
    count = rows * columns
    assert logits.shape == (1, count, COLORS) and mean.shape == (1, count, 3)
    assert logits.isfinite().all() and mean.isfinite().all()


def test_padding_changes_no_other_token(build: Build, grid: Grid) -> None:
    network, ink, few = build(), random_ink(64, 96), grid(2, 2)
    alone = chosen(network, ink, few, known=[1])
    padded = chosen(network, ink.expand(2, -1, -1, -1), stack([few, grid(4, 5)]), known=[1])
    for one, other in zip(alone, padded, strict=True):
        np.testing.assert_allclose(other[:1, :4], one, rtol=1e-4, atol=1e-4)
    # a color that is known of padding does not count either
    more = chosen(network, ink.expand(2, -1, -1, -1), stack([few, grid(4, 5)]), known=[1, 9])
    np.testing.assert_allclose(more[0][:1, :4], alone[0], rtol=1e-4, atol=1e-4)
    assert (more[0][1] - padded[0][1]).abs().max() > 0.01


def test_the_order_of_the_regions_does_not_matter(build: Build, grid: Grid) -> None:
    network, ink, tokens = build(), random_ink(64, 96), grid(3, 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    mixed = Tokens(
        tokens.pool[:, order],
        tokens.shape[:, order],
        tokens.pair[:, order][:, :, order],
        tokens.area[:, order],
    )
    rgb = torch.rand((1, 12, 3))
    known = torch.tensor([2, 7])
    plain = chosen(network, ink, tokens, rgb, known.tolist())
    place = [int((order == index).nonzero()) for index in known]
    turned = chosen(network, ink, mixed, rgb[:, order], place)
    for one, other in zip(plain, turned, strict=True):
        np.testing.assert_allclose(other, one[:, order], rtol=1e-4, atol=1e-4)
    assert plain[0].std(1).max() > 0.05


def test_a_known_color_changes_the_other_regions(build: Build, grid: Grid) -> None:
    network, ink, tokens = build(), random_ink(64, 96), grid(2, 3)
    plain = chosen(network, ink, tokens)[0]
    red = chosen(network, ink, tokens, known=[0])[0]
    blue = chosen(network, ink, tokens, torch.tensor([0, 0, 1.0]).expand(1, 6, 3), known=[0])[0]
    for one, other in ((plain, red), (red, blue), (plain, blue)):
        assert ((one - other)[0, 1:].abs().amax(-1) > 1e-3).all()


def test_colors_that_are_not_known_are_not_read(build: Build, grid: Grid) -> None:
    network, ink, tokens = build(), random_ink(64, 96), grid(2, 3)
    rgb = torch.rand((1, 6, 3))
    other = rgb.clone()
    other[:, [0, 2, 4]] = 0.5 - 3 * other[:, [0, 2, 4]]
    one, same = (chosen(network, ink, tokens, given, known=[1, 3, 5]) for given in (rgb, other))
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)


def test_how_regions_lie_to_each_other_matters(build: Build, grid: Grid) -> None:
    network, ink, tokens = build(), random_ink(64, 96), grid(2, 3)
    assert tokens.shape.shape[-1] == SHAPE and tokens.pair.shape[-1] == PAIR
    network.pair[-1].weight.mul_(20)
    plain = chosen(network, ink, tokens)[0]
    moved = chosen(network, ink, replace(tokens, pair=tokens.pair.flip(1)))[0]
    assert (plain - moved).abs().max() > 1e-3


def test_drawings_of_a_batch_are_independent(build: Build, grid: Grid) -> None:
    network, inks = build(), random_ink(64, 96, 2)
    tokens = [grid(2, 3), grid(1, 4)]
    both = chosen(network, inks, stack(tokens))
    for index, count in ((0, 6), (1, 4)):
        alone = chosen(network, inks[index : index + 1], tokens[index])
        # convolutions of another batch size may round differently; a leak would show in percents
        for one, other in zip(both, alone, strict=True):
            np.testing.assert_allclose(one[index, :count], other[0], rtol=1e-3, atol=1e-3)
