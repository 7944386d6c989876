"""Pictures and a small network that the tests of colorization share."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from limner.colorization import colorize, train
from limner.colorization.network import Block, Colorizer

WIDTHS = (8, 12, 16)


def small() -> Colorizer:
    return Colorizer(WIDTHS)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file of a small random network, as a training writes it."""
    torch.manual_seed(2)
    network = small().requires_grad_(False)
    for block in network.modules():
        if isinstance(block, Block):
            torch.nn.init.normal_(block.second.weight, 0, 0.2)
    network.out.weight.mul_(3)  # so that it makes more than grays
    monkeypatch.setattr(colorize, "Colorizer", small)
    train._save(tmp_path / "model.safetensors", network, {"preset": "default", "size": 128})
    return tmp_path / "model.safetensors"


def held_out(name: str) -> bool:
    """One in 20, by the first byte of the SHA-256 of the name."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:2], 16) < 256 / 20


@pytest.fixture(scope="session")
def names() -> tuple[list[str], list[str]]:
    """Ten names of pictures to train on, and two of held-out pictures."""
    every = [f"{number}.png" for number in range(100)]
    return [n for n in every if not held_out(n)][:10], [n for n in every if held_out(n)][:2]


@pytest.fixture(scope="session")
def painted() -> Callable[..., Image.Image]:
    """Random discs of color on a random color."""

    def paint(seed: int, width: int = 64, height: int = 64) -> Image.Image:
        random = np.random.default_rng(seed)
        colors = [tuple(color) for color in random.integers(0, 256, (5, 3)).tolist()]
        picture = Image.new("RGB", (width, height), colors[0])
        pen = ImageDraw.Draw(picture)
        for color in colors[1:]:
            x, y = random.integers(0, (width - 12, height - 12)).tolist()
            pen.ellipse((x, y, x + 20, y + 16), fill=color)
        return picture

    return paint


@pytest.fixture(scope="session")
def pictures(
    tmp_path_factory: pytest.TempPathFactory,
    names: tuple[list[str], list[str]],
    painted: Callable[..., Image.Image],
) -> Path:
    """A folder of twelve pictures, 64 pixels a side."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate((*names[0], *names[1])):
        painted(number).save(folder / name)
    return folder
