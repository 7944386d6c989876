"""The perceptual networks, against the same computation in NumPy."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.errors import OptionError, WeightsError
from limner.nn import features, weights
from limner.nn.features import VGG, Padding

# Numbers of the convolutions in torchvision's `features`, where ReLU and pooling count too
# (torchvision/models/vgg.py, configurations D and E).
TORCHVISION = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
}


def layers_of(*depths: int) -> list[str]:
    return [f"{block}_{i + 1}" for block, depth in enumerate(depths, 1) for i in range(depth)]


NAMES = {
    "vgg16": layers_of(2, 2, 3, 3, 3),
    "vgg19": layers_of(2, 2, 4, 4, 4),
    "compact": layers_of(2, 2, 3, 3, 1),
}
STATISTICS = {  # of ImageNet, as torchvision publishes them
    "vgg16": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "vgg19": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "compact": ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
}


def noise(height: int, width: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.rand((1, 3, height, width), generator=random, dtype=torch.float64)


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mode: str) -> np.ndarray:
    """Convolve [C, H, W] to [D, H, W]: a sum over the nine positions of a 3×3 kernel."""
    _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode=mode)  # type: ignore[call-overload]
    found = np.broadcast_to(bias[:, None, None], (len(bias), height, width)).copy()
    for i in range(3):
        for j in range(3):
            window = padded[:, i : i + height, j : j + width]
            found += np.tensordot(weight[:, :, i, j], window, 1)
    return found


def pool(x: np.ndarray, how: Callable[..., np.ndarray]) -> np.ndarray:
    channels, height, width = x.shape
    whole = x[:, : height // 2 * 2, : width // 2 * 2]
    return how(whole.reshape(channels, height // 2, 2, width // 2, 2), axis=(2, 4))


def by_hand(
    network: VGG, picture: torch.Tensor, mode: str, layers: list[str]
) -> dict[str, np.ndarray]:
    mean, deviation = np.array(STATISTICS[network.shape])[:, :, None, None]
    x = (picture[0].numpy() - mean) / deviation
    found = {}
    for name in layers:
        if name.endswith("_1") and name != "1_1":
            x = pool(x, np.mean if network.shape == "compact" else np.max)
        layer = network.convolutions[name]
        weight, bias = (layer.get_parameter(p).detach().numpy() for p in ("weight", "bias"))
        x = np.maximum(convolve(x, weight, bias, mode), 0)
        found[name] = x
    return found


@pytest.mark.parametrize(
    ("shape", "padding", "mode", "size", "deepest"),
    [
        ("compact", "replicate", "edge", (16, 16), "5_1"),
        ("compact", "replicate", "edge", (19, 38), "5_1"),
        ("compact", "zeros", "constant", (16, 21), "5_1"),
        ("compact", "reflect", "reflect", (17, 24), "4_3"),  # 2 rows at least
        ("vgg19", "zeros", "constant", (16, 16), "5_4"),
        ("vgg16", "replicate", "edge", (11, 9), "3_3"),
    ],
)
def test_every_layer_against_numpy(
    shape: str, padding: Padding, mode: str, size: tuple[int, int], deepest: str
) -> None:
    torch.manual_seed(0)
    network = VGG(shape, padding).double()
    for layer in network.convolutions.values():
        torch.nn.init.normal_(layer.get_parameter("bias"), std=0.3)
    picture, layers = noise(*size), [layer for layer in NAMES[shape] if layer <= deepest]
    with torch.no_grad():
        ours = network(picture, layers)
    theirs = by_hand(network, picture, mode, layers)
    assert list(ours) == layers
    for layer in layers:
        assert theirs[layer].max() > 1e-3  # no dead layer, which would equal anything
        # the buffers of mean and deviation are float32
        np.testing.assert_allclose(ours[layer][0].numpy(), theirs[layer], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", ["compact", "vgg16", "vgg19"])
def test_the_convolutions_are_those_of_the_paper(shape: str) -> None:
    network = VGG(shape)
    assert list(network.convolutions) == NAMES[shape] == features.layers_of(shape)
    widths = (16, 32, 64, 128, 128) if shape == "compact" else (64, 128, 256, 512, 512)
    before = 3
    for name, layer in network.convolutions.items():
        width = widths[int(name[0]) - 1]
        assert layer.get_parameter("weight").shape == (width, before, 3, 3)
        before = width


@pytest.mark.parametrize(("height", "width"), [(16, 16), (37, 50), (64, 31)])
def test_a_layer_has_the_stride_of_its_block(height: int, width: int) -> None:
    network = VGG("compact").requires_grad_(False)
    found = network(torch.rand(2, 3, height, width), NAMES["compact"])
    for layer, feature in found.items():
        block = int(layer[0])
        channels = (16, 32, 64, 128, 128)[block - 1]
        halved = (height >> (block - 1), width >> (block - 1))
        assert feature.shape == (2, channels, *halved)


def test_only_requested_layers_are_returned() -> None:
    network = VGG("compact").requires_grad_(False)
    picture = torch.rand(1, 3, 16, 16)
    everything = network(picture, NAMES["compact"])
    some = network(picture, ("3_1", "1_1"))
    assert set(some) == {"1_1", "3_1"}
    for layer, feature in some.items():
        np.testing.assert_array_equal(feature, everything[layer])


# --- receptive fields ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "layer", "radius"),
    # by hand: the pixels of each convolution and pooling up to the layer, added up
    [
        ("compact", "1_1", 1),
        ("compact", "1_2", 2),
        ("compact", "2_1", 2 + 1 + 2),
        ("compact", "3_1", 2 + 1 + 4 + 2 + 4),
        ("compact", "4_2", 2 + 1 + 4 + 2 + 12 + 4 + 16),
        ("compact", "5_1", 2 + 1 + 4 + 2 + 12 + 4 + 24 + 8 + 16),
        ("vgg19", "5_2", 2 + 1 + 4 + 2 + 16 + 4 + 32 + 8 + 32),
    ],
)
def test_the_receptive_radius_by_hand(shape: str, layer: str, radius: int) -> None:
    assert features.receptive_radius(shape, layer) == radius


@pytest.mark.parametrize(
    ("shape", "layer", "side"),
    [
        ("compact", "1_2", 24),
        ("compact", "2_2", 40),
        ("compact", "3_3", 80),
        ("compact", "4_2", 128),
        ("compact", "5_1", 208),
        ("vgg16", "2_2", 40),
    ],
)
def test_no_layer_sees_beyond_its_receptive_radius(shape: str, layer: str, side: int) -> None:
    torch.manual_seed(0)
    network = VGG(shape).double().requires_grad_(False)
    for convolution in network.convolutions.values():  # nothing cancels, and every ReLU is open
        convolution.get_parameter("weight").abs_()
    radius, stride = features.receptive_radius(shape, layer), 2 ** (int(layer[0]) - 1)
    distances = []
    # pooling reaches further to one side than to the other, so the position of a pixel in its
    # block matters; the one at `furthest` is just inside the receptive field
    furthest = (side // 2 - radius) // stride * stride + radius
    for pixel in {side // 2 // stride * stride, furthest}:
        picture = torch.ones((1, 3, side, side), dtype=torch.float64)
        before = network(picture, [layer])[layer]
        picture[..., pixel, pixel] = 1000
        # bit for bit: what the pixel does not reach is computed from the same numbers
        changed = (network(picture, [layer])[layer] != before).any(1)[0].nonzero() * stride
        distance = int((changed - pixel).abs().max())
        assert distance <= radius
        distances.append(distance)
    assert max(distances) == radius  # and the radius is no looser than it has to be


# --- loading ---------------------------------------------------------------------------------


def torchvision_state(shape: str) -> dict[str, torch.Tensor]:
    """Every convolution is filled with its own number in torchvision's `features`."""
    state, before = {}, 3
    for name, index in zip(NAMES[shape], TORCHVISION[shape], strict=True):
        width = (64, 128, 256, 512, 512)[int(name[0]) - 1]
        filled = torch.full((), index, dtype=torch.float16)
        state[f"features.{index}.weight"] = filled.expand(width, before, 3, 3)
        state[f"features.{index}.bias"] = (filled + 0.5).expand(width)
        before = width
    return state


