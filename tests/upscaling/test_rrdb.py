"""ESRGAN's network against the formulas of its paper, and its three sets of key names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.upscaling.rrdb import RRDB, own_names

State = dict[str, Tensor]


def network_of(depth: int, doublings: int, folded: int, seed: int = 0) -> RRDB:
    """Random weights, three times what is usual: the fifths of fifths are to be seen."""
    torch.manual_seed(seed)
    network = RRDB(8, 4, depth, doublings, folded).double().requires_grad_(False)
    for parameter in network.parameters():
        parameter.mul_(3)
    return network


def picture_of(height: int, width: int) -> Tensor:
    random = torch.Generator().manual_seed(7)
    return torch.rand((2, 3, height, width), generator=random, dtype=torch.float64)


def by_the_paper(state: State, picture: Tensor, depth: int, doublings: int, folded: int) -> Tensor:
    """Wang et al. 2018, section 3.1, and the squares that become channels of Wang et al. 2021."""

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def bent(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x / 5)

    def dense(name: str, x0: Tensor) -> Tensor:
        x1 = bent(conv(f"{name}.conv1", x0))
        x2 = bent(conv(f"{name}.conv2", torch.cat([x0, x1], 1)))
        x3 = bent(conv(f"{name}.conv3", torch.cat([x0, x1, x2], 1)))
        x4 = bent(conv(f"{name}.conv4", torch.cat([x0, x1, x2, x3], 1)))
        return x0 + conv(f"{name}.conv5", torch.cat([x0, x1, x2, x3, x4], 1)) / 5

    count, _, height, width = picture.shape
    # channel c · folded² + i · folded + j is the pixel (i, j) of each square of colour c
    squares = picture.reshape(count, 3, height // folded, folded, width // folded, folded)
    channels = squares.permute(0, 1, 3, 5, 2, 4).reshape(
        count, 3 * folded**2, height // folded, width // folded
    )
    first = conv("conv_first", channels)
    x = first
    for block in range(depth):
        inner = x
        for number in (1, 2, 3):
            inner = dense(f"body.{block}.rdb{number}", inner)
        x = x + inner / 5
    x = first + conv("conv_body", x)
    for number in range(1, doublings + 1):
        x = bent(conv(f"conv_up{number}", x.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    return conv("conv_last", bent(conv("conv_hr", x)))


@pytest.mark.parametrize(
    ("depth", "doublings", "folded"), [(1, 2, 1), (2, 2, 1), (2, 2, 2), (1, 2, 4), (1, 3, 1)]
)
def test_it_is_the_network_of_the_paper(depth: int, doublings: int, folded: int) -> None:
    network, picture = network_of(depth, doublings, folded), picture_of(8, 12)
    wanted = by_the_paper(network.state_dict(), picture, depth, doublings, folded)
    assert wanted.std() > 0.05
    np.testing.assert_allclose(network(picture), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("part", ["body.0.rdb2.conv4.weight", "body.1.rdb3.conv5.bias"])
def test_the_deepest_parts_are_felt(part: str) -> None:
    """So that the comparison above would see any of them go wrong."""
    network, picture = network_of(2, 2, 1), picture_of(8, 8)
    before = network(picture)
    network.state_dict()[part].mul_(2)
    assert (network(picture) - before).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("doublings", "folded", "scale"), [(2, 1, 4), (2, 2, 2), (2, 4, 1), (3, 1, 8), (1, 1, 2)]
)
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (1, 5)])
def test_the_size_is_the_scale_times_it(
    doublings: int, folded: int, scale: int, size: tuple[int, int]
) -> None:
    network, picture = network_of(1, doublings, folded), picture_of(*size)
    assert network.scale == scale
    assert network(picture).shape == (2, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("folded", [2, 4])
@pytest.mark.parametrize("size", [(7, 9), (5, 8), (8, 6), (1, 5)])
def test_what_is_lacking_repeats_the_edge_and_is_cut_off(
    folded: int, size: tuple[int, int]
) -> None:
    network, picture = network_of(1, 2, folded), picture_of(*size)
    below, right = (-(-length // folded) * folded - length for length in size)
    padded = np.pad(picture.numpy(), ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    wanted = by_the_paper(network.state_dict(), torch.from_numpy(padded), 1, 2, folded)
    scale = 4 // folded
    wanted = wanted[:, :, : size[0] * scale, : size[1] * scale]
    np.testing.assert_allclose(network(picture), wanted, rtol=1e-10, atol=1e-10)


# --- names -----------------------------------------------------------------------------------


def names(depth: int, doublings: int, layout: str) -> list[str]:
    """Every layer's name, in the order in which the picture meets them."""
    ups = range(1, doublings + 1)
    dense = [(b, r, c) for b in range(depth) for r in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    if layout == "2021":
        body = [f"body.{b}.rdb{r}.conv{c}" for b, r, c in dense]
        tail = [*(f"conv_up{n}" for n in ups), "conv_hr", "conv_last"]
        return ["conv_first", *body, "conv_body", *tail]
    if layout == "2018":
        body = [f"RRDB_trunk.{b}.RDB{r}.conv{c}" for b, r, c in dense]
        tail = [*(f"upconv{n}" for n in ups), "HRconv", "conv_last"]
        return ["conv_first", *body, "trunk_conv", *tail]
    numbers = {0: (2, 4), 1: (3, 5, 7), 2: (3, 6, 8, 10), 3: (3, 6, 9, 11, 13)}[doublings]
    body = [f"model.1.sub.{b}.RDB{r}.conv{c}.0" for b, r, c in dense]
    return ["model.0", *body, f"model.1.sub.{depth}", *(f"model.{n}" for n in numbers)]


def same(depth: int, doublings: int, layout: str) -> dict[str, str]:
    """Our key → theirs."""
    pairs = zip(names(depth, doublings, "2021"), names(depth, doublings, layout), strict=True)
    return {f"{a}.{part}": f"{b}.{part}" for a, b in pairs for part in ("weight", "bias")}


@pytest.mark.parametrize("layout", ["2021", "2018", "oldest"])
@pytest.mark.parametrize(("depth", "doublings"), [(2, 2), (1, 1), (11, 2), (1, 3), (1, 0)])
def test_every_layout_is_renamed_to_ours(depth: int, doublings: int, layout: str) -> None:
    network = network_of(depth, doublings, 1)
    state, picture = network.state_dict(), picture_of(4, 5)
    theirs = {name: state[key] for key, name in same(depth, doublings, layout).items()}
    assert len(theirs) == len(state) and (layout == "2021") == (theirs.keys() == state.keys())
    for given in (theirs, dict(sorted(theirs.items()))):  # safetensors sorts its keys
        found = own_names(given)
        assert found.keys() == state.keys()
        for key, tensor in state.items():
            np.testing.assert_array_equal(found[key], tensor, err_msg=key)
    again = network_of(depth, doublings, 1, seed=1)
    assert not torch.equal(again(picture), network(picture))
    again.load_state_dict(found)
    np.testing.assert_array_equal(again(picture), network(picture))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("RRDB_trunk.22.RDB3.conv5.bias", "body.22.rdb3.conv5.bias"),
        ("trunk_conv.weight", "conv_body.weight"),
        ("upconv2.bias", "conv_up2.bias"),
        ("HRconv.weight", "conv_hr.weight"),
        ("conv_last.bias", "conv_last.bias"),
    ],
)
def test_names_by_hand(theirs: str, ours: str) -> None:
    assert list(own_names({theirs: torch.zeros(1)})) == [ours]


def test_the_oldest_names_by_hand() -> None:
    """The ×4 file of 2018 that everybody has, in the order of its keys."""
    layers = ["0", "1.sub.0.RDB1.conv1.0", "1.sub.22.RDB3.conv5.0", "1.sub.23", "3", "6", "8", "10"]
    wanted = ["conv_first", "body.0.rdb1.conv1", "body.22.rdb3.conv5", "conv_body"]
    wanted += ["conv_up1", "conv_up2", "conv_hr", "conv_last"]
    found = own_names({f"model.{layer}.weight": torch.zeros(1) for layer in layers})
    assert list(found) == [f"{layer}.weight" for layer in wanted]
