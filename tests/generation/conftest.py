"""Small pictures that the tests of this room share."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

COUNT = 15


def painted(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    colours = [tuple(colour) for colour in random.integers(0, 256, (5, 3)).tolist()]
    picture = Image.new("RGB", (width, height), colours[0])
    pen = ImageDraw.Draw(picture)
    for colour in colours[1:]:
        x, y = random.integers(0, (width - 12, height - 12)).tolist()
        pen.ellipse((x, y, x + width // 3, y + height // 3), fill=colour)
    return picture


@pytest.fixture(scope="session")
def paint() -> Callable[[int, int, int], Image.Image]:
    """Discs of colour on a colour, all of them by chance."""
    return painted


@pytest.fixture(scope="session")
def held_out() -> Callable[[list[str]], list[str]]:
    """Of names the fifth with the smallest SHA-256."""

    def choose(names: list[str]) -> list[str]:
        ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        return sorted(ranked[: round(len(names) / 5)])

    return choose


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen pictures of mixed sizes, some in a folder within."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    random = np.random.default_rng(0)
    for number in range(COUNT):
        width, height = random.integers(50, 110, 2).tolist()
        place = folder / "more" if number > 11 else folder
        painted(number, width, height).save(place / f"{number:02d}.png")
    return folder
