"""`limner sketch`: lines where the picture changes; thickness and amount of detail."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from scipy import special

from limner import io, sketch
from limner.batch.replay import replay
from limner.cli.main import main
from limner.errors import InputError, OptionError
from limner.line_art.softness import edge_width, grain_of
from limner.progress import Progress

STYLES = ("ink", "contour", "pencil")


def picture(width: int = 120, height: int = 90) -> Image.Image:
    """A red disc and a blue square on white."""
    made = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(made)
    pen.ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill=(200, 40, 40))
    pen.rectangle((5, 5, width // 6, height // 4), fill=(30, 60, 160))
    return made


def ink(drawing: Image.Image) -> np.ndarray:
    """Return ink [H, W] in 0..1, 1 for black; the drawing must be gray."""
    values = np.asarray(drawing)
    assert values.shape[2] == 3 and np.ptp(values, axis=2).max() == 0
    return 1 - values[..., 0] / 255


@pytest.mark.parametrize("style", STYLES)
def test_lines_are_where_colors_meet(style: Any) -> None:
    found = ink(sketch(picture(), style=style))
    y, x = np.mgrid[:90, :120]
    # an ellipse of 30 × 22 about (60, 44.5), and how far its edge is, in pixels
    edge = np.abs(np.hypot((x - 60) / 30, (y - 44.5) / 22.5) - 1) * 26
    square = (x < 26) & (y < 28)
    assert found.shape == (90, 120)
    assert found[edge < 1].mean() > 0.2 and found[(edge > 5) & ~square].max() == 0
    assert found[10:18, 9:16].max() == 0  # within the square


@pytest.mark.parametrize("style", STYLES)
def test_thickness_widens_lines_and_strength_adds_some(style: Any) -> None:
    wider = [ink(sketch(picture(), style=style, thickness=t)).mean() for t in (0.5, 1, 2, 4)]
    assert (np.diff(wider) >= 0).all() and wider[3] > 3 * wider[0]
    more = [ink(sketch(picture(), style=style, strength=s)).mean() for s in (0.2, 1, 3)]
    assert (np.diff(more) >= 0).all() and more[2] > more[0]


@pytest.mark.parametrize("style", ["contour", "pencil"])
def test_strength_draws_faint_edges(style: Any) -> None:
    faint = Image.new("RGB", (80, 60), (200, 200, 200))
    faint.paste((180, 180, 180), (40, 0, 80, 60))
    least, most = (ink(sketch(faint, style=style, strength=s)).max() for s in (0.2, 3))
    assert least < 0.2 < most


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("color", ["white", "black", "red"])
def test_flat_pictures_give_blank_paper(style: Any, color: str) -> None:
    assert ink(sketch(Image.new("RGB", (50, 40), color), style=style)).max() == 0


def test_larger_pictures_get_wider_lines() -> None:
    """In proportion, above 512 pixels, so that the drawing looks the same."""
    small, large = (ink(sketch(picture(*size))) for size in ((512, 384), (1024, 768)))
    assert large.mean() == pytest.approx(small.mean(), rel=0.1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (700, 2)])
def test_very_small_and_thin_pictures_work(style: Any, size: tuple[int, int]) -> None:
    assert sketch(Image.new("RGB", size, "red"), style=style).size == size


def test_transparent_areas_are_paper() -> None:
    clear = picture().convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 0))
    told: list[Progress] = []
    assert ink(sketch(clear, on_step=told.append)).max() == 0
    assert "picture: its transparent parts are put on white" in {step.note for step in told}


def test_progress_is_reported_before_and_after() -> None:
    reports: list[Progress] = []
    sketch(picture(), on_step=reports.append)
    assert [(p.step, p.steps, p.share) for p in reports] == [(0, 1, 0), (1, 1, 1)]
    assert reports[0].note == "120×90 px"


def test_the_recipe_holds_all_options(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png", dpi=(200, 200))
    made = sketch(tmp_path / "a.png", style="contour", thickness=2)
    recipe = json.loads(made.info["limner"])
    assert (recipe["verb"], recipe["inputs"]) == ("sketch", ["a.png"])
    options = {"style": "contour", "thickness": 2, "strength": 1, "allow_huge": False}
    assert recipe["options"] == options and made.info["dpi"] == (200, 200)


def test_replay_makes_the_same_file(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    io.write(sketch(tmp_path / "a.png", style="pencil"), tmp_path / "out.png")
    io.write(replay(tmp_path / "out.png"), tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_the_command_is_called_sketch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture().save(tmp_path / "a.png")
    places = [str(tmp_path / name) for name in ("a.png", "out.png")]
    assert main(["sketch", places[0], "-o", places[1], "--style", "pencil"]) == 0
    assert capsys.readouterr().out == f"{places[1]}\n"
    with Image.open(places[1]) as made:
        np.testing.assert_array_equal(made, sketch(places[0], style="pencil"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"style": "oil"}, "--style oil: must be one of ink, contour, pencil"),
        ({"thickness": 0.4}, "--thickness 0.4: must be from 0.5 to 4"),
        ({"thickness": 4.1}, "--thickness 4.1: must be from 0.5 to 4"),
        ({"thickness": float("nan")}, "--thickness nan: must be from 0.5 to 4"),
        ({"strength": 0.1}, "--strength 0.1: must be from 0.2 to 3"),
        ({"strength": 3.1}, "--strength 3.1: must be from 0.2 to 3"),
        ({"strength": float("nan")}, "--strength nan: must be from 0.2 to 3"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as raised:
        sketch(picture(), **options)
    assert str(raised.value) == says


def test_a_missing_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        sketch("nowhere.png")


# --- soft pictures and grain -----------------------------------------------------------------


def portrait(size: int) -> Image.Image:
    """A portrait of 256 pixels with a little grain, enlarged."""
    random = np.random.default_rng(4)
    made = Image.new("RGB", (256, 256), (90, 110, 130))
    pen = ImageDraw.Draw(made)
    pen.ellipse((68, 30, 188, 200), fill=(60, 40, 30))
    pen.ellipse((80, 50, 176, 200), fill=(222, 180, 155))
    for x in (106, 150):
        pen.ellipse((x - 12, 108, x + 12, 122), fill=(245, 245, 245))
        pen.ellipse((x - 6, 108, x + 6, 121), fill=(70, 50, 30))
        pen.line((x - 14, 98, x + 14, 96), fill=(50, 35, 25), width=3)
    values = np.asarray(made.filter(ImageFilter.GaussianBlur(1.2))) + random.normal(
        0, 2, (256, 256, 1)
    )
    sharp = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    return sharp.resize((size, size), Image.Resampling.LANCZOS)


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_an_enlarged_picture_keeps_its_ink(style: Any) -> None:
    """It faded from 1.9% to .01%: edges are softer than the lines that were looked for."""
    shares = [ink(sketch(portrait(size), style=style)).mean() for size in (256, 512, 1024)]
    assert min(shares[1:]) > 0.5 * shares[0] and shares[0] > 0.0095


@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.0])
def test_the_width_of_edges_is_found(sigma: float) -> None:
    y, x = np.mgrid[:200, :300]
    step = 0.3 + 0.2 * (1 + special.erf((x - 150 + 0.3 * (y - 100)) / 1.044 / sigma / 2**0.5))
    found = edge_width(torch.from_numpy(step).float()[None, None])
    assert found == pytest.approx(sigma, rel=0.15)
    sharp = torch.from_numpy(step > 0.5).float()[None, None]
    assert edge_width(sharp) < 1 and edge_width(torch.full((1, 1, 20, 20), 0.4)) == 0


@pytest.mark.parametrize("sigma", [0, 3, 6])
def test_grain_is_measured(sigma: float) -> None:
    random = np.random.default_rng(0)
    values = 120 + random.normal(0, sigma, (200, 300)) + 60 * (np.arange(300) % 50 < 25)
    found = grain_of(torch.from_numpy(values / 255).float()[None, None])
    assert found * 255 == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("channels", [1, 3])
def test_grain_leaves_no_marks(style: Any, channels: int) -> None:
    """It was drawn as hundreds of black specks."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:300, :400]
    shades = np.stack((60 + 100 * y / 300, 90 + 80 * x / 400, 150 - 60 * y / 300), -1)
    edge = np.hypot(y - 150, x - 200) - 60
    shades[edge < 0] = (20, 10, 5)
    for sigma in (4, 6):
        grain = random.normal(0, sigma, (300, 400, channels))
        photo = Image.fromarray((shades + grain).clip(0, 255).astype(np.uint8))
        found = ink(sketch(photo, style=style))
        assert found[edge > 8].max() < 0.15, sigma
        assert found[np.abs(edge) < 3].mean() > 0.08, sigma


def test_a_drawing_without_lines_is_told() -> None:
    for made, blank in ((Image.new("RGB", (50, 40), "red"), True), (picture(), False)):
        told: list[Progress] = []
        sketch(made, on_step=told.append)
        assert any("hardly any lines were found" in step.note for step in told) == blank


@pytest.mark.parametrize("style", STYLES)
def test_lines_of_a_long_strip_are_as_wide_as_those_of_its_pages(style: Any) -> None:
    strip = Image.new("RGB", (120, 90 * 30), "white")
    for page in range(30):
        strip.paste(picture(), (0, 90 * page))
    ink = [
        255 - np.asarray(sketch(one, style=style).convert("L"), float).mean()
        for one in (picture(), strip)
    ]
    assert ink[1] == pytest.approx(ink[0], rel=0.25)
