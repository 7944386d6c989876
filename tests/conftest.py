"""Tests run side by side, one process per core, one thread each; pictures that many share."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before any test imports torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor


@pytest.fixture(scope="session")
def planes() -> Callable[[Image.Image], Tensor]:
    """A picture as [1, 3, H, W] in 0..1."""

    def read(picture: Image.Image) -> Tensor:
        values = np.asarray(picture.convert("RGB"), np.float32) / 255
        return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())

    return read


@pytest.fixture(scope="session")
def drawing() -> Callable[..., Image.Image]:
    """A square, an oval and a slanted line, smooth, of any width and colours."""

    def draw(width: int = 3, ink: str = "black", paper: str = "white") -> Image.Image:
        large = Image.new("RGB", (640, 480), paper)
        pen = ImageDraw.Draw(large)
        pen.rectangle((80, 80, 400, 360), outline=ink, width=4 * width)
        pen.ellipse((300, 60, 600, 420), outline=ink, width=4 * width)
        pen.line((20, 460, 620, 20), fill=ink, width=4 * width)
        return large.resize((160, 120), Image.Resampling.BOX)

    return draw
