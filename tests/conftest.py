"""One thread for each worker process; fixtures that several packages share."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before any test imports torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor


@pytest.fixture(scope="session")
def planes() -> Callable[[Image.Image], Tensor]:
    """Convert a picture to [1, 3, H, W] in 0..1."""

    def read(picture: Image.Image) -> Tensor:
        values = np.asarray(picture.convert("RGB"), np.float32) / 255
        return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())

    return read


@pytest.fixture(scope="session")
def drawing() -> Callable[..., Image.Image]:
    """Draw a square, an oval and a slanted line, antialiased, in any width and colors."""

    def draw(width: int = 3, ink: str = "black", paper: str = "white") -> Image.Image:
        large = Image.new("RGB", (640, 480), paper)
        pen = ImageDraw.Draw(large)
        pen.rectangle((80, 80, 400, 360), outline=ink, width=4 * width)
        pen.ellipse((300, 60, 600, 420), outline=ink, width=4 * width)
        pen.line((20, 460, 620, 20), fill=ink, width=4 * width)
        return large.resize((160, 120), Image.Resampling.BOX)

    return draw


class _NoFloat64(torch.Tensor):
    """A tensor as on a device without float64, such as Apple's GPUs; `cpu` makes it a plain one."""

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = super().__torch_function__(func, types, args, kwargs or {})
        if func is Tensor.cpu:
            return result.as_subclass(Tensor)
        if isinstance(result, cls) and result.dtype == torch.float64:
            raise TypeError(f"{func.__name__}: this device has no float64")
        return result


@pytest.fixture(scope="session")
def without_float64() -> Callable[[Tensor], Tensor]:
    """Make a tensor on which every operation that gives float64 fails until it is on the CPU."""

    def convert(tensor: Tensor) -> Tensor:
        return tensor.as_subclass(_NoFloat64)

    return convert
