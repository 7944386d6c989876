"""Weights files of painters: written, read, and refused if they describe no network."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from limner.errors import InputError, WeightsError
from limner.generation.gan import dcgan, lightweight_gan, painter, stylegan2
from limner.generation.gan.painter import load, save
from limner.nn import weights

CPU = torch.device("cpu")
ABOUT = {"license": "that of the pictures", "training": {"steps": 3}}


@pytest.fixture(autouse=True, scope="module")
def little() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightweight_gan, "WIDTHS", (12, 10, 8, 8, 8, 8, 8, 8))
        yield


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    makers: dict[str, Callable[[], nn.Module]] = {
        "lightweight_gan": lambda: lightweight_gan.Generator((64, 96), 16),
        "dcgan": lambda: dcgan.Generator((16, 16), 8),
        "stylegan2": lambda: stylegan2.Generator(
            (16, 24),
            latent_size=16,
            mapping_layers=2,
            channel_base=64,
            channel_max=8,
            architecture="resnet",
            clamp=256.0,
        ),
    }
    return makers[name]()


# --- written and read ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lightweight_gan", "dcgan", "stylegan2"])
def test_a_written_painter_is_read_again(name: str, tmp_path: Path) -> None:
    network, path = build(name), tmp_path / "model.safetensors"
    for buffer in network.buffers():  # such as a mean that was followed
        if buffer.is_floating_point():
            buffer.add_(0.25)
    save(path, network, ABOUT)
    for where in (tmp_path, path):
        found, read = load(where, CPU)
        assert read == path and isinstance(found, type(network))
        assert isinstance(found, nn.Module) and not found.training
        assert not any(parameter.requires_grad for parameter in found.parameters())
        assert (found.size, found.latent_size, found.layers) == (
            network.size,
            network.latent_size,
            network.layers,
        )
        for key, value in network.state_dict().items():
            wanted = value.half().float() if value.is_floating_point() else value
            np.testing.assert_array_equal(found.state_dict()[key], wanted)
    z = torch.randn((2, found.latent_size))
    lots = []
    for one in (found, network.eval()):
        torch.manual_seed(1)
        lots.append(one.paint(one.map(z)))  # type: ignore[operator]
    np.testing.assert_allclose(lots[0], lots[1].detach(), atol=0.02)
    if name == "stylegan2":
        assert (found.architecture, found.clamp, found.mapping_layers) == ("resnet", 256, 2)  # type: ignore[attr-defined]


def test_a_file_describes_itself_and_has_half_precision(tmp_path: Path) -> None:
    save(tmp_path / "model.safetensors", build("stylegan2"), ABOUT)
    about = weights.describe(tmp_path / "model.safetensors")
    wanted = {"kind": "painter", "architecture": "stylegan2", "generator": "resnet"}
    numbers = {
        "size": [16, 24],
        "latent_size": 16,
        "mapping_layers": 2,
        "channel_base": 64,
        "channel_max": 8,
        "clamp": 256,
    }
    assert {key: about[key] for key in wanted} == wanted
    assert {key: json.loads(about[key]) for key in numbers} == numbers
    assert json.loads(about["training"]) == {"steps": 3}
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.half}  # noqa: SIM118


# --- refused ---------------------------------------------------------------------------------


def refused(path: Path, says: str) -> None:
    with pytest.raises(WeightsError, match=says) as error:
        load(path, CPU)
    assert "\n" not in str(error.value) and str(error.value).startswith(f"{path}: ")


SHAPED: dict[str, dict[str, Any]] = {
    "lightweight_gan": {"size": [64, 96], "latent_size": 16},
    "dcgan": {"size": [16, 16], "latent_size": 8},
    "stylegan2": {
        "size": [16, 24],
        "latent_size": 16,
        "mapping_layers": 2,
        "channel_base": 64,
        "channel_max": 8,
    }
    | {"clamp": None, "generator": "skip"},
}


def tell(path: Path, name: str, **others: Any) -> None:
    """A file of few weights that says of itself what is asked for; None leaves it out."""
    about = {"kind": "painter", "architecture": name, **SHAPED.get(name, {}), **others}
    told = {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items() if v != "-"}
    save_file({"x": torch.zeros(1)}, path, told)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("lightweight_gan", {"size": "-"}),
        ("lightweight_gan", {"latent_size": "-"}),
        ("dcgan", {"latent_size": "-"}),
        ("stylegan2", {"generator": "-"}),
        ("lightweight_gan", {"architecture": "-"}),
        ("lightweight_gan", {"architecture": "vgg"}),
        ("lightweight_gan", {"size": "not json"}),
        ("lightweight_gan", {"size": '"ab"'}),
        ("lightweight_gan", {"size": [64]}),
        ("lightweight_gan", {"size": [64, 64, 64]}),
        ("lightweight_gan", {"size": [None, 64]}),
        ("lightweight_gan", {"size": {"a": 1, "b": 2}}),
        ("lightweight_gan", {"size": 64}),
        ("lightweight_gan", {"size": [0, 0]}),
        ("lightweight_gan", {"size": [-64, 64]}),
        ("lightweight_gan", {"size": [2, 64]}),
        ("lightweight_gan", {"size": [65536, 65536]}),
        ("lightweight_gan", {"size": [10**30, 10**30]}),
        ("lightweight_gan", {"size": "[1e999, 1e999]"}),
        ("lightweight_gan", {"size": "[NaN, 64]"}),
        ("lightweight_gan", {"size": "9" * 5000}),
        ("lightweight_gan", {"size": [48, 64]}),
        ("lightweight_gan", {"latent_size": 0}),
        ("lightweight_gan", {"latent_size": 10**9}),
        ("lightweight_gan", {"latent_size": 16.5}),
        ("lightweight_gan", {"latent_size": "[16]"}),
        ("lightweight_gan", {"latent_size": "NaN"}),
        ("dcgan", {"latent_size": -8}),
        ("stylegan2", {"mapping_layers": 1000}),
        ("stylegan2", {"mapping_layers": 1.5}),
        ("stylegan2", {"channel_base": 10**12}),
        ("stylegan2", {"channel_max": 10**6}),
        ("stylegan2", {"channel_max": "null"}),
    ],
)
def test_an_incomplete_description_is_refused(
    name: str, others: dict[str, Any], tmp_path: Path
) -> None:
    tell(tmp_path / "m.safetensors", name, **others)
    refused(
        tmp_path / "m.safetensors",
        "does not say how its network is built; download or copy it again",
    )


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("lightweight_gan", {"size": [64.0, 64.0]}),
        ("lightweight_gan", {"size": [1024, 1024]}),  # more doublings than there are widths
        ("dcgan", {"size": [4, 4]}),  # fewer than one
        ("stylegan2", {"size": [16, 25]}),  # which cannot be halved twice
        ("lightweight_gan", {"size": "[" * 100_000}),
    ],
    ids=["no whole number", "too large", "too small", "no whole halves", "deep"],
)
def test_an_impossible_description_is_refused(
    name: str, others: dict[str, Any], tmp_path: Path
) -> None:
    tell(tmp_path / "m.safetensors", name, **others)
    refused(tmp_path / "m.safetensors", "m.safetensors: ")


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("lightweight_gan", {"size": [64, 110]}),  # 64×96 would be painted
        ("dcgan", {"size": [16, 18]}),
        ("stylegan2", {"clamp": '"wide"'}),
        ("stylegan2", {"clamp": [1]}),
        ("stylegan2", {"clamp": float("nan")}),
    ],
)
def test_a_wrong_description_is_refused_even_if_the_weights_fit(
    name: str, others: dict[str, Any], tmp_path: Path
) -> None:
    save(tmp_path / "m.safetensors", build(name), others)
    refused(tmp_path / "m.safetensors", "m.safetensors: ")


@pytest.mark.parametrize(("name", "size"), [("lightweight_gan", [4, 2048]), ("dcgan", [8, 2048])])
def test_a_few_bytes_do_not_ask_for_much_memory(
    name: str, size: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is so long begins with thousands of pixels, for each of a thousand numbers."""

    def built(*_: object) -> nn.Module:
        raise AssertionError("it was built")

    monkeypatch.setitem(painter.ARCHITECTURES, name, built)  # type: ignore[arg-type]
    tell(tmp_path / "m.safetensors", name, size=size, latent=1024)
    refused(tmp_path / "m.safetensors", "m.safetensors: ")


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    for name in SHAPED:
        tell(path, name)
        refused(path, r"is for another network \(.* is missing\)")
    save(path, build("lightweight_gan"), {"latent_size": 17})
    refused(path, r"first.weight is \(\d+, 16\), not \(\d+, 17\)")
    save(path, build("lightweight_gan"), {"architecture": "dcgan"})
    refused(path, r"is for another network \(body.0.weight is missing\)")
    save(path, build("lightweight_gan"), {"size": [32, 32]})
    refused(path, "is for another network")


def test_other_files_are_no_painters(tmp_path: Path) -> None:
    state: dict[str, Tensor] = {"x": torch.zeros(1)}
    weights.write(tmp_path / "a.safetensors", state, {"kind": "colorizer"})
    save_file(state, tmp_path / "b.safetensors")
    torch.save(state, tmp_path / "c.pth")
    for name in ("a.safetensors", "b.safetensors", "c.pth"):
        refused(tmp_path / name, "is not a painter; make one with `limner train painter`")
    (tmp_path / "d.safetensors").write_bytes(b"\x10" * 40)
    refused(tmp_path / "d.safetensors", "is damaged, or not a weights file")
    refused(tmp_path / "e.safetensors", "no such weights file")
    with pytest.raises(InputError, match="has no painter; `limner train painter FOLDER -o"):
        load(tmp_path, CPU)
    whole = tmp_path / "model.safetensors"
    save(whole, build("dcgan"), {})
    whole.write_bytes(whole.read_bytes()[:-20])
    refused(whole, "is damaged, or not a weights file")
