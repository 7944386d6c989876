"""Contact sheets of finished pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from limner.batch import sheet
from limner.batch.sheet import contact_sheet

COLORS = ((220, 30, 30), (30, 160, 60), (40, 60, 220), (230, 200, 40), (160, 60, 180))


def save(folder: Path, count: int) -> list[Path]:
    """Write pictures of one color each, wide and high ones in turn."""
    paths = [folder / f"a-long-name-of-a-picture-{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        size = ((640, 320), (320, 640))[index % 2]
        Image.new("RGB", size, COLORS[index % 5]).save(path)
    return paths


def test_each_picture_is_on_the_sheet_in_its_place(tmp_path: Path) -> None:
    made = np.asarray(contact_sheet(save(tmp_path, 5)))
    assert made.shape == (2 * (320 + 12 + 14) + 12, 3 * (320 + 12) + 12, 3)
    for index, color in enumerate(COLORS):
        row, column = divmod(index, 3)
        x, y = 12 + column * 332 + 160, 12 + row * 346 + 160
        assert made[y, x].tolist() == list(color)
        wide, high = ((160, 80), (80, 160))[index % 2]
        inside = np.all(made == color, axis=-1)
        assert inside.sum() == 4 * wide * high
        assert (made[row * 346 + 332 : row * 346 + 346, 12 + column * 332 :][:, :320] < 128).any()
    assert (made[346 + 12 : 346 + 332, 2 * 332 + 12 :] == 255).all()  # the sixth place is free


def test_names_end_before_the_next_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_CELL", 60)
    made = np.asarray(contact_sheet(save(tmp_path, 2)))
    names = np.any(made[12 + 60 :] < 200, axis=(0, 2))
    assert names[12:72].any() and not names[72:84].any() and names[84:144].any()


def test_a_large_sheet_and_files_that_are_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, "_SHEET", 200)
    paths = save(tmp_path, 8)
    paths.append(tmp_path / "print.pdf")
    paths[-1].write_bytes(b"%PDF")
    made = contact_sheet(paths)
    assert made.width <= 200 and made.info["icc_profile"]
    half = Image.new("RGBA", (64, 64), (255, 0, 0, 128))
    half.save(tmp_path / "half.png")
    pixel = np.asarray(contact_sheet([tmp_path / "half.png"]))[40, 12 + 94]
    np.testing.assert_allclose(pixel, (255, 127, 127), atol=1)


def test_colors_are_those_of_the_profile(tmp_path: Path) -> None:
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # the same primaries, but linear: a gray of 55 looks like 128
    linear = plain.replace(b"para\0\0\0\0\0\x03", b"para\0\0\0\0\0\0", 1)
    assert linear != plain
    paths = [tmp_path / "plain.png", tmp_path / "linear.png"]
    for path, profile in zip(paths, (plain, linear), strict=True):
        Image.new("RGB", (64, 64), (55, 55, 55)).save(path, icc_profile=profile)
    made = np.asarray(contact_sheet(paths))
    assert made[44, 172].tolist() == [55, 55, 55] and made[44, 504].tolist() != [55, 55, 55]
