"""The colorizing network: any size, hints, flood fills, and the effect of distant paper."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.colorization.network import HINTS, WIDTHS, Block, Colorizer


def random_network(widths: tuple[int, ...] = (8, 12, 16), seed: int = 0) -> Colorizer:
    """A random network, with no layer at zero."""
    torch.manual_seed(seed)
    network = Colorizer(widths).eval().requires_grad_(False)
    for block in network.modules():
        if isinstance(block, Block):
            torch.nn.init.normal_(block.second.weight, 0, 0.2)
    return network


def given(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Random lines, and no hints."""
    random = torch.Generator().manual_seed(0)
    ink = (torch.rand((1, 1, height, width), generator=random) > 0.9).float()
    return ink, torch.zeros((1, HINTS, height, width))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (15, 17), (16, 16), (33, 100), (64, 48)])
def test_any_size_works(size: tuple[int, int]) -> None:
    network = random_network()
    assert network.multiple == 16
    colors = network(*given(*size))
    assert colors.shape == (1, 3, *size) and colors.isfinite().all()


def test_any_size_works_at_full_width_too() -> None:
    network = random_network(WIDTHS)
    assert network.multiple == 64
    assert network(*given(65, 3)).shape == (1, 3, 65, 3)
    assert 5e6 < sum(p.numel() for p in network.parameters()) < 6e6


def test_an_untrained_block_adds_a_constant() -> None:
    x = torch.randn((1, 8, 9, 9))
    added = (Block(8)(x) - x).detach()
    assert added.std((2, 3)).max() < 1e-6


def test_a_block_is_its_formula() -> None:
    block = random_network().encoder[0]
    x = torch.randn((1, 8, 9, 9)).double()
    found = block.double()(x)

    def silu(y: Tensor) -> Tensor:
        return y / (1 + (-y).exp())

    inner = F.conv2d(silu(x), block.first.weight, block.first.bias, padding=1)
    wanted = x + F.conv2d(silu(inner), block.second.weight, block.second.bias, padding=1)
    np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_hints_change_the_colors() -> None:
    network, (ink, hints) = random_network(), given(40, 50)
    plain = network(ink, hints)
    made = []
    for color in ((1, 0, 0), (0, 0, 1), (0, 0, 0)):
        hints[:, :3, 20:23, 20:23] = torch.tensor(color).view(3, 1, 1)
        hints[:, 3, 20:23, 20:23] = 1
        made.append(network(ink, hints))
    for one, other in ((made[0], plain), (made[0], made[1]), (made[2], plain)):
        assert (one - other).abs().max() > 0.01


@pytest.mark.parametrize(("gap", "as_it_is", "closed"), [(0, 0, 0), (4, 1, 0), (5, 1, 1)])
def test_the_flood_fills_tell_inside_from_outside(gap: int, as_it_is: int, closed: int) -> None:
    """One with the lines as they are, one with gaps of up to four pixels closed."""
    ink, hints = torch.zeros((1, 1, 48, 64)), torch.rand((1, HINTS, 48, 64))
    ink[..., [10, 39], 10:40] = ink[..., 10:40, [10, 39]] = 1
    ink[..., 20 : 20 + gap, 10] = 0
    network, seen = random_network(), []
    network.first.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(ink, hints)
    given = F.pixel_shuffle(seen[0], 4)
    assert given.shape == (1, 1 + 2 + HINTS, 48, 64)
    np.testing.assert_array_equal(given[:, :1], ink)
    np.testing.assert_array_equal(given[:, 3:], hints)
    inside, outside = given[0, 1:3, 13:37, 13:37], given[0, 1:3, :, 48:]
    assert (outside == 1).all()
    np.testing.assert_allclose(inside[0], as_it_is, atol=1e-3)
    np.testing.assert_allclose(inside[1], closed, atol=1e-3)


def test_pictures_of_a_batch_are_independent() -> None:
    network, (ink, hints) = random_network(), given(32, 48)
    both = network(torch.cat((ink, 0 * ink)), torch.cat((hints, hints)))
    # convolutions of another batch size may round differently; a leak would show in percents
    np.testing.assert_allclose(both[:1], network(ink, hints), atol=1e-4)


def test_padding_is_bare_paper() -> None:
    network, (ink, hints) = random_network(), given(100, 130)
    whole = network(*(F.pad(one, (0, 14, 0, 12)) for one in (ink, hints)))  # to 112 × 144
    np.testing.assert_allclose(whole[..., :100, :130], network(ink, hints), atol=1e-6)


@pytest.mark.parametrize("widths", [(8, 12, 16), WIDTHS])
def test_distant_paper_hardly_matters(widths: tuple[int, ...]) -> None:
    """Only the mean over the picture sees it: 1 to 3% of the deviation with random weights."""
    network, (ink, hints) = random_network(widths), given(100, 130)
    plain = network(ink, hints)
    for more in ((0, 94, 0, 60), (0, 382, 0, 156)):
        wide = network(*(F.pad(one, more) for one in (ink, hints)))
        off = (wide[..., :100, :130] - plain)[..., 30:60, 40:80].abs().max()
        assert off < 0.04 * plain.std()


def test_without_the_mean_distant_paper_does_not_matter() -> None:
    network, (ink, hints) = random_network(), given(100, 130)
    network.everywhere.weight.zero_()
    wide = network(*(F.pad(one, (0, 382, 0, 156)) for one in (ink, hints)))
    off = (wide[..., :100, :130] - network(ink, hints)).abs()
    # 0, but for the rounding of convolutions of another width
    assert off[..., :20, :40].max() < 1e-5 and off[..., 30:60, 40:80].max() < 1e-4
    assert off.max() < 5e-3  # where convolutions see past the padding
