"""`print_ready`: a picture on paper, and the boxes of the PDF page."""

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import limner
from limner import io
from limner.errors import OptionError
from limner.upscaling import print_ready as print_ready_module
from limner.upscaling.print_ready import print_ready
from limner.upscaling.upscale import upscale

PICTURE = Image.linear_gradient("L").resize((90, 70)).convert("RGB").rotate(30, expand=False)


def boxes(path: Path) -> dict[str, list[float]]:
    """The boxes of a PDF's page: left, bottom, right, top in points, of 72 to an inch."""
    found = re.findall(rb"/(\w+Box) \[([^]]*)\]", path.read_bytes())
    return {name.decode(): [float(number) for number in box.split()] for name, box in found}


def test_it_equals_upscale_with_paper() -> None:
    ready = print_ready(PICTURE, "6x4cm", dpi=100, bleed="3mm")
    plain = upscale(PICTURE, print_="6x4cm", dpi=100, bleed="3mm", fit="fill")
    assert ready.size == (260, 181)  # 66 mm are 259.8 pixels, 46 mm 181.1
    np.testing.assert_array_equal(ready, plain)
    assert ready.info["bleed"] == 12 and ready.info["dpi"] == (100, 100)  # 3 mm are 11.8 pixels
    assert ready.info["limner"] == plain.info["limner"]
    assert limner.print_ready is print_ready


def test_the_random_state_of_the_caller_is_kept() -> None:
    before = torch.get_rng_state()
    print_ready(PICTURE, "3x2cm", dpi=100)  # larger than the picture, so a network is built
    assert torch.equal(torch.get_rng_state(), before)


def test_all_options_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def note(*inputs: object, **options: object) -> Image.Image:
        given.extend((inputs, options))
        return PICTURE

    monkeypatch.setattr(print_ready_module, "upscale", note)
    options = {"dpi": 77, "fit": "pad", "bleed": "2mm", "quality": "best", "detail": 0.5}
    options["on_step"] = print
    assert print_ready("a.png", "3x2in", **options) is PICTURE
    assert given == [("a.png",), {"print_": "3x2in", **options}]
    ours, theirs = (inspect.signature(verb).parameters for verb in (print_ready, upscale))
    assert set(ours) - {"picture", "paper"} == set(options)
    assert {n for n in options if ours[n].default != theirs[n].default} == {"fit"}


@pytest.mark.parametrize("dpi", [100, 300])
def test_a_page_with_bleed_has_a_trim_box(tmp_path: Path, dpi: float) -> None:
    picture = PICTURE.resize((300, 200))
    ready = print_ready(picture, "6x4cm", dpi=dpi, bleed="3mm")
    io.write(ready, tmp_path / "a.pdf")
    found, pixel = boxes(tmp_path / "a.pdf"), 72 / dpi
    sheet = [0, 0, ready.width * pixel, ready.height * pixel]
    np.testing.assert_allclose(found["MediaBox"], sheet, atol=1e-6)
    assert found["BleedBox"] == found["MediaBox"]
    left, bottom, right, top = found["TrimBox"]
    cut = [left, bottom, sheet[2] - right, sheet[3] - top]
    np.testing.assert_allclose(cut, round(3 / 25.4 * dpi) * pixel, atol=1e-6)
    # in millimeters, 60 × 40 within 66 × 46; each rounding is off by up to half a pixel
    millimeters = np.array([right - left, top - bottom, *sheet[2:]]) / 72 * 25.4
    np.testing.assert_allclose(millimeters, [60, 40, 66, 46], atol=1.5 * 25.4 / dpi)


def test_a_page_without_bleed_is_not_trimmed(tmp_path: Path) -> None:
    ready = print_ready(PICTURE, "2x1in", dpi=50)
    assert ready.size == (100, 50) and ready.info["bleed"] == 0
    io.write(ready, tmp_path / "a.pdf")
    found = boxes(tmp_path / "a.pdf")
    assert found["TrimBox"] == found["BleedBox"] == found["MediaBox"] == [0, 0, 144, 72]


def test_a_bleed_larger_than_the_picture_is_refused() -> None:
    strip = Image.new("RGB", (2000, 2))
    with pytest.raises(OptionError, match="--bleed 3mm: would cut off the whole picture; use"):
        print_ready(strip, "6x4cm", dpi=100, fit="fit", bleed="3mm")


def test_the_bleed_is_filled_with_the_picture() -> None:
    """With fill, the picture reaches the edge of the sheet; with pad, white does."""
    black = Image.new("RGB", (80, 60))
    filled, padded = (
        np.asarray(print_ready(black, "4x2cm", dpi=60, fit=fit, bleed="5mm"))
        for fit in ("fill", "pad")  # the latter 95 pixels wide, of 94.7
    )
    assert filled.shape == padded.shape == (71, 118, 3)  # of 70.9 × 118.1
    assert filled.max() < 5
    lines = padded.mean((0, 2))
    assert (lines[:11] == 255).all() and (lines[-12:] == 255).all() and lines[11:-12].max() < 5


def test_a_fax_is_not_squashed(tmp_path: Path) -> None:
    """204 × 98 pixels per inch: a page of 1 × 1 inch."""
    page = Image.new("L", (204, 98), 255)
    ImageDraw.Draw(page).rectangle((51, 24, 152, 73), fill=0)  # half an inch
    page.save(tmp_path / "fax.tif", dpi=(204, 98))
    said: list[str] = []
    made = print_ready(
        tmp_path / "fax.tif", "1x1in", fit="fit", dpi=150, on_step=lambda p: said.append(p.note)
    )
    assert made.size == (150, 150)
    dark = np.asarray(made.convert("L")) < 128
    assert abs(dark.any(0).sum() - 75) <= 2 and abs(dark.any(1).sum() - 75) <= 2
    note = "has 204 pixels per inch across and 98 down; it is stretched to its true shape"
    assert f"{tmp_path / 'fax.tif'}: {note}" in said
