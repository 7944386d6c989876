"""Small pictures for the tests of `stylize`, and how to compare results."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from limner.progress import Progress, Stop


def blobs(
    seed: int, height: int, width: int, color: tuple[int, int, int], spread: int = 50
) -> Image.Image:
    """Make soft spots around a color."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-spread, spread, (height // 8 + 2, width // 8 + 2, 3)) + color
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def rgb(image: Image.Image) -> np.ndarray:
    """Return the pixels, [H, W, 3] in 0..255."""
    return np.asarray(image.convert("RGB")).astype(float)


def house(width: int, height: int) -> Image.Image:
    """Draw a house and a tree between sky and meadow, with the noise of a photo."""
    sky = np.linspace((110, 150, 220), (220, 215, 205), height * 2)[:, None]
    meadow = np.linspace((110, 130, 70), (60, 85, 45), height * 2)[:, None]
    column = Image.fromarray(np.concatenate((sky, meadow)).astype(np.uint8))
    large = column.resize((width * 4, height * 4))
    pen = ImageDraw.Draw(large)

    def at(*shares: float) -> list[float]:
        return [share * large.size[i % 2] for i, share in enumerate(shares)]

    pen.rectangle(at(0.2, 0.35, 0.5, 0.75), fill=(200, 190, 170))
    pen.polygon(at(0.15, 0.37, 0.35, 0.15, 0.55, 0.37), fill=(120, 60, 50))
    pen.rectangle(at(0.28, 0.45, 0.36, 0.6), fill=(40, 40, 60))
    pen.ellipse(at(0.7, 0.3, 0.95, 0.7), fill=(40, 80, 40))
    pixels = rgb(large.resize((width, height), Image.Resampling.BOX))
    pixels += np.random.default_rng(0).normal(0, 8, (height, width, 1))
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def brushwork(
    seed: int, colors: list[tuple[int, int, int]], width: int = 128, height: int = 128
) -> Image.Image:
    """Draw short strokes of different lengths and directions in these colors."""
    random = np.random.default_rng(seed)
    large = Image.new("RGB", (width * 2, height * 2), colors[0])
    pen = ImageDraw.Draw(large)
    for _ in range(width * height // 25):
        x, y = random.uniform(0, large.size)
        angle, length = random.normal(0.5, 0.4), random.uniform(10, 24)
        color = np.array(colors[random.integers(len(colors))]) + random.normal(0, 12, 3)
        end = x + length * np.cos(angle), y + length * np.sin(angle)
        pen.line((x, y, *end), fill=tuple(int(c) for c in color.clip(0, 255)), width=6)
    return large.resize((width, height), Image.Resampling.BOX)


HOUSE = house(96, 72)
WARM = brushwork(1, [(190, 120, 60), (230, 180, 90), (120, 60, 40), (245, 225, 180)])
COLD = brushwork(2, [(40, 60, 120), (60, 110, 170), (20, 30, 60), (170, 190, 220)])
PHOTO = blobs(0, 48, 64, (90, 120, 150))
PAINTING = blobs(1, 64, 64, (190, 120, 60))
BLUE = blobs(2, 64, 64, (50, 70, 190))


def distance(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference, of 255."""
    return float(np.abs(rgb(one) - rgb(other)).mean())


Paint = Callable[..., Image.Image]


def likeness(one: Image.Image, other: Image.Image) -> float:
    """Return the correlation of the lightness of two pictures, whatever their colors."""
    return float(np.corrcoef(rgb(one).mean(2).flat, rgb(other).mean(2).flat)[0, 1])


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
