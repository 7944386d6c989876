"""Weights files and checkpoints of limner 0.1 are read: their names are translated."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from limner.generation.gan import legacy_names, lightweight_gan, painter, stylegan2
from limner.generation.gan.stylegan2 import Architecture
from limner.nn import weights
from small_painters import LIGHTWEIGHT_WIDTHS, random_painter

LAYER = ["bias", "convolution.style.bias", "convolution.style.weight", "convolution.weight"]
STYLED = [*LAYER, "noise", "strength"]
# the names of tensors in limner 0.1, of networks with one doubling and one mapping layer
COMMON = ["constant", "mapping.0.bias", "mapping.0.weight", "mean"]
COMMON += [f"{at}.{name}" for at in ("first", "rooms.0.first", "rooms.0.second") for name in STYLED]
SKIP = [*COMMON, *(f"{at}.{name}" for at in ("colours", "rooms.0.colours") for name in LAYER)]
RESNET = [*COMMON, "rooms.0.around.weight", *(f"rooms.0.colours.{name}" for name in LAYER)]
DISCRIMINATOR = ["rooms.0.around.weight"]
DISCRIMINATOR += [
    f"{at}.{name}"
    for at in ("colours", "judge", "out", "rooms.0.first", "rooms.0.second", "together")
    for name in ("bias", "weight")
]


@pytest.mark.parametrize(("architecture", "names"), [("skip", SKIP), ("resnet", RESNET)])
def test_generators_of_0_1_have_the_names_of_today(
    architecture: Architecture, names: list[str]
) -> None:
    network = stylegan2.Generator(
        (8, 8),
        latent_size=4,
        mapping_layers=1,
        channel_base=16,
        channel_max=2,
        architecture=architecture,
    )
    found = legacy_names.current_weights(dict.fromkeys(names, 0))
    assert found.keys() == network.state_dict().keys() and len(found) == len(names)


def test_checkpoints_of_0_1_have_the_names_of_today() -> None:
    generator = dict.fromkeys(SKIP, 1)
    saved = {"step": 7, "seconds": 1.5, "share": 0.5, "falls": 1, "scores": {"kid": 2.0}}
    saved |= {
        "best": 2.0,
        "game": {
            "network": generator,
            "average": {"state": generator, "steps": 7},
            "adam": {"state": {}},
            "rival": dict.fromkeys(DISCRIMINATOR, 2),
            "rival_adam": {"param_groups": []},
            "augmentation": {"share": 0.1, "sure": 0.2},
            "usual": {"length": 3.0},
        },
    }
    found = legacy_names.current_checkpoint(saved)
    stage = found.pop("stage")
    assert found == {
        "step": 7,
        "seconds": 1.5,
        "rate_share": 0.5,
        "divergences": 1,
        "scores": {"kid": 2.0},
        "best": 2.0,
        "last_good": None,
    }
    few = {"channel_base": 16, "channel_max": 2}
    network = stylegan2.Generator((8, 8), latent_size=4, mapping_layers=1, **few)  # type: ignore[arg-type]
    discriminator = stylegan2.Discriminator((8, 8), **few)
    assert stage["network"].keys() == network.state_dict().keys()
    assert stage["average"].pop("steps") == 7
    assert stage["average"]["state"].keys() == network.state_dict().keys()
    assert stage["discriminator"].keys() == discriminator.state_dict().keys()
    assert stage["adam"] == {"state": {}} and stage["discriminator_adam"] == {"param_groups": []}
    assert stage["augmentation"] == {"share": 0.1, "overfitting": 0.2}
    assert stage["path_mean"] == {"mean": 3.0}
    assert legacy_names.current_checkpoint(found | {"stage": stage}) == found | {"stage": stage}


OLD_SHAPES: dict[str, dict[str, Any]] = {
    "lightweight_gan": {"architecture": "light", "latent": 16},
    "dcgan": {"architecture": "dcgan", "latent": 8},
    "stylegan2": {"architecture": "stylegan2", "generator": "skip", "clamp": None}
    | {"latent": 16, "depth": 2, "base": 64, "most": 16},
}


def old_name(key: str) -> str:
    return key.replace("blocks.", "rooms.").replace("to_rgb", "colours")


@pytest.mark.parametrize("name", OLD_SHAPES)
def test_a_weights_file_of_0_1_makes_the_same_pictures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lightweight_gan, "WIDTHS", LIGHTWEIGHT_WIDTHS)
    network, path = random_painter(name, (16, 16)), tmp_path / "old.safetensors"
    about = {"kind": "painter", "licence": "CC0-1.0", "size": [16, 16], **OLD_SHAPES[name]}
    state = {old_name(key): value for key, value in network.state_dict().items()}
    metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()}
    save_file(state, path, metadata)
    found, _ = painter.load(path, torch.device("cpu"))
    z = torch.randn((2, found.latent_size), generator=torch.Generator().manual_seed(0))

    def picture(one: nn.Module) -> Tensor:
        torch.manual_seed(1)
        return cast(painter.Painter, one).paint(cast(painter.Painter, one).map(z))

    np.testing.assert_array_equal(picture(cast(nn.Module, found)), picture(network))
    assert weights.describe(path)["license"] == "CC0-1.0"
