"""Enlarged text keeps the shapes of its letters better than bicubic enlargement does."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.metrics import structural_similarity

from limner.upscaling.upscale import upscale

WORDS = "The quick brown fox & 0123456789 jumps over the lazy dog "
COLORS = (((0, 0, 0), (255, 255, 255)), ((250, 240, 220), (30, 40, 90)))


def page(size: int, text: tuple[int, int, int], paper: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (512, 256), paper)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for line, top in enumerate(range(6, 250, round(1.3 * size))):
        pen.text((6, top), WORDS[line:] + WORDS[:line], text, font)
    return image


def letters(image: Image.Image) -> NDArray[np.float64]:
    """Return 1 where a picture is brighter than the mean of text and paper."""
    luma = np.asarray(image.convert("L"), np.float64)
    return (luma > (luma.min() + luma.max()) / 2).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"quality": "best"}, {"quality": "best", "detail": 1}])
@pytest.mark.parametrize("size", [24, 52])
@pytest.mark.parametrize("colors", COLORS)
def test_letters(options: dict[str, Any], size: int, colors: Any) -> None:
    large = page(size, *colors)
    small = large.resize((128, 64), Image.Resampling.BICUBIC)
    made, bicubic = (
        structural_similarity(letters(large), letters(one), data_range=1)
        for one in (upscale(small, **options), small.resize(large.size, Image.Resampling.BICUBIC))
    )
    assert made > bicubic + 0.03
