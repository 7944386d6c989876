"""Weights files of upscalers: loaded, interpolated, or refused in one line."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from limner.errors import WeightsError
from limner.nn import weights
from limner.upscaling.compact import Compact
from limner.upscaling.models import SpandrelModel, Upscaler, interpolate, load
from limner.upscaling.rrdb import RRDB
from limner.upscaling.upscale import upscale

CPU = torch.device("cpu")
State = dict[str, Tensor]


def drawn(network: Upscaler, seed: int = 0) -> Upscaler:
    """Give a network new random weights, also slopes and biases."""
    random = torch.Generator().manual_seed(seed)
    for parameter in network.requires_grad_(False).parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.2)
    return network


def picture() -> Tensor:
    return torch.rand((1, 3, 6, 9), generator=torch.Generator().manual_seed(1))


def written(path: Path, state: State) -> Path:
    if path.suffix == ".safetensors":
        weights.write(path, state, {})
    else:
        torch.save(state, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as raised:
        load(path, CPU)
    said = str(raised.value)
    assert said.startswith(f"{path}: ") and "\n" not in said
    return said.removeprefix(f"{path}: ")


# --- compact ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("width", "depth", "scale"), [(8, 1, 1), (8, 2, 2), (5, 6, 3), (12, 1, 4), (3, 0, 2)]
)
def test_a_compact_file_determines_its_network(
    tmp_path: Path, suffix: str, width: int, depth: int, scale: int
) -> None:
    saved = drawn(Compact(width, depth, scale))
    found = load(written(tmp_path / f"a{suffix}", saved.state_dict()), CPU)
    assert isinstance(found, Compact) and (found.scale, found.radius) == (scale, depth + 2)
    shapes = [tuple(p.shape) for p in found.parameters() if p.dim() == 4]
    inner = [(width, width, 3, 3)] * depth
    assert shapes == [(width, 3, 3, 3), *inner, (3 * scale**2, width, 3, 3)]
    large = found(picture())
    assert large.shape == (1, 3, 6 * scale, 9 * scale)
    np.testing.assert_array_equal(large, saved(picture()))
    assert not found.training and not any(p.requires_grad for p in found.parameters())


@pytest.mark.parametrize("wrapper", ["params", "params_ema", "state_dict"])
def test_wrappers_of_training_code_are_removed(tmp_path: Path, wrapper: str) -> None:
    saved = drawn(Compact(8, 1, 2))
    torch.save({wrapper: saved.state_dict(), "step": 3}, tmp_path / "a.pth")
    np.testing.assert_array_equal(load(tmp_path / "a.pth", CPU)(picture()), saved(picture()))


@pytest.mark.parametrize("order", [["params", "params_ema"], ["params_ema", "params"]])
def test_averaged_weights_are_preferred(tmp_path: Path, order: list[str]) -> None:
    """As in Real-ESRGAN (realesrgan/utils.py)."""
    both = {"params": drawn(Compact(8, 1, 2), 1), "params_ema": drawn(Compact(8, 1, 2), 2)}
    torch.save({name: both[name].state_dict() for name in order}, tmp_path / "a.pth")
    np.testing.assert_array_equal(
        load(tmp_path / "a.pth", CPU)(picture()), both["params_ema"](picture())
    )


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("network", [Compact(8, 2, 2), RRDB(8, 4, 1, 2, 1)])
def test_half_precision_is_read(tmp_path: Path, network: Upscaler, suffix: str) -> None:
    halves = {key: value.half() for key, value in drawn(network).state_dict().items()}
    found = load(written(tmp_path / f"a{suffix}", halves), CPU)
    assert {p.dtype for p in found.parameters()} == {torch.float32}
    for key, tensor in found.state_dict().items():
        rounded = halves[key].numpy().astype(np.float32)
        np.testing.assert_array_equal(tensor, rounded, err_msg=key)
    # float16 rounds to 11 bits
    np.testing.assert_allclose(found(picture()), network(picture()), rtol=0.02, atol=0.02)


# --- ESRGAN ----------------------------------------------------------------------------------


def as_of_2018(state: State) -> State:
    pairs = [("conv_body", "trunk_conv"), ("body.", "RRDB_trunk."), ("rdb", "RDB")]
    pairs += [("conv_up", "upconv"), ("conv_hr", "HRconv")]
    found = {}
    for key, tensor in state.items():
        named = key
        for ours, theirs in pairs:
            named = named.replace(ours, theirs)
        found[named] = tensor
    return found


def as_of_old(state: State) -> State:
    """The layout of the first training code, for a ×4 network of two blocks."""
    numbers = {"conv_first": "0", "conv_body": "1.sub.2", "conv_up1": "3", "conv_up2": "6"}
    numbers |= {"conv_hr": "8", "conv_last": "10"}
    found = {}
    for key, tensor in state.items():
        layer, _, part = key.rpartition(".")
        inner = layer.replace("body.", "1.sub.").replace("rdb", "RDB") + ".0"
        found[f"model.{numbers.get(layer, inner)}.{part}"] = tensor
    return found


LAYOUTS = {"2021": dict, "2018": as_of_2018, "old": as_of_old}


@pytest.mark.parametrize("wrapper", [None, "params_ema", "state_dict"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_esrgan_file_of_any_year_is_read(
    tmp_path: Path, layout: str, wrapper: str | None
) -> None:
    saved = drawn(RRDB(8, 4, 2, 2, 1))
    state = LAYOUTS[layout](saved.state_dict())
    torch.save({wrapper: state} if wrapper else state, tmp_path / "a.pth")
    found = load(tmp_path / "a.pth", CPU)
    assert isinstance(found, RRDB) and found.scale == 4
    large = found(picture())
    assert large.shape == (1, 3, 24, 36) and not large.requires_grad
    np.testing.assert_array_equal(large, saved(picture()))


@pytest.mark.parametrize(
    ("width", "growth", "depth", "doublings", "unshuffle", "scale"),
    [(8, 4, 1, 2, 1, 4), (8, 4, 2, 2, 2, 2), (8, 2, 1, 2, 4, 1), (6, 3, 1, 3, 1, 8)],
)
def test_an_esrgan_file_determines_its_network(
    tmp_path: Path, width: int, growth: int, depth: int, doublings: int, unshuffle: int, scale: int
) -> None:
    saved = drawn(RRDB(width, growth, depth, doublings, unshuffle))
    for suffix in (".safetensors", ".pth"):
        found = load(written(tmp_path / f"a{suffix}", saved.state_dict()), CPU)
        assert isinstance(found, RRDB) and found.scale == scale and len(found.body) == depth
        large = found(picture())
        assert large.shape == (1, 3, 6 * scale, 9 * scale)
        np.testing.assert_array_equal(large, saved(picture()))


@pytest.mark.parametrize("network", [Compact(8, 1, 2), RRDB(8, 4, 1, 1, 1)])
def test_loading_keeps_the_random_state(tmp_path: Path, network: Upscaler) -> None:
    path = written(tmp_path / "a.safetensors", network.state_dict())
    before = torch.get_rng_state()
    load(path, CPU)
    assert torch.equal(torch.get_rng_state(), before)


# --- interpolation ---------------------------------------------------------------------------

SHAPES: dict[str, tuple[type[Compact] | type[RRDB], tuple[int, ...]]] = {
    "compact": (Compact, (8, 2, 2)),
    "ESRGAN": (RRDB, (8, 4, 1, 1, 1)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("detail", [0, 0.25, 0.5, 1])
def test_interpolated_weights(shape: str, detail: float) -> None:
    kind, sizes = SHAPES[shape]
    ours, theirs = (drawn(kind(*sizes), seed) for seed in (1, 2))
    by_hand = {
        key: (1 - detail) * value.double().numpy() + detail * theirs.state_dict()[key].numpy()
        for key, value in ours.state_dict().items()
    }
    before = {key: value.clone() for key, value in theirs.state_dict().items()}
    interpolate(ours, theirs, detail, "b.pth")
    for key, value in ours.state_dict().items():
        wrong = 0 if detail in (0, 1) else 1e-6
        np.testing.assert_allclose(value, by_hand[key], rtol=0, atol=wrong, err_msg=key)
        assert torch.equal(theirs.state_dict()[key], before[key])  # unchanged


@pytest.mark.parametrize(
    "other",
    [Compact(8, 3, 2), Compact(9, 2, 2), Compact(8, 2, 4), RRDB(8, 4, 1, 1, 1)],
    ids=["deeper", "wider", "another scale", "ESRGAN"],
)
def test_networks_with_different_layers_are_refused(other: Upscaler) -> None:
    ours = drawn(Compact(8, 2, 2))
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    with pytest.raises(WeightsError) as raised:
        interpolate(ours, other, 0.5, "b.pth")
    assert str(raised.value) == (
        "b.pth: has other layers than the weights of --model; use two variants of one network"
    )
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


# --- networks that spandrel builds -----------------------------------------------------------


class Foreign(nn.Module):
    """An architecture that limner does not have: doubles pixels and mixes their colors."""

    def __init__(self) -> None:
        super().__init__()
        self.colors = nn.Conv2d(3, 3, 1)

    def forward(self, picture: Tensor) -> Tensor:
        return self.colors(picture).repeat_interleave(2, 2).repeat_interleave(2, 3)


class Swin(Foreign):
    """With a buffer of integers, as in networks with window attention."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("relative_position_index", torch.arange(4))