@pytest.mark.parametrize("shape", ["vgg16", "vgg19"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_with_the_names_of_torchvision(tmp_path: Path, shape: str, suffix: str) -> None:
    path, state = tmp_path / f"theirs{suffix}", torchvision_state(shape)
    state["classifier.0.weight"] = torch.zeros(2, 2)  # not part of our network
    if suffix == ".pth":
        torch.save({key: value.clone() for key, value in state.items()}, path)
    else:
        weights.write(path, state, {})
    network = features.load(str(path), padding="zeros")
    assert network.shape == shape and not network.training
    for name, index in zip(NAMES[shape], TORCHVISION[shape], strict=True):
        layer = network.convolutions[name]
        assert isinstance(layer, torch.nn.Conv2d) and layer.padding_mode == "zeros"
        for part, value in (("weight", index), ("bias", index + 0.5)):
            tensor = layer.get_parameter(part)
            assert tensor.dtype == torch.float32 and not tensor.requires_grad
            assert tensor.min() == tensor.max() == value


def test_a_compact_file_loads_as_it_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    written = VGG("compact")
    weights.write(tmp_path / "own.safetensors", written.state_dict(), {"kind": "features"})
    read = features.load(str(tmp_path / "own.safetensors"))
    assert read.shape == "compact"
    for key, tensor in written.state_dict().items():
        np.testing.assert_array_equal(read.state_dict()[key], tensor)
    picture = torch.rand(1, 3, 20, 20)
    with torch.no_grad():
        np.testing.assert_array_equal(
            read(picture, ["5_1"])["5_1"], written(picture, ["5_1"])["5_1"]
        )


@pytest.mark.parametrize("name", ["vgg", "VGG19", "alexnet", "", "weights.bin"])
def test_an_unknown_name_is_refused_with_the_choices(name: str) -> None:
    says = ": must be one of compact, vgg16, vgg19, or the path of a weights file (.safetensors, "
    with pytest.raises(OptionError, match=re.escape(says)) as raised:
        features.load(name)
    assert str(raised.value).startswith(f"--features {name or '(empty name)'}: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors: there is no such weights file"):
        features.load(str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize("key", ["convolutions.1_1.weight", "convolutions.4_2.bias"])
def test_a_tensor_that_is_missing_or_of_another_shape_is_named(tmp_path: Path, key: str) -> None:
    state = VGG("compact").state_dict()
    path = tmp_path / "a.safetensors"
    tensor = state.pop(key)
    weights.write(path, state, {})
    with pytest.raises(WeightsError, match=f"is for another network .{key} is missing.; give"):
        features.load(str(path))
    weights.write(path, state | {key: tensor[1:]}, {})
    shapes = f"{key} is {tuple(tensor[1:].shape)}, not {tuple(tensor.shape)}"
    with pytest.raises(WeightsError, match=re.escape(shapes)):
        features.load(str(path))


def test_a_torchvision_file_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    state = torchvision_state("vgg16")
    del state["features.14.weight"]
    torch.save({key: value.clone() for key, value in state.items()}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"convolutions\.3_3\.weight is missing"):
        features.load(str(tmp_path / "a.pth"))


def test_any_other_weights_file_is_refused(tmp_path: Path) -> None:
    weights.write(tmp_path / "a.safetensors", {"layer.weight": torch.zeros(3)}, {})
    with pytest.raises(WeightsError, match=r"convolutions\.1_1\.weight is missing"):
        features.load(str(tmp_path / "a.safetensors"))


def test_loading_keeps_the_random_state_of_the_program() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    features.load("compact")
    np.testing.assert_array_equal(torch.get_rng_state(), before)
    VGG("compact")  # while building a network draws random weights
    assert not torch.equal(torch.get_rng_state(), before)
