"""Pairs of pictures for the sliders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.web.thumbnails import details, same_size


def picture(path: Path, size: tuple[int, int]) -> Path:
    """Write a picture with a horizontal ramp in red and a vertical one in green."""
    across = np.broadcast_to(np.linspace(0, 255, size[0]), size[::-1])
    down = np.broadcast_to(np.linspace(0, 255, size[1])[:, None], size[::-1])
    values = np.stack((across, down, np.zeros_like(down)), 2)
    Image.fromarray(values.round().astype(np.uint8)).save(path)
    return path


def test_the_first_picture_takes_the_size_of_the_second(tmp_path: Path) -> None:
    before = picture(tmp_path / "a.png", (100, 50))
    after = picture(tmp_path / "b.png", (30, 30))
    old, new = same_size(before, after)
    assert old.size == new.size == (30, 30)


@pytest.mark.parametrize(
    ("small", "large", "fills"),
    [
        ((100, 80), (400, 320), False),
        ((300, 200), (1200, 800), False),  # larger than a detail
        ((1, 1), (4, 4), False),
    ],
)
def test_a_detail_is_the_same_part_of_both(
    tmp_path: Path, small: tuple[int, int], large: tuple[int, int], fills: bool
) -> None:
    before, after = picture(tmp_path / "a.png", small), picture(tmp_path / "b.png", large)
    old, new = details(before, after, fills=fills)
    assert old.size == new.size == (min(720, large[0]), min(540, large[1]))
    # a ramp, so a shift by a pixel of the small picture would change 255 / 80
    assert np.abs(np.asarray(old).astype(int) - np.asarray(new)).mean() < 1.5 or small == (1, 1)


def test_a_detail_of_a_picture_that_fills_its_paper_leaves_out_its_edges(tmp_path: Path) -> None:
    before = picture(tmp_path / "a.png", (200, 100))
    with Image.open(before) as image:
        cropped = image.resize((400, 400), Image.Resampling.BICUBIC, (50, 0, 150, 100))
    cropped.save(tmp_path / "b.png")
    old, new = details(before, tmp_path / "b.png", fills=True)
    assert np.abs(np.asarray(old).astype(int) - np.asarray(new)).max() <= 1
    old, _ = details(before, tmp_path / "b.png", fills=False)
    assert np.abs(np.asarray(old).astype(int) - np.asarray(new)).max() > 20