class Descriptor:
    """Like spandrel's: calling it computes no gradient and clips to 0..1."""

    def __init__(self, model: nn.Module, channels: tuple[int, int] = (3, 3)) -> None:
        self.model, self.scale = model, 2
        self.input_channels, self.output_channels = channels

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> Tensor:
        return self.model(image).clamp_(0, 1)


class Loader:
    """Replaces spandrel's loader; the class records what it was given."""

    given: list[State] = []  # noqa: RUF012
    channels = (3, 3)

    def load_from_state_dict(self, state: State) -> Descriptor:
        self.given.append(state)
        network = Swin() if "relative_position_index" in state else Foreign()
        network.load_state_dict(state)
        return Descriptor(network, self.channels)


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> type[Loader]:
    """A fake spandrel that knows one architecture."""
    fake = ModuleType("spandrel")
    monkeypatch.setattr(fake, "ImageModelDescriptor", Descriptor, raising=False)
    monkeypatch.setattr(fake, "ModelLoader", Loader, raising=False)
    monkeypatch.setattr(Loader, "given", [])
    monkeypatch.setitem(sys.modules, "spandrel", fake)
    return Loader


def foreign(seed: int = 0, kind: type[Foreign] = Foreign) -> State:
    """Weights that change colors only a little."""
    torch.manual_seed(seed)
    state = kind().state_dict()
    state["colors.weight"] = torch.eye(3)[..., None, None] + 0.2 * torch.rand(3, 3, 1, 1) - 0.1
    return state


