"""Pictures and a small network that the tests of colorization share."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from limner.colorization import models, train
from limner.colorization.network import COLORS, Colorizer
from limner.colorization.tokens import Tokens, describe
from limner.nn.blocks import Block

WIDTHS = (8, 12, 16)


def small() -> Colorizer:
    return Colorizer(WIDTHS)


def random_network(widths: tuple[int, ...] = WIDTHS, seed: int = 0) -> Colorizer:
    """A random network, with no layer at zero; its first color is white."""
    torch.manual_seed(seed)
    network = Colorizer(widths).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, Block):
            torch.nn.init.normal_(module.second.weight, 0, 0.2)
    for layer in network.layers:
        torch.nn.init.normal_(layer.out.weight, 0, 0.1)
        torch.nn.init.normal_(layer.narrow.weight, 0, 0.1)
    for part in (network.shape, network.known):  # so that regions and known colors matter
        for index in (0, 2):
            part[index].weight.mul_(4)
    network.colors.copy_(torch.rand((COLORS, 3)))
    network.colors[0] = 1
    return network


@pytest.fixture(scope="session")
def build() -> Callable[..., Colorizer]:
    """`random_network`."""
    return random_network


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights file of a small random network, as a training writes it."""
    network = random_network(seed=2)
    monkeypatch.setattr(models, "Colorizer", small)
    train._save(tmp_path / "model.safetensors", network, {"preset": "default", "size": 128})
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="session")
def grid() -> Callable[..., Tokens]:
    """Describe a drawing of `rows` × `columns` square regions, 64 × 96 pixels."""

    def tokens(rows: int, columns: int) -> Tokens:
        down, across = np.arange(64) * rows // 64, np.arange(96) * columns // 96
        labels = torch.from_numpy(down[:, None] * columns + across + 1)
        return describe(labels, torch.zeros(64, 96), (16, 24), rows * columns)

    return tokens


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
