"""Strips and animations, measured in their pixels."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from limner.hybrid.viewing import strip, zoom


def photo(width: int = 160, height: int = 96) -> Image.Image:
    """Smooth, and nowhere near white."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    planes = [0.4 + 0.3 * np.sin(k + 5 * x) * np.cos(k * 2 + 4 * y) for k in range(3)]
    return Image.fromarray((255 * np.stack(planes, 2)).round().astype(np.uint8))


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(float)


def block_means(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = (n // side for n in picture.shape[:2])
    return picture.reshape(height, side, width, side, 3).mean((1, 3))


# --- strip -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(160, 96), (96, 160), (64, 64)])
def test_strip_is_the_picture_four_times(width: int, height: int) -> None:
    picture = photo(width, height)
    found = strip(picture)
    assert found.mode == "RGB"
    assert found.size == (width * 15 // 8 + 3 * 16, height)
    row, left = pixels(found), 0
    for share in (1, 2, 4, 8):
        wide, tall = width // share, height // share
        part = row[height - tall :, left : left + wide]
        wanted = block_means(pixels(picture), share)
        np.testing.assert_allclose(part.mean((0, 1)), wanted.mean((0, 1)), atol=1)
        np.testing.assert_allclose(part[1:-1, 1:-1], wanted[1:-1, 1:-1], atol=3)
        row[height - tall :, left : left + wide] = 255
        left += wide + 16
    assert (row == 255).all()  # and all else is white


def test_strip_of_the_smallest_picture() -> None:
    found = pixels(strip(Image.new("RGB", (1, 1), (9, 8, 7))))
    assert found.shape == (1, 4 + 3 * 16, 3)
    np.testing.assert_array_equal(found[0, ::17], [[9, 8, 7]] * 4)


# --- zoom ------------------------------------------------------------------------------------


def frames(animation: Image.Image) -> list[tuple[np.ndarray, int]]:
    """Each frame's pixels, and how long it stays, in milliseconds."""
    return [
        (pixels(frame), int(frame.info["duration"])) for frame in ImageSequence.Iterator(animation)
    ]


def nonwhite_box(frame: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is not white."""
    down, right = np.nonzero(frame.min(2) < 250)
    return down.min(), down.max() + 1, right.min(), right.max() + 1


def test_zoom_goes_out_to_an_eighth_and_comes_back() -> None:
    found = frames(zoom(photo()))
    assert len(found) > 20
    heights, widths = [], []
    for frame, _ in found:
        top, bottom, left, right = nonwhite_box(frame)
        assert abs(top + bottom - 96) <= 1 and abs(left + right - 160) <= 1  # in the middle
        heights.append(bottom - top)
        widths.append(right - left)
    last = widths.index(min(widths))
    assert (widths[0], heights[0]) == (160, 96)
    assert (widths[last], heights[last]) == (20, 12)
    assert widths[: last + 1] == sorted(widths[: last + 1], reverse=True)
    assert widths[last:] == sorted(widths[last:])
    # each step outwards is as much smaller as the one before: an eighth in all
    wanted = 160 * 8.0 ** -(np.arange(last + 1) / last)
    np.testing.assert_allclose(widths[: last + 1], wanted, atol=0.51)


def test_zoom_shows_the_picture_first_and_it_shrunk_on_white() -> None:
    animation = zoom(photo())
    assert animation.format == "GIF" and animation.info["loop"] == 0
    found = frames(animation)
    picture = pixels(photo())
    assert abs(found[0][0] - picture).mean() < 4  # of 256 colors
    least = min(found, key=lambda one: (one[0].min(2) < 250).sum())[0]
    np.testing.assert_allclose(least[42:54, 70:90], block_means(picture, 8), atol=16)
    least[42:54, 70:90] = 255
    assert (least == 255).all()


def test_zoom_rests_at_both_ends() -> None:
    found = frames(zoom(photo()))
    stays = [stay for _, stay in found]
    areas = [(frame.min(2) < 250).sum() for frame, _ in found]
    assert stays[0] > 6 * 80 and stays[areas.index(min(areas))] > 6 * 80
    assert sorted(stays)[:-2] == [80] * (len(stays) - 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "wanted"),
    [((960, 240), (480, 120)), ((120, 720), (80, 480)), ((100, 50), (100, 50))],
)
def test_zoom_is_at_most_480_pixels(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    found = zoom(photo(*size))
    assert found.size == wanted
    factor = size[0] / wanted[0]
    y, x = (int(factor * (n // 3)) for n in wanted[::-1])
    at_a_third = pixels(found)[wanted[1] // 3, wanted[0] // 3]
    np.testing.assert_allclose(at_a_third, pixels(photo(*size))[y, x], atol=14)
