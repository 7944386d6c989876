"""Copies of pictures for the browser."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from limner.web.thumbnails import has_alpha, upright_size, write_view


def ramp(size: tuple[int, int]) -> Image.Image:
    """Return a picture that gets brighter from left to right."""
    row = np.linspace(0, 255, size[0]).round().astype(np.uint8)
    return Image.fromarray(np.tile(row, (size[1], 1))).convert("RGB")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_a_copy_is_small_and_alike(tmp_path: Path, ending: str) -> None:
    ramp((400, 100)).save(tmp_path / f"a.{ending}")
    write_view(tmp_path / f"a.{ending}", tmp_path / "a.webp", 200)
    with Image.open(tmp_path / "a.webp") as copy:
        assert copy.size == (200, 50)
        shown = np.asarray(copy.convert("L")).astype(int)
    assert abs(shown - np.linspace(0, 255, 200)).mean() < 3


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    ramp((40, 10)).save(tmp_path / "a.png")
    write_view(tmp_path / "a.png", tmp_path / "a.webp", 200)
    with Image.open(tmp_path / "a.webp") as copy:
        assert copy.size == (40, 10)


def test_a_photo_held_upright_is_shown_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6  # turned by 90 degrees clockwise
    ramp((80, 40)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        assert upright_size(image) == (40, 80)
    write_view(tmp_path / "a.jpg", tmp_path / "a.webp", 200)
    with Image.open(tmp_path / "a.webp") as copy:
        assert copy.size == (40, 80)
        column = np.asarray(copy.convert("L"))[:, 20].astype(int)
    assert column[0] < 20 and column[-1] > 235, "brighter from top to bottom"


def test_sixteen_bits_are_shown_in_eight(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 30_000, np.uint16)).save(tmp_path / "a.png")
    write_view(tmp_path / "a.png", tmp_path / "a.webp", 200)
    with Image.open(tmp_path / "a.webp") as copy:
        assert abs(copy.convert("L").getpixel((4, 4)) - 30_000 / 257) < 2


def test_transparency_stays(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    assert has_alpha(picture) and not has_alpha(ramp((2, 2)))
    picture.save(tmp_path / "a.png")
    write_view(tmp_path / "a.png", tmp_path / "a.webp", 200)
    with Image.open(tmp_path / "a.webp") as copy:
        assert copy.convert("RGBA").getpixel((9, 9))[3] == 0
