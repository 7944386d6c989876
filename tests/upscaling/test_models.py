"""Weights files of upscaling networks: read for what they are, mixed, or refused in a line."""

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
from limner.upscaling.models import Other, Upscaler, load, mix
from limner.upscaling.rrdb import RRDB
from limner.upscaling.upscale import upscale

CPU = torch.device("cpu")
State = dict[str, Tensor]


def drawn(network: Upscaler, seed: int = 0) -> Upscaler:
    """With every number drawn anew, slopes and biases too."""
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
def test_a_compact_file_says_what_it_is(
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
def test_what_training_codes_wrap_around_is_taken_off(tmp_path: Path, wrapper: str) -> None:
    saved = drawn(Compact(8, 1, 2))
    torch.save({wrapper: saved.state_dict(), "step": 3}, tmp_path / "a.pth")
    np.testing.assert_array_equal(load(tmp_path / "a.pth", CPU)(picture()), saved(picture()))


@pytest.mark.parametrize("order", [["params", "params_ema"], ["params_ema", "params"]])
def test_averaged_weights_are_preferred(tmp_path: Path, order: list[str]) -> None:
    """As Real-ESRGAN itself does (realesrgan/utils.py)."""
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
    """The layout of the first training code, of a ×4 network of two blocks."""
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
    ("width", "growth", "depth", "doublings", "folded", "scale"),
    [(8, 4, 1, 2, 1, 4), (8, 4, 2, 2, 2, 2), (8, 2, 1, 2, 4, 1), (6, 3, 1, 3, 1, 8)],
)
def test_an_esrgan_file_says_what_it_is(
    tmp_path: Path, width: int, growth: int, depth: int, doublings: int, folded: int, scale: int
) -> None:
    saved = drawn(RRDB(width, growth, depth, doublings, folded))
    for suffix in (".safetensors", ".pth"):
        found = load(written(tmp_path / f"a{suffix}", saved.state_dict()), CPU)
        assert isinstance(found, RRDB) and found.scale == scale and len(found.body) == depth
        large = found(picture())
        assert large.shape == (1, 3, 6 * scale, 9 * scale)
        np.testing.assert_array_equal(large, saved(picture()))


# --- two networks mixed ----------------------------------------------------------------------

