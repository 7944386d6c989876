"""`stylize` with a small random network."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from limner.nn import features, weights
from limner.patches import synthesis
from limner.style.stylize import stylize


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compact network of random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "random.safetensors"
    weights.write(path, features.VGG("compact").state_dict(), {"kind": "features"})
    return str(path)


@pytest.fixture
def paint(network: str) -> Callable[..., Image.Image]:
    """Call `stylize` with the random network, by default at 64 pixels with 4 steps."""

    def call(*inputs: Any, **options: Any) -> Image.Image:
        usual = {"size": 64, "steps": 4, "features": network, "device": "cpu"}
        if options.get("preset") != "gatys":
            usual["method"] = "network"
        return stylize(*inputs, **(usual | options))

    return call


@pytest.fixture
def stroke(paint: Callable[..., Image.Image]) -> Callable[..., Image.Image]:
    """Call `stylize` with strokes, by default at 96 pixels with 4 steps of the random network."""

    def call(*inputs: Any, **options: Any) -> Image.Image:
        return paint(*inputs, **({"size": 96, "method": "patches"} | options))

    return call


@pytest.fixture
def four_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures have four levels of strokes, which otherwise begin at 150 pixels."""
    monkeypatch.setattr(synthesis, "_COARSEST", 40)
