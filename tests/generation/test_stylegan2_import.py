"""StyleGAN2 files of others: the same pictures as their own code makes, or a clear refusal."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stylegan2_files import (
    LATENT,
    Drawn,
    nvidias_state,
    refusal,
    rosinalitys_state,
    saved,
    tree,
)
from stylegan2_formulas import nvidias_picture, rosinalitys_picture

from limner.errors import OptionError, OutputError
from limner.generation.gan.stylegan2 import Generator
from limner.generation.gan.stylegan2_import import convert_painter, read
from limner.nn import weights

# --- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["const", "none"])
@pytest.mark.parametrize(
    ("size", "residual", "clamp", "protocol"),
    [
        (32, False, None, 3),
        (32, True, None, 4),
        (16, False, 2.0, 5),
        (8, True, 2.0, 3),
        (4, False, 1.0, 4),
    ],
)
def test_files_of_nvidia_make_their_pictures(
    nvidia: Callable[..., Path],
    tmp_path: Path,
    noise: Any,
    size: int,
    residual: bool,
    clamp: float | None,
    protocol: int,
) -> None:
    state = nvidias_state(size, residual)
    painter = read(nvidia(state, protocol, clamp=clamp))
    z = Drawn()(3, LATENT)
    expected = nvidias_picture(state, z, size, residual, clamp, noise == "const")
    assert expected.std() > 0.1
    np.testing.assert_allclose(painter.paint(painter.map(z), noise), expected, atol=1e-4)
    np.testing.assert_array_equal(painter.mean, state["mapping.w_avg"])
    assert painter.size == (size, size) and (painter.latent_size, painter.mapping_layers) == (
        LATENT,
        3,
    )
    assert painter.architecture == ("resnet" if residual and size > 4 else "skip")
    assert not painter.training and not any(p.requires_grad for p in painter.parameters())
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("noise", ["const", "none"])
@pytest.mark.parametrize(("size", "zipped"), [(32, True), (8, False)])
def test_files_of_rosinality_make_their_pictures(
    tmp_path: Path, noise: Any, size: int, zipped: bool
) -> None:
    state = rosinalitys_state(size)
    other = {key: value + 1 for key, value in state.items()}
    data = {"g": other, "d": {}, "g_ema": state, "args": argparse.Namespace(size=size, lr=0.002)}
    data |= {"g_optim": {"state": {}, "param_groups": [{"lr": 0.002}]}, "ada_aug_p": 0.0}
    painter = read(saved(tmp_path / "a.pt", data, zipped))
    z = Drawn()(3, LATENT)
    expected = rosinalitys_picture(state, z, noise == "const")
    np.testing.assert_allclose(painter.paint(painter.map(z), noise), expected, atol=1e-4)
    # no mean in it: that of many styles
    many = torch.randn(20_000, LATENT, generator=torch.Generator().manual_seed(5))
    np.testing.assert_allclose(painter.mean, painter.map(many).mean(0), atol=0.05)
    mean = Drawn()(LATENT)
    saved(tmp_path / "b.pt", data | {"latent_avg": mean}, zipped)
    np.testing.assert_array_equal(read(tmp_path / "b.pt").mean, mean)


def test_reading_leaves_the_callers_random_numbers(
    nvidia: Callable[..., Path], tmp_path: Path
) -> None:
    ours = (
        nvidia(nvidias_state(8)),
        saved(tmp_path / "a.pt", {"g_ema": rosinalitys_state(8)}),
    )
    for path in ours:
        before = torch.get_rng_state()
        first, again = (read(path).state_dict() for _ in range(2))
        np.testing.assert_array_equal(torch.get_rng_state(), before)
        assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize(
    ("channels", "base", "most"),
    [((8, 8, 8), 128, 8), ((8, 8, 4), 64, 8), ((9, 4, 2), 36, 9), ((20, 10, 5), 80, 20)],
)
def test_channels_are_found_from_shapes(
    nvidia: Callable[..., Path], channels: tuple[int, ...], base: int, most: int
) -> None:
    painter = read(nvidia(nvidias_state(16, channels=dict(zip((4, 8, 16), channels, strict=True)))))
    assert (painter.channel_base, painter.channel_max) == (base, most)
    assert [min(base // side, most) for side in (4, 8, 16)] == list(channels)


def test_channels_that_no_base_makes_are_refused(nvidia: Callable[..., Path]) -> None:
    path = nvidia(nvidias_state(16, channels={4: 8, 8: 3, 16: 3}))
    assert "has [8, 3, 3] channels" in refusal(path)


def test_a_converted_file_is_a_painter(nvidia: Callable[..., Path], tmp_path: Path) -> None:
    source, output = nvidia(nvidias_state(16, True), clamp=256.0), tmp_path / "a.safetensors"
    assert convert_painter(source, output=output, license=" CC0-1.0 ") == output
    about = weights.describe(output)
    assert about == {
        "kind": "painter",
        "architecture": "stylegan2",
        "generator": "resnet",
        "size": "[16, 16]",
        "latent_size": "6",
        "mapping_layers": "3",
        "channel_base": "80",
        "channel_max": "7",
        "clamp": "256.0",
        "license": "CC0-1.0",
        "recipe": f"converted from network.pkl, sha256 {weights.sha256(source)}",
        "version": about["version"],
    }
    numbers = {
        k: json.loads(about[k])
        for k in (
            "latent_size",
            "mapping_layers",
            "channel_base",
            "channel_max",
            "clamp",
        )
    }
    again = Generator(tuple(json.loads(about["size"])), architecture="resnet", **numbers)
    weights.fill(again, weights.read(output), "a")
    z = Drawn()(2, LATENT)
    painter = read(source)
    expected = painter.paint(painter.map(z), "const")
    np.testing.assert_array_equal(again.eval().paint(again.map(z), "const").detach(), expected)
    with pytest.raises(OutputError, match="exists"):
        convert_painter(source, output=output, license="CC0-1.0")
    convert_painter(source, output=output, license="CC0-1.0", overwrite=True)


def test_a_license_and_a_place_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="license"):
        convert_painter(tmp_path / "a.pkl", output=tmp_path / "a.safetensors", license=" ")
    with pytest.raises(OptionError, match=r"a\.pt: must end in \.safetensors"):
        convert_painter(tmp_path / "a.pkl", output=tmp_path / "a.pt", license="mine")


# --- other networks --------------------------------------------------------------------------


def test_other_networks_are_refused(nvidia: Callable[..., Path]) -> None:
    state = nvidias_state(8)
    assert "is a TriPlaneGenerator;" in refusal(nvidia(state, called="TriPlaneGenerator"))
    assert "by class labels" in refusal(nvidia(state, c_dim=10))
    embedded = {**state, "mapping.embed.weight": torch.zeros(6, 6)}
    assert "by class labels" in refusal(nvidia(embedded))
    assert "StyleGAN3" in refusal(nvidia({**state, "synthesis.input.weight": torch.zeros(2)}))
    less = {key: value for key, value in state.items() if key != "synthesis.b8.conv0.bias"}
    assert "synthesis.b8.conv0.bias is missing" in refusal(nvidia(less))
    quiet = {key: value for key, value in state.items() if "noise" not in key}
    assert "noise_strength is missing" in refusal(nvidia(quiet))
    more = {**state, "synthesis.b8.conv2.weight": torch.zeros(2, 2)}
    assert "synthesis.b8.conv2.weight differs" in refusal(nvidia(more))
    sharp = {**state, "synthesis.b8.conv0.resample_filter": torch.eye(4)}
    assert "synthesis.b8.conv0.resample_filter differs" in refusal(nvidia(sharp))
    gray = {**state, "synthesis.b8.torgb.weight": torch.zeros(1, 7, 1, 1)}
    assert "torgb.weight is (1, 7, 1, 1), not (3, 7, 1, 1)" in refusal(nvidia(gray))
    larger = {**state, "synthesis.b4.const": torch.zeros(7, 8, 8)}
    assert "8×8" in refusal(nvidia(larger))
    assert "no network G_ema" in refusal(nvidia(state, more={"G_ema": {"a": 1}}))
    assert "no synthesis.b4.const" in refusal(nvidia({"mapping.w_avg": torch.zeros(6)}))


def test_settings_that_make_other_pictures_are_refused(nvidia: Callable[..., Path]) -> None:
    state = nvidias_state(8)
    for name, value, said in (
        ("activation", "relu", "activation is relu"),
        ("bias_gain", 1.0, "bias_gain is 1.0"),
        ("activation", "relu\n" * 100, "activation is relu?relu"),
    ):
        network = tree(state, None)
        setattr(network.get_submodule("mapping.fc1"), name, value)
        network.called = "Generator"
        assert said in refusal(nvidia(state, more={"G_ema": network}))
    mixed = tree(state, 256.0)
    mixed.get_submodule("synthesis.b8.conv1").conv_clamp = None  # type: ignore[assignment]
    mixed.called = "Generator"
    assert "several values of conv_clamp" in refusal(nvidia(state, more={"G_ema": mixed}))


def test_other_torch_files_are_refused(tmp_path: Path) -> None:
    state = rosinalitys_state(8)
    assert "g_ema with input.input" in refusal(saved(tmp_path / "a.pt", {"model": {}}))
    assert "g_ema with input.input" in refusal(saved(tmp_path / "a.pt", [1]))
    wide = {**state, "conv1.conv.weight": torch.zeros(1, 9, 7, 3, 3)}
    assert "conv1.conv.weight is (1, 9, 7, 3, 3)" in refusal(
        saved(tmp_path / "a.pt", {"g_ema": wide})
    )
    odd = {**state, "convs.0.conv.blur.kernel": torch.ones(4, 4)}
    assert "blur.kernel differs" in refusal(saved(tmp_path / "a.pt", {"g_ema": odd}))