def by_formula(state: State, rgb: np.ndarray) -> np.ndarray:
    """The result of `Foreign` for [H, W, 3], in float64."""
    weight, bias = state["colors.weight"][..., 0, 0].double(), state["colors.bias"].double()
    mixed = rgb @ weight.numpy().T + bias.numpy()
    return mixed.clip(0, 1).repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_spandrel_builds_other_architectures(
    tmp_path: Path, suffix: str, loader: type[Loader]
) -> None:
    state = foreign()
    found = load(written(tmp_path / f"a{suffix}", state), CPU)
    assert isinstance(found, SpandrelModel) and found.scale == 2 and found.feather > 0
    assert not found.network.training
    assert not any(parameter.requires_grad for parameter in found.parameters())
    (given,) = loader.given
    assert given.keys() == state.keys()
    assert all(torch.equal(given[key], state[key]) for key in state)
    rgb = picture()[0].permute(1, 2, 0).double().numpy()
    np.testing.assert_allclose(
        found(picture())[0].permute(1, 2, 0), by_formula(state, rgb), atol=1e-6
    )


@pytest.mark.parametrize("tile", [32, None])
def test_upscale_with_a_spandrel_model(
    tmp_path: Path, tile: int | None, loader: type[Loader]
) -> None:
    state = foreign()
    path = str(written(tmp_path / "a.pth", state))
    values = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    large = upscale(Image.fromarray(values), model=path, scale=2, tile=tile, color_lock=False)
    np.testing.assert_allclose(large, by_formula(state, values / 255) * 255, atol=0.51)
    held = upscale(Image.fromarray(values), model=path, scale=2, tile=tile)
    assert held.size == (100, 80) and np.abs(np.asarray(held).mean() - values.mean()) < 0.5


def test_spandrel_is_not_used_for_our_networks(tmp_path: Path, loader: type[Loader]) -> None:
    for name, network in (("a", Compact(8, 1, 2)), ("b", RRDB(8, 4, 1, 2, 1))):
        load(written(tmp_path / f"{name}.pth", drawn(network).state_dict()), CPU)
    assert loader.given == []


def test_spandrel_models_are_interpolated(tmp_path: Path, loader: type[Loader]) -> None:
    one, other = (load(written(tmp_path / f"{n}.pth", foreign(n)), CPU) for n in (1, 2))
    interpolate(one, other, 0.5, "2.pth")
    mean = {key: (value + foreign(2)[key]) / 2 for key, value in foreign(1).items()}
    rgb = picture()[0].permute(1, 2, 0).double().numpy()
    np.testing.assert_allclose(one(picture())[0].permute(1, 2, 0), by_formula(mean, rgb), atol=1e-6)