SHAPES: dict[str, tuple[type[Compact] | type[RRDB], tuple[int, ...]]] = {
    "compact": (Compact, (8, 2, 2)),
    "ESRGAN": (RRDB, (8, 4, 1, 1, 1)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("detail", [0, 0.25, 0.5, 1])
def test_weights_lie_between_those_of_two(shape: str, detail: float) -> None:
    kind, sizes = SHAPES[shape]
    ours, theirs = (drawn(kind(*sizes), seed) for seed in (1, 2))
    by_hand = {
        key: (1 - detail) * value.double().numpy() + detail * theirs.state_dict()[key].numpy()
        for key, value in ours.state_dict().items()
    }
    before = {key: value.clone() for key, value in theirs.state_dict().items()}
    mix(ours, theirs, detail, "b.pth")
    for key, value in ours.state_dict().items():
        wrong = 0 if detail in (0, 1) else 1e-6
        np.testing.assert_allclose(value, by_hand[key], rtol=0, atol=wrong, err_msg=key)
        assert torch.equal(theirs.state_dict()[key], before[key])  # which stays what it was


@pytest.mark.parametrize(
    "other",
    [Compact(8, 3, 2), Compact(9, 2, 2), Compact(8, 2, 4), RRDB(8, 4, 1, 1, 1)],
    ids=["deeper", "wider", "another scale", "ESRGAN"],
)
def test_networks_of_two_shapes_are_not_mixed(other: Upscaler) -> None:
    ours = drawn(Compact(8, 2, 2))
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    with pytest.raises(WeightsError) as raised:
        mix(ours, other, 0.5, "b.pth")
    assert str(raised.value) == (
        "b.pth: not of the same shape as the faithful weights; use two of one network"
    )
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


# --- what spandrel knows ---------------------------------------------------------------------


class Strange(nn.Module):
    """Of an architecture that is not ours: pixels doubled, their colours mixed."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 3, 1)

    def forward(self, picture: Tensor) -> Tensor:
        return self.colours(picture).repeat_interleave(2, 2).repeat_interleave(2, 3)


class Swin(Strange):
    """With a table of whole numbers, as many have that see in windows."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("relative_position_index", torch.arange(4))


class Descriptor:
    """As spandrel's: its call takes no gradient, and keeps within 0 and 1."""

    def __init__(self, model: nn.Module, channels: tuple[int, int] = (3, 3)) -> None:
        self.model, self.scale = model, 2
        self.input_channels, self.output_channels = channels

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> Tensor:
        return self.model(image).clamp_(0, 1)


class Loader:
    """Stands in for spandrel's; what it was given and what it gives are the class's."""

    given: list[State] = []  # noqa: RUF012
    channels = (3, 3)

    def load_from_state_dict(self, state: State) -> Descriptor:
        self.given.append(state)
        network = Swin() if "relative_position_index" in state else Strange()
        network.load_state_dict(state)
        return Descriptor(network, self.channels)


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> type[Loader]:
    """A spandrel that knows one architecture."""
    fake = ModuleType("spandrel")
    monkeypatch.setattr(fake, "ImageModelDescriptor", Descriptor, raising=False)
    monkeypatch.setattr(fake, "ModelLoader", Loader, raising=False)
    monkeypatch.setattr(Loader, "given", [])
    monkeypatch.setitem(sys.modules, "spandrel", fake)
    return Loader


def strange(seed: int = 0, kind: type[Strange] = Strange) -> State:
    """Weights that keep colours about as they are."""
    torch.manual_seed(seed)
    state = kind().state_dict()
    state["colours.weight"] = torch.eye(3)[..., None, None] + 0.2 * torch.rand(3, 3, 1, 1) - 0.1
    return state


def by_formula(state: State, rgb: np.ndarray) -> np.ndarray:
    """What `Strange` makes of [H, W, 3], in 64 bits."""
    weight, bias = state["colours.weight"][..., 0, 0].double(), state["colours.bias"].double()
    mixed = rgb @ weight.numpy().T + bias.numpy()
    return mixed.clip(0, 1).repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_another_architecture_is_left_to_spandrel(
    tmp_path: Path, suffix: str, loader: type[Loader]
) -> None:
    state = strange()
    found = load(written(tmp_path / f"a{suffix}", state), CPU)
    assert isinstance(found, Other) and found.scale == 2 and found.feather > 0
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
def test_a_picture_is_enlarged_by_it(
    tmp_path: Path, tile: int | None, loader: type[Loader]
) -> None:
    state = strange()
    path = str(written(tmp_path / "a.pth", state))
    values = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    large = upscale(Image.fromarray(values), model=path, scale=2, tile=tile, colour_lock=False)
    np.testing.assert_allclose(large, by_formula(state, values / 255) * 255, atol=0.51)
    held = upscale(Image.fromarray(values), model=path, scale=2, tile=tile)
    assert held.size == (100, 80) and np.abs(np.asarray(held).mean() - values.mean()) < 0.5


def test_it_is_asked_for_nothing_that_is_ours(tmp_path: Path, loader: type[Loader]) -> None:
    for name, network in (("a", Compact(8, 1, 2)), ("b", RRDB(8, 4, 1, 2, 1))):
        load(written(tmp_path / f"{name}.pth", drawn(network).state_dict()), CPU)
    assert loader.given == []


def test_two_that_spandrel_knows_are_mixed(tmp_path: Path, loader: type[Loader]) -> None:
    one, other = (load(written(tmp_path / f"{n}.pth", strange(n)), CPU) for n in (1, 2))
    mix(one, other, 0.5, "2.pth")
    mean = {key: (value + strange(2)[key]) / 2 for key, value in strange(1).items()}
    rgb = picture()[0].permute(1, 2, 0).double().numpy()
    np.testing.assert_allclose(one(picture())[0].permute(1, 2, 0), by_formula(mean, rgb), atol=1e-6)


def test_whole_numbers_among_the_weights_are_kept(tmp_path: Path, loader: type[Loader]) -> None:
    one, other = (load(written(tmp_path / f"{n}.pth", strange(n, Swin)), CPU) for n in (1, 2))
    mix(one, other, 0.5, "2.pth")
    state = one.state_dict()
    assert state["network.relative_position_index"].tolist() == [0, 1, 2, 3]
    mean = (strange(1, Swin)["colours.weight"] + strange(2, Swin)["colours.weight"]) / 2
    np.testing.assert_allclose(state["network.colours.weight"], mean, atol=1e-6)


@pytest.mark.parametrize("channels", [(1, 1), (1, 3), (3, 1), (4, 4), (6, 3)])
def test_networks_for_other_than_three_colours_are_refused(
    tmp_path: Path,
    loader: type[Loader],
    channels: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loader, "channels", channels)
    said = refusal(written(tmp_path / "a.pth", strange()))
    assert said == "a network for something else than enlarging pictures of RGB"


def test_networks_that_fill_holes_are_refused(
    tmp_path: Path, loader: type[Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "load_from_state_dict", lambda *_: object())  # no image descriptor
    said = refusal(written(tmp_path / "a.pth", strange()))
    assert said == "a network for something else than enlarging pictures of RGB"


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, ValueError, ZeroDivisionError])
def test_what_spandrel_does_not_know_is_refused_in_a_line(
    tmp_path: Path,
    loader: type[Loader],
    kind: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise kind("of\ntwo lines")

    monkeypatch.setattr(loader, "load_from_state_dict", fail)
    said = refusal(written(tmp_path / "a.pth", strange()))
    assert said == (
        "neither a compact upscaler nor ESRGAN's network (it begins with colours.weight, "
        "colours.bias), nor anything that spandrel knows"
    )


def test_without_spandrel_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    said = refusal(written(tmp_path / "a.pth", strange()))
    assert said == (
        "neither a compact upscaler nor ESRGAN's network (it begins with colours.weight, "
        "colours.bias); use weights of one of these, or install limner[models] for more"
    )
    state = drawn(Compact(8, 1, 2)).state_dict()  # which are ours need nobody
    assert isinstance(load(written(tmp_path / "b.pth", state), CPU), Compact)


def test_a_spandrel_that_cannot_be_imported_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So torchvision fails whose wheel is of another build of torch."""
    text = 'raise RuntimeError("operator torchvision::nms\\ndoes not exist")'
    (tmp_path / "spandrel.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    said = refusal(written(tmp_path / "a.pth", strange()))
    assert "operator torchvision::nms does not exist" in said


# --- what is refused -------------------------------------------------------------------------


class Hostile:
    """Unpickled by a careless reader, it makes a file."""

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
    assert "could run code, so it was not opened" in refusal(path)
    assert not target.exists() and loader.given == []
    torch.load(path, weights_only=False)  # and it would have
    assert target.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_missing_and_a_damaged_file_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    assert refusal(path).startswith("no such weights file")
    written(path, Compact(8, 1, 2).state_dict())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in refusal(path)
    path.write_bytes(b"not weights at all")
    assert refusal(path)


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape)


STRANGERS: dict[str, State] = {
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


@pytest.mark.parametrize("name", STRANGERS)
def test_weights_of_another_network_are_refused_by_their_first_keys(
    tmp_path: Path, name: str
) -> None:
    state = STRANGERS[name]
    said = refusal(written(tmp_path / "a.pth", state))
    assert said.startswith("neither a compact upscaler nor ESRGAN's network")
    assert ", ".join(list(state)[:3]) in said


def test_keys_of_two_lines_are_refused_in_one(tmp_path: Path) -> None:
    assert refusal(written(tmp_path / "a.pth", {"a\nb\x1b[31m": zeros(1)}))


def test_keys_that_are_no_text_are_refused(tmp_path: Path) -> None:
    torch.save({0: zeros(8, 3, 3, 3), 1: zeros(8)}, tmp_path / "a.pth")
    assert refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("channels", [1, 4, 6, 13, 24])
def test_a_compact_file_whose_last_layer_fits_no_scale_is_refused(
    tmp_path: Path, channels: int
) -> None:
    state = Compact(8, 1, 2).state_dict()
    state["body.4.weight"], state["body.4.bias"] = zeros(channels, 8, 3, 3), zeros(channels)
    assert "neither a compact upscaler" in refusal(written(tmp_path / "a.pth", state))


@pytest.mark.parametrize("missing", ["body.2.weight", "body.3.weight", "body.4.bias"])
def test_a_compact_file_that_lacks_a_tensor_is_refused(tmp_path: Path, missing: str) -> None:
    state = Compact(8, 1, 2).state_dict()
    del state[missing]
    assert "weights of" in refusal(written(tmp_path / "a.pth", state))


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
    (lacking,) = [key for key, value in whole.items() if value is state[missing]]
    del whole[lacking]
    assert refusal(written(tmp_path / "a.pth", whole))


@pytest.mark.parametrize("channels", [1, 4])
def test_an_esrgan_file_for_other_than_three_colours_is_refused(
    tmp_path: Path, channels: int
) -> None:
    state = RRDB(8, 4, 1, 2, 1).state_dict()
    state["conv_first.weight"] = zeros(8, channels, 3, 3)
    assert refusal(written(tmp_path / "a.pth", state))


def test_an_esrgan_file_that_would_make_nothing_is_refused(tmp_path: Path) -> None:
    state = RRDB(8, 4, 1, 1, 1).state_dict()
    state["conv_first.weight"] = zeros(8, 48, 3, 3)  # folds by 4, and enlarges by 2
    assert refusal(written(tmp_path / "a.pth", state))


@pytest.mark.parametrize("key", ["body.0.weight", "body.0.rdb1.conv1.weight"])
def test_a_number_where_a_layer_should_be_is_refused(tmp_path: Path, key: str) -> None:
    network = Compact(8, 1, 2) if key == "body.0.weight" else RRDB(8, 4, 1, 2, 1)
    assert refusal(written(tmp_path / "a.pth", network.state_dict() | {key: zeros()}))


def test_a_block_of_a_high_number_builds_no_more_blocks_than_there_are(tmp_path: Path) -> None:
    state = RRDB(8, 4, 1, 2, 1).state_dict()
    state["body.900000.rdb1.conv1.weight"] = zeros(4, 8, 3, 3)
    assert refusal(written(tmp_path / "a.pth", state))
