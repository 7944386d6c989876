"""Small pictures for the tests of `stylize`, and how to compare results."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from limner.progress import Progress, Stop


def blobs(
    seed: int, height: int, width: int, color: tuple[int, int, int], spread: int = 50
) -> Image.Image:
    """Make soft spots around a color."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-spread, spread, (height // 8 + 2, width // 8 + 2, 3)) + color
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


PHOTO = blobs(0, 48, 64, (90, 120, 150))
PAINTING = blobs(1, 64, 64, (190, 120, 60))
BLUE = blobs(2, 64, 64, (50, 70, 190))


def rgb(image: Image.Image) -> np.ndarray:
    """Return the pixels, [H, W, 3] in 0..255."""
    return np.asarray(image.convert("RGB")).astype(float)


def distance(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference, of 255."""
    return float(np.abs(rgb(one) - rgb(other)).mean())


Paint = Callable[..., Image.Image]


def recipe_of(image: Image.Image) -> dict[str, Any]:
    """Return the recipe in a picture."""
    found: dict[str, Any] = json.loads(image.info["limner"])
    return found


def stop_at(step: int) -> Callable[[Progress], None]:
    """Make an ``on_step`` that stops after this step."""

    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise Stop

    return on_step


def half(side: str, width: int = 64, height: int = 48) -> Image.Image:
    """Make a mask that is white on one half."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, slice(width // 2) if side == "left" else slice(width // 2, width)] = 255
    return Image.fromarray(mask)
