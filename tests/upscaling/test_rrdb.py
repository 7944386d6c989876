"""ESRGAN's network against the formulas of its paper, and the three layouts of key names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.upscaling.rrdb import RRDB, rename_keys

State = dict[str, Tensor]


def network_of(depth: int, doublings: int, unshuffle: int, seed: int = 0) -> RRDB:
    """Random weights, three times as large as usual, so that deep residuals matter."""
    torch.manual_seed(seed)
    network = RRDB(8, 4, depth, doublings, unshuffle).double().requires_grad_(False)
    for parameter in network.parameters():
        parameter.mul_(3)
    return network


def picture_of(height: int, width: int) -> Tensor:
    random = torch.Generator().manual_seed(7)
    return torch.rand((2, 3, height, width), generator=random, dtype=torch.float64)


def by_the_paper(
    state: State, picture: Tensor, depth: int, doublings: int, unshuffle: int
) -> Tensor:
    """Wang et al. 2018, section 3.1, with the pixel unshuffle of Wang et al. 2021."""

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def leaky_relu(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x / 5)

    def dense(name: str, x0: Tensor) -> Tensor:
        x1 = leaky_relu(conv(f"{name}.conv1", x0))
        x2 = leaky_relu(conv(f"{name}.conv2", torch.cat([x0, x1], 1)))
        x3 = leaky_relu(conv(f"{name}.conv3", torch.cat([x0, x1, x2], 1)))
        x4 = leaky_relu(conv(f"{name}.conv4", torch.cat([x0, x1, x2, x3], 1)))
        return x0 + conv(f"{name}.conv5", torch.cat([x0, x1, x2, x3, x4], 1)) / 5

    count, _, height, width = picture.shape
    # channel c · unshuffle² + i · unshuffle + j is the pixel (i, j) of each square of color c
    squares = picture.reshape(
        count, 3, height // unshuffle, unshuffle, width // unshuffle, unshuffle
    )
    channels = squares.permute(0, 1, 3, 5, 2, 4).reshape(
        count, 3 * unshuffle**2, height // unshuffle, width // unshuffle
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
        x = leaky_relu(conv(f"conv_up{number}", x.repeat_interleave(2, 2).repeat_interleave(2, 3)))
    return conv("conv_last", leaky_relu(conv("conv_hr", x)))


@pytest.mark.parametrize(
    ("depth", "doublings", "unshuffle"), [(1, 2, 1), (2, 2, 1), (2, 2, 2), (1, 2, 4), (1, 3, 1)]
)
def test_it_is_the_network_of_the_paper(depth: int, doublings: int, unshuffle: int) -> None:
    network, picture = network_of(depth, doublings, unshuffle), picture_of(8, 12)
    expected = by_the_paper(network.state_dict(), picture, depth, doublings, unshuffle)
    assert expected.std() > 0.05
    np.testing.assert_allclose(network(picture), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("part", ["body.0.rdb2.conv4.weight", "body.1.rdb3.conv5.bias"])
def test_deep_layers_change_the_result(part: str) -> None:
    """Otherwise the comparison above could not find an error in them."""
    network, picture = network_of(2, 2, 1), picture_of(8, 8)
    before = network(picture)
    network.state_dict()[part].mul_(2)
    assert (network(picture) - before).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("doublings", "unshuffle", "scale"), [(2, 1, 4), (2, 2, 2), (2, 4, 1), (3, 1, 8), (1, 1, 2)]
)
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (1, 5)])
def test_the_result_is_scale_times_larger(
    doublings: int, unshuffle: int, scale: int, size: tuple[int, int]
) -> None:
    network, picture = network_of(1, doublings, unshuffle), picture_of(*size)
    assert network.scale == scale
    assert network(picture).shape == (2, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("unshuffle", [2, 4])
@pytest.mark.parametrize("size", [(7, 9), (5, 8), (8, 6), (1, 5)])
def test_odd_sizes_are_padded_with_the_edge_and_cropped(
    unshuffle: int, size: tuple[int, int]
) -> None:
    network, picture = network_of(1, 2, unshuffle), picture_of(*size)
    below, right = (-(-length // unshuffle) * unshuffle - length for length in size)
    padded = np.pad(picture.numpy(), ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    expected = by_the_paper(network.state_dict(), torch.from_numpy(padded), 1, 2, unshuffle)
    scale = 4 // unshuffle
    expected = expected[:, :, : size[0] * scale, : size[1] * scale]
    np.testing.assert_allclose(network(picture), expected, rtol=1e-10, atol=1e-10)


# --- names -----------------------------------------------------------------------------------


def names(depth: int, doublings: int, layout: str) -> list[str]:
    """The names of all layers, in the order of the forward pass."""
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
    """Map our keys to those of a layout."""
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
        found = rename_keys(given)
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
    assert list(rename_keys({theirs: torch.zeros(1)})) == [ours]


def test_the_oldest_names_by_hand() -> None:
    """The keys of the common ×4 file of 2018, in its order."""
    layers = ["0", "1.sub.0.RDB1.conv1.0", "1.sub.22.RDB3.conv5.0", "1.sub.23", "3", "6", "8", "10"]
    expected = ["conv_first", "body.0.rdb1.conv1", "body.22.rdb3.conv5", "conv_body"]
    expected += ["conv_up1", "conv_up2", "conv_hr", "conv_last"]
    found = rename_keys({f"model.{layer}.weight": torch.zeros(1) for layer in layers})
    assert list(found) == [f"{layer}.weight" for layer in expected]