def test_integer_buffers_are_kept(tmp_path: Path, loader: type[Loader]) -> None:
    one, other = (load(written(tmp_path / f"{n}.pth", foreign(n, Swin)), CPU) for n in (1, 2))
    interpolate(one, other, 0.5, "2.pth")
    state = one.state_dict()
    assert state["network.relative_position_index"].tolist() == [0, 1, 2, 3]
    mean = (foreign(1, Swin)["colors.weight"] + foreign(2, Swin)["colors.weight"]) / 2
    np.testing.assert_allclose(state["network.colors.weight"], mean, atol=1e-6)


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 1), (4, 4), (6, 3)])
def test_networks_for_other_than_three_colors_are_refused(
    tmp_path: Path,
    loader: type[Loader],
    channels: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loader, "channels", channels)
    said = refusal(written(tmp_path / "a.pth", foreign()))
    assert said == "not for upscaling RGB pictures; use weights of an upscaler"


def test_models_that_are_not_for_pictures_are_refused(
    tmp_path: Path, loader: type[Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "load_from_state_dict", lambda *_: object())  # no image descriptor
    said = refusal(written(tmp_path / "a.pth", foreign()))
    assert said == "not for upscaling RGB pictures; use weights of an upscaler"


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, ValueError, ZeroDivisionError])
def test_weights_unknown_to_spandrel_are_refused_in_one_line(
    tmp_path: Path,
    loader: type[Loader],
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise kind("of\ntwo lines")

    monkeypatch.setattr(loader, "load_from_state_dict", fail)
    said = refusal(written(tmp_path / "a.pth", foreign()))
    assert said == (
        "not weights of a compact upscaler or of ESRGAN (its first tensors: colors.weight, "
        "colors.bias), and spandrel does not know them either; use weights of an upscaler"
    )


def test_without_spandrel_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    said = refusal(written(tmp_path / "a.pth", foreign()))
    assert said == (
        "not weights of a compact upscaler or of ESRGAN (its first tensors: colors.weight, "
        "colors.bias); use weights of one of these, or install limner[models] for other networks"
    )
    state = drawn(Compact(8, 1, 2)).state_dict()  # our own networks need no spandrel
    assert isinstance(load(written(tmp_path / "b.pth", state), CPU), Compact)


def test_a_spandrel_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchvision fails if its wheel is for another build of torch."""
    text = 'raise RuntimeError("operator torchvision::nms\\ndoes not exist")'
    (tmp_path / "spandrel.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    said = refusal(written(tmp_path / "a.pth", foreign()))
    assert "operator torchvision::nms does not exist" in said


# --- refusals --------------------------------------------------------------------------------


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("wrapper", [None, "params_ema"])
def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, wrapper: str | None, loader: type[Loader]
) -> None:
    path, target = tmp_path / "a.pth", tmp_path / "was here"
    state = {**Compact(8, 1, 2).state_dict(), "more": Hostile(target)}
    torch.save({wrapper: state} if wrapper else state, path)
    assert "could run code, so limner does not open it" in refusal(path)
    assert not target.exists() and loader.given == []
    torch.load(path, weights_only=False)  # the file is dangerous indeed
    assert target.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_missing_and_a_damaged_file_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    assert refusal(path).startswith("there is no such weights file")
    written(path, Compact(8, 1, 2).state_dict())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in refusal(path)
    for data in (b"not weights at all", b"hello\n", b"(lp0\n."):
        path.write_bytes(data)
        assert refusal(path) == "is a text file, not weights; download them again"
    for data in (b"", b"\x80\x02a."):
        path.write_bytes(data)
        assert refusal(path).startswith(("is damaged, or not a weights file", "holds more than"))
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    assert refusal(path) == "is a Git LFS pointer, not weights; get them with git lfs pull"


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


UNKNOWN: dict[str, State] = {
    "VGG": {"features.0.weight": zeros(8, 3, 3, 3), "features.0.bias": zeros(8)},
    "EDSR": {
        "conv_first.weight": zeros(8, 3, 3, 3),
        "body.0.conv1.weight": zeros(8, 8, 3, 3),
        "conv_last.weight": zeros(3, 8, 3, 3),
    },
    "flat": {"conv_first.weight": zeros(8), "body.0.rdb1.conv1.weight": zeros(8)},
    "one model": {"model.0.weight": zeros(8, 3), "model.2.weight": zeros(3, 8)},
    "linear body": {"body.0.weight": zeros(8, 3), "body.1.weight": zeros(8)},
    "a head beside": {
        "body.0.weight": zeros(8, 3, 3, 3),
        "body.1.weight": zeros(8),
        "head.weight": zeros(3, 8, 3, 3),
    },
    "nothing": {},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_weights_of_another_network_are_refused_with_their_first_keys(
    tmp_path: Path, name: str
) -> None:
    state = UNKNOWN[name]
    said = refusal(written(tmp_path / "a.pth", state))
    assert said.startswith("not weights of a compact upscaler or of ESRGAN")
    assert ", ".join(list(state)[:3]) in said


def test_keys_with_line_breaks_are_refused_in_one_line(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "a.pth", {"a\nb\x1b[31m": zeros(1)}))


def test_keys_that_are_not_strings_are_refused(tmp_path: Path) -> None:
    torch.save({0: zeros(8, 3, 3, 3), 1: zeros(8)}, tmp_path / "a.pth")
    assert refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("channels", [1, 4, 6, 13, 24])
def test_a_compact_file_whose_last_layer_fits_no_scale_is_refused(
    tmp_path: Path, channels: int
) -> None:
    state = Compact(8, 1, 2).state_dict()
    state["body.4.weight"], state["body.4.bias"] = zeros(channels, 8, 3, 3), zeros(channels)
    assert "not weights of a compact upscaler" in refusal(written(tmp_path / "a.pth", state))


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("body.2.weight", "not weights of a compact upscaler"),
        ("body.3.weight", "is for another network (body.3.weight is missing)"),
        ("body.4.bias", "is for another network (body.4.bias is missing)"),
    ],
)
def test_a_compact_file_that_lacks_a_tensor_is_refused(
    tmp_path: Path, missing: str, says: str
) -> None:
    state = Compact(8, 1, 2).state_dict()
    del state[missing]
    assert refusal(written(tmp_path / "a.pth", state)).startswith(says)


@pytest.mark.parametrize(
    "missing",
    [
        "conv_first.weight",
        "conv_first.bias",
        "body.0.rdb1.conv1.weight",
        "body.0.rdb3.conv4.weight",
        "body.1.rdb2.conv5.bias",
        "conv_body.weight",
        "conv_up1.bias",
        "conv_up1.weight",
        "conv_up2.weight",
        "conv_hr.weight",
        "conv_last.weight",
        "conv_last.bias",
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_esrgan_file_that_lacks_a_tensor_is_refused(
    tmp_path: Path, layout: str, missing: str
) -> None:
    state = RRDB(8, 4, 2, 2, 1).state_dict()
    whole = LAYOUTS[layout](state)
    (missing_key,) = [key for key, value in whole.items() if value is state[missing]]
    del whole[missing_key]
    assert refusal(written(tmp_path / "a.pth", whole))


@pytest.mark.parametrize("channels", [1, 4])
def test_an_esrgan_file_for_other_than_three_colors_is_refused(
    tmp_path: Path, channels: int
) -> None:
    state = RRDB(8, 4, 1, 2, 1).state_dict()
    state["conv_first.weight"] = zeros(8, channels, 3, 3)
    assert refusal(written(tmp_path / "a.pth", state))


def test_an_esrgan_file_with_a_scale_below_1_is_refused(tmp_path: Path) -> None:
    state = RRDB(8, 4, 1, 1, 1).state_dict()
    state["conv_first.weight"] = zeros(8, 48, 3, 3)  # unshuffle by 4, then upsample by 2
    assert refusal(written(tmp_path / "a.pth", state))


@pytest.mark.parametrize("key", ["body.0.weight", "body.0.rdb1.conv1.weight"])
def test_a_number_where_a_layer_should_be_is_refused(tmp_path: Path, key: str) -> None:
    network = Compact(8, 1, 2) if key == "body.0.weight" else RRDB(8, 4, 1, 2, 1)
    assert refusal(written(tmp_path / "a.pth", network.state_dict() | {key: zeros()}))


def test_a_high_block_number_does_not_build_many_blocks(tmp_path: Path) -> None:
    state = RRDB(8, 4, 1, 2, 1).state_dict()
    state["body.900000.rdb1.conv1.weight"] = zeros(4, 8, 3, 3)
    assert refusal(written(tmp_path / "a.pth", state))
