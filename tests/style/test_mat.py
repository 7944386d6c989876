"""The mat around a painting: found, named, and cut off on request."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from style_pictures import HOUSE, WARM, Paint, blobs, distance, recipe_of, rgb

from limner import io
from limner.progress import Progress
from limner.style.mat import find_mat, remark, without_mat


def framed(borders: tuple[int, int, int, int], color: tuple[int, int, int]) -> Image.Image:
    """Put a mat around the painting: left, top, right and bottom."""
    return ImageOps.expand(WARM, borders, fill=color)


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (120, 160, 90)])
@pytest.mark.parametrize("borders", [(12, 12, 12, 12), (9, 14, 20, 31)])
def test_a_mat_is_found(borders: tuple[int, int, int, int], color: tuple[int, int, int]) -> None:
    left, top, right, bottom = borders
    found = find_mat(io.read(framed(borders, color)).rgb)
    assert found == (top, bottom, left, right)


def test_a_mat_with_the_noise_of_a_scan_is_found() -> None:
    picture = rgb(framed((12, 12, 12, 12), (230, 225, 215)))
    picture += np.random.default_rng(0).normal(0, 4, picture.shape)
    scanned = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    assert find_mat(io.read(scanned).rgb) == (12, 12, 12, 12)


@pytest.mark.parametrize(
    "picture",
    [
        WARM,
        Image.new("RGB", (60, 40), (200, 180, 90)),
        framed((12, 12, 12, 0), (255, 255, 255)),  # a white sky, for example
        blobs(3, 60, 80, (120, 120, 120)),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (1, 50), "white"),
    ],
    ids=["painting", "flat", "three sides", "blobs", "one pixel", "one column"],
)
def test_what_is_no_mat_is_not_cut_off(picture: Image.Image) -> None:
    painting = io.read(picture)
    assert find_mat(painting.rgb) == (0, 0, 0, 0) and remark(painting) is None
    assert torch.equal(without_mat(painting).rgb, painting.rgb)


def test_a_wide_mat_in_a_large_picture_is_found() -> None:
    """Every other pixel is skipped: the width is right to a step."""
    large = framed((12, 12, 12, 12), (255, 255, 255)).resize((1976, 1976), Image.Resampling.NEAREST)
    assert np.abs(np.array(find_mat(io.read(large).rgb)) - 156).max() <= 4


def test_a_frame_around_the_mat_is_cut_off_too() -> None:
    inner = framed((9, 14, 20, 31), (255, 255, 255))
    double = ImageOps.expand(inner, 4, (0, 0, 0))
    painting = without_mat(io.read(double))
    assert torch.equal(painting.rgb, without_mat(io.read(inner)).rgb) and remark(painting) is None


def test_the_mat_is_named_in_a_remark(stroke: Paint, tmp_path: Path) -> None:
    framed((9, 14, 20, 31), (255, 255, 255)).save(tmp_path / "framed.png")
    reports: list[Progress] = []
    plain = stroke(HOUSE, tmp_path / "framed.png", steps=1, on_step=reports.append)
    (note,) = [p.note for p in reports if "border" in p.note]
    assert note.startswith(f"{tmp_path / 'framed.png'}: has a plain border of 9 to 31 pixels")
    framed((31, 31, 31, 31), (255, 255, 255)).save(tmp_path / "even.png")
    assert "has a plain border of 31 pixels" in str(remark(io.read(tmp_path / "even.png")))
    assert "--crop-style" in note and "\n" not in note
    assert recipe_of(plain)["options"]["crop_style"] is False


def test_transparent_surroundings_are_no_mat(stroke: Paint) -> None:
    picture = framed((20, 20, 20, 20), (255, 255, 255))
    alpha = Image.new("L", picture.size)
    alpha.paste(255, (20, 20, picture.width - 20, picture.height - 20))
    picture.putalpha(alpha)
    reports: list[Progress] = []
    result = stroke(HOUSE, picture, steps=1, on_step=reports.append)
    assert not [p.note for p in reports if "border" in p.note]
    alone = picture.convert("RGB").crop((20, 20, picture.width - 20, picture.height - 20))
    means = [rgb(one).mean((0, 1)) for one in (result, stroke(HOUSE, alone, steps=1))]
    assert np.abs(means[0] - means[1]).max() < 6


@pytest.mark.slow
def test_the_mat_is_cut_off_on_request(stroke: Paint) -> None:
    for alpha in (False, True):
        picture, painting = framed((30, 30, 30, 30), (0, 0, 255)), WARM.copy()
        if alpha:
            picture.putalpha(255)
            painting.putalpha(255)
        reports: list[Progress] = []
        cropped = stroke(HOUSE, picture, steps=1, crop_style=True, on_step=reports.append)
        assert cropped.tobytes() == stroke(HOUSE, painting, steps=1).tobytes()
        assert recipe_of(cropped)["options"]["crop_style"] is True
        assert not [p.note for p in reports if "border" in p.note]
        assert distance(cropped, stroke(HOUSE, picture, steps=1)) > 5
