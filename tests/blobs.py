"""Pictures to train an upscaler on, for tests."""

from pathlib import Path

import numpy as np
from PIL import Image

HELD_OUT = ("10.png", "11.png")  # their sha256 begins with a multiple of ten


def blobs(seed: int, side: int, grain: int, dark: int = 2) -> Image.Image:
    """Soft spots of color, with hard stripes across where `dark` is more than 1."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (grain, grain, 3), dtype=np.uint8)
    soft = np.array(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
    y, x = np.mgrid[:side, :side]
    soft[(x * (seed + 1) + 3 * y) % 37 < 15] //= dark
    return Image.fromarray(soft)


def fill(folder: Path) -> Path:
    """Four pictures to learn from and two that are held out, one softer than the other."""
    for number in range(4):
        blobs(number, 300, 20).save(folder / f"{number}.png")
    for number, name in enumerate(HELD_OUT):
        blobs(10 + number, 300, 40, 1 + number).save(folder / name)
    return folder
