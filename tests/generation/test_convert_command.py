"""`limner convert`: what it writes, prints and refuses."""

import json
import os
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from command_lines import Run, digest, names, refused
from PIL import Image
from torch import Tensor

from limner.generation.gan import latent_space, painter, stylegan2
from limner.nn import weights


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_rosinalitys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors of a painter of 8 × 8 pixels under the names of stylegan2-pytorch."""
    found = {"input.input": state["constant"][None]}
    for layer in (0, 1):
        for part in ("weight", "bias"):
            found[f"style.{layer + 1}.{part}"] = state[f"mapping.{layer}.{part}"]
    convolved = {"first": "conv1", "blocks.0.first": "convs.0", "blocks.0.second": "convs.1"}
    for number, (ours, theirs) in enumerate(convolved.items()):
        found[f"{theirs}.activate.bias"] = state[f"{ours}.bias"]
        found[f"{theirs}.noise.weight"] = state[f"{ours}.strength"][None]
        found[f"noises.noise_{number}"] = state[f"{ours}.noise"][None, None]
    to_rgb = {"to_rgb": "to_rgb1", "blocks.0.to_rgb": "to_rgbs.0"}
    for ours, theirs in to_rgb.items():
        found[f"{theirs}.bias"] = state[f"{ours}.bias"].view(1, 3, 1, 1)
    for ours, theirs in (convolved | to_rgb).items():
        found[f"{theirs}.conv.weight"] = state[f"{ours}.convolution.weight"][None]
        for part in ("weight", "bias"):
            style = state[f"{ours}.convolution.style.{part}"]
            found[f"{theirs}.conv.modulation.{part}"] = style
    return found


@pytest.fixture
def checkpoint() -> stylegan2.Generator:
    """The painter that lies in `theirs.pt`."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = stylegan2.Generator(
            (8, 8), latent_size=6, mapping_layers=2, channel_base=64, channel_max=8
        )
        network.mean.normal_()
    about = {"g_ema": as_rosinalitys(network.state_dict()), "latent_avg": network.mean}
    torch.save(about, "theirs.pt")
    return network


def test_a_converted_painter_paints(run_command: Run, checkpoint: stylegan2.Generator) -> None:
    line = "convert theirs.pt -o ours.safetensors --license"
    assert run_command(line, "CC0-1.0") == (0, "ours.safetensors\n", "")
    about = weights.describe(Path("ours.safetensors"))
    assert about["license"] == "CC0-1.0"
    assert about["recipe"] == f"converted from theirs.pt, sha256 {digest('theirs.pt')}"
    assert run_command("generate ours.safetensors -n 2 --truncation 1 -o new")[0] == 0
    network = cast(painter.Painter, checkpoint.eval().requires_grad_(False))
    for seed, name in enumerate(("new/01.png", "new/02.png")):
        w = network.map(latent_space.draw_latent(network, seed))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            rgb = np.asarray(network.paint(w)[0].clip(0, 1)).transpose(1, 2, 0) * 255
        with Image.open(name) as picture:
            assert picture.size == (8, 8)
            np.testing.assert_allclose(np.asarray(picture).astype(float), rgb, atol=1)
        assert rgb.std() > 10
    refused(run_command, line, 1, "ours.safetensors: already exists", "CC0-1.0")
    told = json.loads(run_command(line, "CC0-1.0", "--overwrite", "--json")[1])
    assert told == {"output": "ours.safetensors"}


def test_an_empty_license_is_refused(
    run_command: Run, folder: Path, checkpoint: stylegan2.Generator
) -> None:
    says = "--license: is empty; look it up where you got the file"
    refused(run_command, "convert theirs.pt -o ours.safetensors --license", 2, says, " ")
    assert not Path("ours.safetensors").exists()


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_that_would_run_something_are_not_opened(
    zipped: bool, run_command: Run, folder: Path
) -> None:
    torch.save({"g_ema": Evil()}, "evil.pt", _use_new_zipfile_serialization=zipped)
    before = names(folder)
    line = "convert evil.pt -o ours.safetensors --license CC0-1.0"
    refused(run_command, line, 1, "evil.pt: asks to run posix.mkdir, which no StyleGAN2 file needs")
    assert names(folder) == before
    torch.load("evil.pt", weights_only=False)  # it does what it says, where it is let
    assert Path("harm").is_dir()
