"""`limner colorize` with a small random network: hints, palettes, shading, layers, errors."""

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from skimage.color import rgb2lab
from torch import Tensor, nn

from limner import Coloring, colorize, io
from limner.batch.replay import replay
from limner.cli.main import main
from limner.color import oklab
from limner.colorization import coloring, models, pix2pix, train
from limner.colorization import colorize as module
from limner.colorization.network import Colorizer
from limner.errors import InputError, LimnerError, OptionError, WeightsError
from limner.nn import weights
from limner.progress import Progress, Stop
from stopping import until

RED, BLUE = (220, 30, 40), (30, 60, 200)
STROKE = (50, 40, 59, 49)  # in the left one of two boxes: left, top, right and bottom
LEFT, RIGHT = (slice(24, 97), slice(24, 67)), (slice(24, 97), slice(94, 137))
OUTSIDE = (slice(0, 17), slice(0, 160))


def boxes(scale: int = 1, gap: int = 0) -> Image.Image:
    """Two boxes side by side, 160 × 120 pixels; the left one may have a gap at the top."""
    picture = Image.new("RGB", (160 * scale, 120 * scale), "white")
    pen = ImageDraw.Draw(picture)
    for left in (20, 90):
        corners = (left, 20, left + 50, 100)
        pen.rectangle([scale * side for side in corners], outline="black", width=2 * scale)
    if gap:
        pen.rectangle((40, 18, 39 + gap, 23), fill="white")
    return picture


def strip(width: int, height: int) -> Image.Image:
    """Lines across, 40 pixels apart."""
    page = np.full((height, width), 255, np.uint8)
    page[20::40] = page[21::40] = 0
    return Image.fromarray(page)


def strokes(scale: int = 1, ground: Image.Image | None = None) -> Image.Image:
    """A stroke of red in the left box, on transparency or on another picture."""
    picture = ground or Image.new("RGBA", (160 * scale, 120 * scale))
    left, top, right, bottom = (scale * side for side in STROKE)
    picture.paste((*RED, 255)[: len(picture.getbands())], (left, top, right + 1, bottom + 1))
    return picture


def rgb(picture: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..1."""
    return np.asarray(picture.convert("RGB")) / 255


def levels(picture: Image.Image) -> np.ndarray:
    """[H, W, 3] in 0..255, signed."""
    return np.asarray(picture.convert("RGB")).astype(int)


def one_color(picture: Image.Image, part: tuple[slice, slice]) -> tuple[int, ...]:
    """Return the color of a part, which must be the same all over it."""
    found = levels(picture)[part].reshape(-1, 3)
    assert (found == found[0]).all()
    return tuple(found[0].tolist())


def all_variations(picture: Image.Image) -> list[np.ndarray]:
    """Return the picture and its variations."""
    beside = picture.info["beside"]
    return [rgb(picture), *(rgb(one) for name, one in beside.items() if name.isdecimal())]


# --- the picture -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(24, 18), (129, 257)])
def test_the_result_has_the_size_of_the_drawing(size: tuple[int, int], model: Path) -> None:
    made = colorize(boxes().resize(size), model=model)
    assert made.size == size and made.mode == "RGB" and made.info["beside"] == {}


@pytest.mark.parametrize("size", [(1, 120), (120, 1), (2, 2)])
def test_tiny_pictures_are_colored_or_refused_in_one_line(
    size: tuple[int, int], model: Path
) -> None:
    drawing = strip(size[0], size[1])
    try:
        assert colorize(drawing, model=model, size=64).size == size
    except InputError as error:
        assert str(error).startswith("picture: no lines found;")


def test_every_region_has_one_color_of_the_network(model: Path) -> None:
    made = colorize(boxes(3), model=model)
    assert made.size == (480, 360)
    assert levels(made)[levels(boxes(3)).max(2) == 0].max() == 0  # lines stay sharp
    known = np.round(models.load(model).colors.numpy() * 255)
    for part in (LEFT, RIGHT, OUTSIDE):
        wide = tuple(slice(3 * side.start, 3 * side.stop) for side in part)
        color = one_color(made, wide)  # type: ignore[arg-type]
        assert np.abs(known - color).max(1).min() == 0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Heights and widths at which networks see drawings."""
    found = []
    plain = Colorizer.encode

    def encode(network: Colorizer, ink: Tensor) -> Any:
        found.append(tuple(ink.shape[2:]))
        return plain(network, ink)

    monkeypatch.setattr(Colorizer, "encode", encode)
    return found


def test_the_network_works_at_the_size_option(model: Path, seen: list[tuple[int, int]]) -> None:
    """At the nearest multiples of 16."""
    for scale, size in ((3, 200), (3, 64), (1, 200)):
        colorize(boxes(scale), model=model, size=size)
    assert seen == [(192, 272), (64, 80), (192, 272)]


@pytest.mark.parametrize(
    ("said", "short", "long"), [(96, 96, 128), (192, 192, 256), ("", 128, 176)]
)
def test_the_default_size_is_that_of_the_training(
    said: int | str,
    short: int,
    long: int,
    model: Path,
    tmp_path: Path,
    seen: list[tuple[int, int]],
) -> None:
    """As the weights file says, or 128 pixels if it says nothing."""
    about = {"kind": "colorizer", "architecture": "default"} | ({"size": said} if said else {})
    weights.write(tmp_path / "other.safetensors", weights.read(model), about)
    colorize(boxes(3), model=str(tmp_path / "other.safetensors"))
    assert seen == [(short, long)]


def test_long_strips_are_seen_at_a_moderate_size(model: Path, seen: list[tuple[int, int]]) -> None:
    """The long side is at most 16 times the size."""
    colorize(strip(6, 400), model=model, size=64)
    colorize(strip(40, 400), model=model, size=64)
    assert seen == [(1024, 16), (640, 64)]


@pytest.mark.parametrize("said", ["wide", "0", "-3"])
def test_weights_with_an_impossible_size_are_refused(
    said: str, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    weights.write(path, weights.read(model), {"kind": "colorizer", "size": said})
    with pytest.raises(WeightsError) as raised:
        colorize(boxes(), model=str(path))
    assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)


def test_lines_are_kept_softened_or_dropped(model: Path) -> None:
    kept, soft, none = (
        rgb(colorize(boxes(), model=model, lines=way)) for way in ("keep", "soften", "drop")
    )
    ink = 1 - rgb(boxes())[..., :1]
    assert (ink == 1).sum() > 500 and (ink == 0).sum() > 10_000
    np.testing.assert_allclose(kept, none * (1 - ink), atol=0.005)
    np.testing.assert_allclose(soft, none * (1 - 0.6 * ink), atol=0.005)
    assert none[ink[..., 0] == 1].max(1).min() > 0.05  # colors meet under the lines


def test_light_lines_on_black_are_colored_like_dark_lines(model: Path) -> None:
    dark, light = boxes(), Image.eval(boxes(), lambda value: 255 - value)
    made = [rgb(colorize(one, model=model)) for one in (dark, light)]
    # inverting rounds: a value may fall on the other side of a half, and so one level off
    np.testing.assert_allclose(*made, atol=1.01 / 255)


@pytest.mark.parametrize("kind", ["transparent", "gray", "16 bits", "1 bit"])
def test_drawings_of_all_kinds_are_read(kind: str, tmp_path: Path, model: Path) -> None:
    drawing = boxes()
    gray = drawing.convert("L")
    if kind == "transparent":  # black everywhere; only the lines are opaque
        drawing = Image.new("RGBA", gray.size)
        drawing.putalpha(Image.eval(gray, lambda value: 255 - value))
    elif kind == "16 bits":
        drawing = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    else:
        drawing = gray if kind == "gray" else gray.convert("1")
    drawing.save(tmp_path / "a.png")
    made = colorize(tmp_path / "a.png", model=model)
    assert np.abs(rgb(made) - rgb(colorize(boxes(), model=model))).max() < 0.01


@pytest.mark.parametrize("way", ["drop", "keep"])
def test_a_drawing_without_a_bare_spot_is_one_region(way: Any, model: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (40, 20))
    made = colorize(Image.fromarray(stripes), model=model, lines=way)
    bare = levels(made)[stripes == 255]
    assert (bare == bare[0]).all()


def test_around_a_sheet_of_paper_the_photo_stays(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, sheet = coloring.read_drawing, np.zeros((120, 160), bool)
    sheet[:, :80] = True

    def read(*given: Any, **options: Any) -> Any:
        return replace(plain(*given, **options), paper=sheet)

    monkeypatch.setattr(coloring, "read_drawing", read)
    made = colorize(boxes(), model=model, hint=["50,50=#dc1e28", "120,50=#dc1e28"])
    np.testing.assert_array_equal(levels(made)[:, 80:], levels(boxes())[:, 80:])
    assert one_color(made, LEFT) == RED


# --- hints -----------------------------------------------------------------------------------


def hinted(model: Path, drawing: Image.Image | None = None, **options: Any) -> Image.Image:
    return colorize(drawing or boxes(), model=model, **options)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_hint_fills_its_whole_region_with_exactly_its_color(scale: int, model: Path) -> None:
    made = colorize(boxes(scale), hints=strokes(scale), model=model, size=128)
    box = tuple(slice(scale * side.start, scale * side.stop) for side in LEFT)
    assert np.abs(levels(made)[box] - RED).max() <= 1
    assert one_color(colorize(boxes(), model=model), LEFT) != RED


def test_a_hint_stays_in_its_region(model: Path) -> None:
    made = hinted(model, hints=strokes(), lines="drop")
    off = np.abs(levels(made) - RED).max(2)
    assert (off[19:102, 19:72] <= 1).sum() == (off <= 1).sum()
    assert off[RIGHT].min() > 20 and off[OUTSIDE].min() > 20


@pytest.mark.parametrize(
    "form", ["path", "text", "picture", "pairs", "hint", "name", "on white", "on the drawing"]
)
def test_hints_can_be_given_in_many_ways(form: str, model: Path, tmp_path: Path) -> None:
    strokes().save(tmp_path / "hints.png")
    forms: dict[str, dict[str, Any]] = {
        "path": {"hints": tmp_path / "hints.png"},
        "text": {"hints": str(tmp_path / "hints.png")},
        "picture": {"hints": strokes()},
        "pairs": {"hints": [((54, 44), "#dc1e28"), ((5, 5), "white")]},
        "hint": {"hint": ["54,44=#DC1E28"]},
        "name": {"hint": ["54,44=crimson"]},
        "on white": {"hints": strokes(ground=Image.new("RGB", (160, 120), "white"))},
        "on the drawing": {"hints": strokes(ground=boxes())},
    }
    made = hinted(model, **forms[form])
    wanted = (220, 20, 60) if form == "name" else RED
    assert np.abs(levels(made)[LEFT] - wanted).max() <= 1
    if form == "pairs":
        assert one_color(made, OUTSIDE) == (255, 255, 255)


def test_points_come_on_top_of_strokes(model: Path) -> None:
    made = hinted(model, hints=strokes(), hint=["120,60=#1e3cc8", "2,2=gold"])
    found = [one_color(made, part) for part in (LEFT, RIGHT, OUTSIDE)]
    assert found == [RED, BLUE, (255, 215, 0)]


def test_hints_may_have_another_size_than_the_drawing(model: Path) -> None:
    large, small = (colorize(boxes(), hints=strokes(scale), model=model) for scale in (3, 1))
    np.testing.assert_allclose(rgb(large), rgb(small), atol=0.01)


@pytest.mark.parametrize("gap", [4, 8])
def test_hints_fill_regions_over_gaps_in_the_lines(gap: int, model: Path) -> None:
    """Gaps as wide as --gap are closed; wider ones join the region with the paper around it."""
    points = ["50,60=#dc1e28"]
    closed = hinted(model, boxes(gap=gap), hint=points, gap=gap)
    assert np.abs(levels(closed)[LEFT] - RED).max() <= 1
    assert np.abs(levels(closed)[OUTSIDE] - RED).max(2).min() > 20
    open_ = hinted(model, boxes(gap=gap), hint=points, gap=0)
    assert one_color(open_, LEFT) == RED and one_color(open_, (slice(0, 12), slice(0, 160))) == RED


def test_two_hints_divide_a_region_with_a_hard_or_a_soft_edge(model: Path) -> None:
    points = ["45,30=#dc1e28", "45,90=#1e3cc8"]
    hard, soft = (
        levels(hinted(model, hint=points, hint_edges=way))[LEFT] for way in ("hard", "soft")
    )
    found = {tuple(color) for color in hard.reshape(-1, 3).tolist()}
    assert found == {RED, BLUE}
    assert (hard[:20] == RED).all() and (hard[-20:] == BLUE).all()
    column = soft[:, 20, 0]  # red falls from the top down
    assert (np.diff(column) <= 1).all() and len(np.unique(column)) > 15
    assert np.abs(soft[6, 21] - RED).max() <= 2 and np.abs(soft[66, 21] - BLUE).max() <= 2
    outside = [
        levels(hinted(model, hint=points, hint_edges=way))[OUTSIDE] for way in ("hard", "soft")
    ]
    np.testing.assert_array_equal(*outside)


def test_200_hints_are_obeyed(model: Path) -> None:
    """A grid of ten by twenty boxes, each in its color."""
    random = np.random.default_rng(0)
    picture = Image.new("RGB", (422, 222), "white")
    pen = ImageDraw.Draw(picture)
    colors = random.integers(0, 256, (10, 20, 3))
    points = []
    for row in range(10):
        for column in range(20):
            x, y = 20 * column + 10, 20 * row + 10
            pen.rectangle((x, y, x + 21, y + 21), outline="black", width=2)
            points.append(f"{x + 11},{y + 11}=#{bytes(colors[row, column].tolist()).hex()}")
    made = levels(colorize(picture, model=model, hint=points, gap=2))
    for row in range(10):
        for column in range(20):
            y, x = 20 * row + 13, 20 * column + 13
            inside = made[y : y + 15, x : x + 15]
            assert np.abs(inside - colors[row, column]).max() <= 1


def test_colored_strokes_of_the_drawing_can_be_hints(model: Path) -> None:
    made = hinted(model, strokes(ground=boxes()), hints="self")
    assert np.abs(levels(made)[LEFT] - RED).max() < 25
    assert len(np.unique(levels(made)[LEFT].reshape(-1, 3), axis=0)) == 1
    assert np.abs(levels(made)[RIGHT] - RED).max(2).min() > 20


# --- palettes and references -----------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "names", "picture", "path"])
def test_a_palette_is_used_fully_and_alone(form: str, model: Path, tmp_path: Path) -> None:
    flags = Image.new("RGB", (60, 40), RED)
    flags.paste(BLUE, (20, 0, 40, 40))
    flags.paste((255, 215, 0), (40, 0, 60, 40))
    flags.save(tmp_path / "flags.png")
    given: dict[str, Any] = {
        "text": "#dc1e28,#1e3cc8,#ffd700",
        "names": "#dc1e28, #1e3cc8, gold",
        "picture": flags,
        "path": tmp_path / "flags.png",
    }
    made = hinted(model, palette=given[form], lines="drop")
    found = np.array([one_color(made, part) for part in (LEFT, RIGHT, OUTSIDE)])
    wanted = np.array([RED, BLUE, (255, 215, 0)])
    off = np.abs(found[:, None] - wanted).max(2)
    assert off.min(0).max() <= 1  # each color appears
    white = np.abs(found - 255).max(1) == 0
    assert (off.min(1)[~white] <= 1).all()


def test_a_hint_holds_beside_a_palette(model: Path) -> None:
    made = hinted(model, palette="#1e3cc8,gold", hint=["50,50=#dc1e28"])
    assert one_color(made, LEFT) == RED
    assert {one_color(made, RIGHT), one_color(made, OUTSIDE)} == {BLUE, (255, 215, 0)}


def test_the_colors_of_a_reference_are_carried_over(model: Path) -> None:
    picture = boxes(2)
    for part, color in ((LEFT, RED), (RIGHT, BLUE)):
        ImageDraw.floodfill(picture, (2 * part[1].start + 20, 80), color)
    made = hinted(model, reference=picture, hint=["120,60=#112233"])
    wanted = np.array([RED, BLUE, (255, 255, 255), (0, 0, 0)])
    for part in (LEFT, OUTSIDE):
        assert np.abs(wanted - one_color(made, part)).max(1).min() <= 3
    assert one_color(made, RIGHT) == (0x11, 0x22, 0x33)


# --- vividness and shading -------------------------------------------------------------------


def chroma(picture: Image.Image, part: tuple[slice, slice]) -> float:
    color = torch.tensor(one_color(picture, part)) / 255
    return float(oklab.of_colors(color[None])[0, 1:].norm())


def test_vivid_scales_the_chroma_of_what_was_not_hinted(model: Path) -> None:
    gray, half, plain = (
        hinted(model, vivid=vivid, hint=["50,50=#dc1e28"]) for vivid in (0, 0.5, 1)
    )
    for made in (gray, half, plain):
        assert one_color(made, LEFT) == RED
    for part in (RIGHT, OUTSIDE):
        assert np.ptp(one_color(gray, part)) <= 1
        assert chroma(half, part) == pytest.approx(chroma(plain, part) / 2, abs=0.004)
        assert chroma(plain, part) > 0.03


def test_vivid_2_gives_stronger_colors(model: Path) -> None:
    """Twice the chroma, clipped to sRGB."""
    strong, plain = (hinted(model, vivid=vivid) for vivid in (2, 1))
    for part in (LEFT, RIGHT, OUTSIDE):
        lab = oklab.of_colors(torch.tensor(one_color(plain, part))[None] / 255)
        wanted = 255 * oklab.to_colors(lab * torch.tensor([1, 2, 2]))[0]
        np.testing.assert_allclose(one_color(strong, part), wanted, atol=2.5)
        assert chroma(strong, part) > 1.05 * chroma(plain, part)


@pytest.mark.parametrize("color", ["#dc1e28", "#ffe0bd", "#ffd700", "#204060"])
def test_shading_hardly_moves_the_mean_of_a_hinted_region(color: str, model: Path) -> None:
    given = {"hint": [f"50,50={color}"], "lines": "drop"}
    wanted = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])
    inside = (levels(hinted(model, **given)) == wanted).all(2)
    assert inside.sum() > 47 * 77  # all within the lines of the box
    box = rgb(hinted(model, **given, shading=1))[inside]
    off = rgb2lab(box.mean(0)[None, None]) - rgb2lab(wanted[None, None] / 255)
    assert np.linalg.norm(off) < 2
    assert np.ptp(box.mean(1)) > 0.04  # there is shading


def test_shading_is_0_by_default(model: Path) -> None:
    np.testing.assert_array_equal(hinted(model), hinted(model, shading=0))


# --- variations ------------------------------------------------------------------------------


def test_variations_differ_and_are_repeatable(model: Path) -> None:
    made = colorize(boxes(), variations=3, model=model, seed=11)
    assert list(made.info["beside"]) == ["2", "3"]
    first, *others = all_variations(made)
    np.testing.assert_array_equal(first, rgb(colorize(boxes(), model=model)))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        off = np.abs([first, *others][one] - [first, *others][other])
        assert max(off[part].mean() for part in (LEFT, RIGHT, OUTSIDE)) > 0.1
    again = all_variations(colorize(boxes(), variations=4, model=model, seed=11))
    np.testing.assert_array_equal(again[:3], [first, *others])
    seeds = all_variations(colorize(boxes(), variations=3, model=model, seed=6))
    assert min(np.abs(a - b).mean() for a, b in zip(seeds[1:], others, strict=True)) > 0.01


def test_variations_are_flat(model: Path) -> None:
    made = colorize(boxes(), variations=4, model=model)
    for one in (made, *made.info["beside"].values()):
        for part in (LEFT, RIGHT, OUTSIDE):
            one_color(one, part)


def test_hints_and_palettes_hold_in_all_variations(model: Path) -> None:
    made = colorize(boxes(), hints=strokes(), variations=3, palette="#1e3cc8,gold", model=model)
    for picture in (made, made.info["beside"]["2"], made.info["beside"]["3"]):
        assert np.abs(levels(picture)[LEFT] - RED).max() <= 1
        found = {one_color(picture, part) for part in (RIGHT, OUTSIDE)}
        assert found <= {BLUE, (255, 215, 0), (255, 255, 255)}


# --- layers and flats ------------------------------------------------------------------------


def laid(below: np.ndarray, layer: np.ndarray, blend: str | None) -> np.ndarray:
    """Lay a layer [H, W, 4] over colors [H, W, 3], by the formulas of W3C's compositing draft."""
    color, alpha = layer[..., :3], layer[..., 3:]
    if blend == "svg:multiply":
        color = below * color
    elif blend == "svg:color-dodge":
        color = np.minimum(1, below / np.maximum(1e-6, 1 - color))
    return below * (1 - alpha) + color * alpha


@pytest.mark.parametrize("shading", [0, 1])
@pytest.mark.parametrize("lines", ["keep", "soften", "drop"])
def test_layers_compose_to_the_result(
    lines: Any, shading: float, tmp_path: Path, model: Path
) -> None:
    drawing = boxes().filter(ImageFilter.BoxBlur(1))
    options: dict[str, Any] = {"lines": lines, "shading": shading, "hint": ["50,50=gold"]}
    made = colorize(drawing, layers=True, **options, model=model)
    io.write_view(made.info["beside"]["layers"], tmp_path / "a.ora")
    composed, covered = np.zeros((120, 160, 3)), np.zeros((120, 160), int)
    with ZipFile(tmp_path / "a.ora") as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.infolist()[0].compress_type == ZIP_STORED
        assert archive.read("mimetype") == b"image/openraster"
        (stack,) = ElementTree.fromstring(archive.read("stack.xml"))  # noqa: S314 - our own

        def opened(name: str) -> Image.Image:
            return Image.open(BytesIO(archive.read(name))).convert("RGBA")

        np.testing.assert_array_equal(opened("mergedimage.png").convert("RGB"), made)
        for layer in reversed(stack):  # the first layer is on top
            if layer.get("visibility") == "hidden":
                continue
            part = np.asarray(opened(layer.attrib["src"])) / 255
            x, y = int(layer.attrib["x"]), int(layer.attrib["y"])
            box = (slice(y, y + len(part)), slice(x, x + part.shape[1]))
            composed[box] = laid(composed[box], part, layer.get("composite-op"))
            if layer.attrib["name"].startswith("region"):
                assert set(np.unique(part[..., 3])) <= {0, 1}
                covered[box] += part[..., 3] == 1
    assert (covered == 1).all()  # the regions are side by side
    np.testing.assert_allclose(composed, rgb(made), atol=0.013)
    names = [layer.attrib["name"] for layer in stack]
    assert names[0] == "lines" and names[-3:] == [f"region {number}" for number in (1, 2, 3)]
    assert len(names) == (6 if shading else 4)


def test_layers_and_flats_are_of_the_first_variation(model: Path) -> None:
    made = colorize(boxes(), layers=True, flats=True, variations=2, model=model)
    assert set(made.info["beside"]) == {"2", "layers", "flats"}
    np.testing.assert_array_equal(made.info["beside"]["layers"].merged, made)


def test_flats_have_neither_lines_nor_shading(model: Path) -> None:
    made = colorize(boxes(), flats=True, shading=1, hint=["50,50=#dc1e28"], model=model)
    plain = colorize(boxes(), lines="drop", hint=["50,50=#dc1e28"], model=model)
    flats = made.info["beside"]["flats"]
    np.testing.assert_array_equal(flats, plain)
    assert len(np.unique(levels(flats).reshape(-1, 3), axis=0)) == 3


# --- transparency ----------------------------------------------------------------------------


def test_keep_alpha_keeps_the_transparency_of_the_drawing(model: Path) -> None:
    drawing = boxes().convert("RGBA")
    alpha = np.full((120, 160), 255, np.uint8)
    alpha[OUTSIDE] = 0
    drawing.putalpha(Image.fromarray(alpha))
    kept, plain = (colorize(drawing, model=model, keep_alpha=way) for way in (True, False))
    assert (kept.mode, plain.mode) == ("RGBA", "RGB")
    np.testing.assert_array_equal(np.asarray(kept)[..., 3], alpha)
    np.testing.assert_array_equal(levels(kept), levels(plain))
    assert colorize(boxes(), model=model, keep_alpha=True).mode == "RGB"


def test_transparent_references_and_drawings_are_told(model: Path) -> None:
    drawing, reference = boxes().convert("RGBA"), boxes().convert("RGBA")
    alpha = np.full((120, 160), 255, np.uint8)
    alpha[OUTSIDE] = 0
    for one in (drawing, reference):
        one.putalpha(Image.fromarray(alpha))
    told: list[str] = []
    colorize(drawing, reference=reference, model=model, on_step=lambda step: told.append(step.note))
    assert any("its transparent ground is white now; --keep-alpha" in note for note in told)
    assert "picture: its transparent parts are put on white" in told


def test_keep_alpha_shows_the_fills_of_a_drawing_on_transparency(model: Path) -> None:
    """A sticker: the figure is opaque, what lies around it is not."""
    drawing = Image.new("RGBA", (160, 120))
    drawing.putalpha(Image.eval(boxes().convert("L"), lambda value: 255 - value))
    made = np.asarray(colorize(drawing, hints=strokes(), model=model, keep_alpha=True))
    assert (made[LEFT][..., 3] == 255).all() and (made[LEFT][..., :3] == RED).all()
    assert (made[:17, :, 3] == 0).all()


# --- Coloring --------------------------------------------------------------------------------


def test_a_coloring_gives_the_pictures_of_colorize(model: Path) -> None:
    kept = Coloring(boxes(), model=model)
    for options in (
        {},
        {"hint": ["50,50=#dc1e28"], "shading": 0.5},
        {"palette": "red,gold", "variations": 2, "seed": 3},
        {"hints": strokes(), "lines": "soften", "vivid": 1.5},
        {},
    ):
        one, other = kept.color(**options), colorize(boxes(), model=model, **options)
        np.testing.assert_array_equal(all_variations(one), all_variations(other))
        assert one.info["limner"] == other.info["limner"]


def test_a_coloring_finds_the_regions_once(model: Path, seen: list[tuple[int, int]]) -> None:
    kept = Coloring(boxes(), model=model, size=64)
    assert kept.regions.shape == (120, 160) and kept.regions.max() == 3
    assert (kept.regions[levels(boxes()).max(2) == 0] == 0).all()
    numbers = {kept.regions[place] for place in ((50, 50), (50, 120), (5, 5))}
    assert numbers == {1, 2, 3}
    before = kept.regions.copy()
    for color in ("red", "blue"):
        kept.color(hint=[f"30,30={color}", "30,90=white"], layers=True)
    np.testing.assert_array_equal(kept.regions, before)
    assert len(seen) == 1


# --- the recipe ------------------------------------------------------------------------------


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[str, str]:
    """A drawing and hints, as files."""
    boxes().save(tmp_path / "drawing.png", dpi=(300, 300))
    strokes().save(tmp_path / "hints.png")
    return str(tmp_path / "drawing.png"), str(tmp_path / "hints.png")


def test_the_recipe_holds_all_options(drawn: tuple[str, str], model: Path) -> None:
    made = colorize(
        drawn[0],
        hints=drawn[1],
        hint=["120,60=gold"],
        palette="#204060",
        variations=2,
        layers=True,
        seed=3,
        model=model,
    )
    recipe = json.loads(made.info["limner"])
    assert (recipe["verb"], recipe["inputs"]) == ("colorize", ["drawing.png"])
    assert recipe["options"] == {
        "hints": Path(drawn[1]).name,
        "hint": ["120,60=gold"],
        "hint_edges": "hard",
        "palette": "#204060",
        "reference": None,
        "vivid": 1.0,
        "shading": 0.0,
        "lines": "keep",
        "gap": None,
        "layers": True,
        "flats": False,
        "keep_alpha": False,
        "variations": 2,
        "size": None,
        "model": model.name,
        "runtime": "torch",
        "seed": 3,
        "force": False,
        "allow_huge": False,
    }
    assert set(recipe["files"]) == {"drawing.png", "hints.png", model.name} and made.info[
        "dpi"
    ] == (300, 300)


def test_pairs_are_recorded_as_points(model: Path) -> None:
    made = colorize(boxes(), hints=[((54, 44.5), "#dc1e28")], hint=["9,9=red"], model=model)
    options = json.loads(made.info["limner"])["options"]
    assert (options["hints"], options["hint"]) == (None, ["54,44.5=#dc1e28", "9,9=red"])


@pytest.mark.parametrize("named", [False, True])
def test_replay_makes_the_same_files(
    drawn: tuple[str, str],
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
) -> None:
    """With the shipped network, and with another one."""
    if not named:
        model.rename(tmp_path / "colorizer.safetensors")
        monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    options = {
        "hints": drawn[1],
        "hint": ["120,60=gold"],
        "palette": "red,#4169e1",
        "variations": 2,
        "layers": True,
        "flats": True,
        "seed": 3,
        "lines": "soften",
        "shading": 0.5,
        "gap": 3,
    }
    made = colorize(drawn[0], **options, model=model if named else None)
    io.write(made, tmp_path / "out.png")
    reports: list[Progress] = []
    again = replay(tmp_path / "out.png", look_in=[model.parent], on_step=reports.append)
    io.write(again, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()
    assert set(again.info["beside"]) == {"2", "layers", "flats"}
    for name in ("2", "flats"):
        np.testing.assert_array_equal(again.info["beside"][name], made.info["beside"][name])
    files = (BytesIO(), BytesIO())
    for picture, file in zip((made, again), files, strict=True):
        picture.info["beside"]["layers"].save(file)
    assert files[0].getvalue() == files[1].getvalue()
    assert not any("older" in progress.note for progress in reports)


@pytest.mark.parametrize("option", ["palette", "reference", "self"])
def test_replay_finds_pictures_of_colors(
    option: str, drawn: tuple[str, str], model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "colors.png"
    strokes(ground=boxes()).save(path)
    options: dict[str, Any] = {"hints": "self"} if option == "self" else {option: str(path)}
    made = colorize(path if option == "self" else drawn[0], **options, model=model)
    io.write(made, tmp_path / "out.png")
    io.write(replay(tmp_path / "out.png", look_in=[model.parent]), tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize("palette", ["picture", "text", "none"])
def test_recipes_of_older_networks_are_translated(
    palette: str, drawn: tuple[str, str], model: Path, tmp_path: Path
) -> None:
    """A picture of colors was an option of its own; and a remark tells that colors differ."""
    flags = Image.new("RGB", (60, 40), RED)
    flags.paste(BLUE, (30, 0, 60, 40))
    flags.save(tmp_path / "flags.png")
    given = {"picture": str(tmp_path / "flags.png"), "text": "#dc1e28,#1e3cc8", "none": None}
    made = colorize(drawn[0], hints=drawn[1], palette=given[palette], model=model, seed=3)
    recipe = json.loads(made.info["limner"])
    recipe["options"] = {
        "hints": Path(drawn[1]).name,
        "palette": "#dc1e28,#1e3cc8" if palette == "text" else None,
        "palette_from": "flags.png" if palette == "picture" else None,
        "lines": "keep",
        "layers": False,
        "variations": 1,
        "size": None,
        "model": model.name,
        "seed": 3,
        "allow_huge": False,
    }
    made.info["limner"] = json.dumps(recipe)
    io.write(made, tmp_path / "out.png")
    reports: list[Progress] = []
    again = replay(tmp_path / "out.png", look_in=[model.parent], on_step=reports.append)
    np.testing.assert_array_equal(again, made)
    told = f"{tmp_path / 'out.png'}: was made by an older method; today's gives another picture"
    assert [progress.note for progress in reports if "older" in progress.note] == [told]
    assert json.loads(again.info["limner"])["options"]["palette"] == (
        "flags.png" if palette == "picture" else given[palette]
    )


def test_a_model_may_be_named_as_text(model: Path) -> None:
    named = colorize(boxes(), model=str(model))
    np.testing.assert_array_equal(named, colorize(boxes(), model=model))


def test_the_command_writes_all_files(
    drawn: tuple[str, str], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "out.png")
    line = ["colorize", drawn[0], "-o", place, "--model", str(model), "--hints", drawn[1]]
    line += ["--hint", "120,60=gold", "--hint", "3,3=#1e3cc8"]
    assert main([*line, "--layers", "--flats", "--variations", "2"]) == 0
    printed = capsys.readouterr()
    names = {"out.png", "out-layers.ora", "out-flats.png", "out-2.png"}
    assert set(printed.out.splitlines()) == {str(tmp_path / name) for name in names}
    assert printed.out.splitlines()[0] == place and "160×120 px, 3 regions" in printed.err
    assert all((tmp_path / name).stat().st_size > 300 for name in names)
    with Image.open(tmp_path / "out-2.png") as second:
        found = [one_color(second, part) for part in (RIGHT, OUTSIDE)]
        assert found == [(255, 215, 0), BLUE]
    assert main([*line, "--overwrite", "--palette", "reed"]) == 2
    printed = capsys.readouterr()
    says = "--palette reed: no color has this name; did you mean red?"
    assert printed.err == f"limner: error: {says}\n"


def test_progress_counts_variations(model: Path) -> None:
    reports: list[Progress] = []
    made = all_variations(colorize(boxes(), variations=3, model=model, on_step=reports.append))
    assert [(p.step, p.steps) for p in reports] == [(0, 3), (0, 3), (1, 3), (2, 3), (3, 3)]
    for progress, picture in zip(reports[2:], made, strict=True):
        assert progress.preview is not None
        np.testing.assert_array_equal(rgb(progress.preview()), picture)
    assert {(p.verb, p.stage, p.size) for p in reports} == {("colorize", "160×120 px", (120, 160))}
    assert reports[1].note == "160×120 px, 3 regions" and reports[-1].share == 1


def test_remarks_on_the_files_are_reported(tmp_path: Path, model: Path) -> None:
    boxes().save(tmp_path / "a.gif", save_all=True, append_images=[strokes().convert("RGB")])
    reports: list[Progress] = []
    colorize(tmp_path / "a.gif", model=model, on_step=reports.append)
    assert any("a.gif" in progress.note and "2 frames" in progress.note for progress in reports)


def test_stop_keeps_the_variations_that_are_done(model: Path) -> None:
    options: dict[str, Any] = {"variations": 3, "layers": True, "model": model}
    whole = colorize(boxes(), **options)
    for step, names in ((1, {"layers"}), (2, {"layers", "2"})):
        stopped = colorize(boxes(), **options, on_step=until(step, []))
        assert stopped.info["beside"].keys() == names
        for one, other in zip(all_variations(stopped), all_variations(whole), strict=False):
            np.testing.assert_array_equal(one, other)


def test_stop_before_the_first_variation_is_passed_on(model: Path) -> None:
    with pytest.raises(Stop):
        colorize(boxes(), model=model, on_step=until(0, []))


def test_torch_s_global_random_state_stays(model: Path) -> None:
    """Building a network draws its initial weights from it."""
    torch.manual_seed(7)
    wanted = torch.rand(4)
    torch.manual_seed(7)
    colorize(boxes(), variations=2, model=model)
    np.testing.assert_array_equal(torch.rand(4), wanted)


# --- files beside the picture ----------------------------------------------------------------


@pytest.mark.parametrize("variations", [None, 3])
@pytest.mark.parametrize("flats", [None, True])
@pytest.mark.parametrize("layers", [False, True])
def test_all_files_beside_the_picture_are_known_before(
    variations: int | None, layers: bool, flats: bool | None, model: Path
) -> None:
    given = {"variations": variations, "layers": layers, "flats": flats}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    beside = colorize(boxes(), model=model, **options).info["beside"]
    found = {name: io.ending_of(view) for name, view in beside.items()}
    planned = module.side_files({"model": str(model), **options})
    assert planned.keys() == found.keys()
    # the flats have the format of the picture
    assert {name: planned[name] or found[name] for name in planned} == found
    assert len(found) == (variations or 1) - 1 + layers + bool(flats)


@pytest.mark.parametrize("variations", [0, -1, 17, 10**9])
def test_an_impossible_number_of_variations_names_no_files(variations: int) -> None:
    with pytest.raises(
        OptionError, match=rf"^--variations {variations:.10g}: must be from 1 to 16$"
    ):
        module.side_files({"variations": variations})


# --- the article's network -------------------------------------------------------------------


class Ramp(nn.Module):
    """Stand in for pix2pix's U-Net: it colors from green on the left to blue on the right."""

    multiple = size = 256

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, ink: Tensor) -> Tensor:
        ramp = torch.linspace(0.1, 0.9, 256).expand(1, 1, 256, 256)
        return torch.cat((0 * ramp, 1 - ramp, ramp), 1) + self.bias.view(1, 3, 1, 1)


@pytest.fixture
def article(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for place in (models, coloring, pix2pix):
        monkeypatch.setattr(place, "UNet", Ramp)
    train._save(tmp_path / "article.safetensors", Ramp(), {"preset": "article", "size": 256})
    return tmp_path / "article.safetensors"


def test_a_network_of_pixels_colors_what_is_not_hinted(article: Path) -> None:
    plain, made = (colorize(boxes(), model=article, hint=h) for h in ([], ["50,50=#dc1e28"]))
    assert one_color(made, LEFT) == RED
    np.testing.assert_array_equal(levels(made)[RIGHT], levels(plain)[RIGHT])
    means = [levels(plain)[part].mean((0, 1)) for part in (LEFT, RIGHT)]
    assert means[0][1] > means[0][2] and means[1][1] < means[1][2]
    assert levels(plain)[levels(boxes()).max(2) == 0].max() == 0


@pytest.mark.parametrize("options", [{"palette": "red"}, {"reference": boxes()}, {"variations": 2}])
def test_a_network_of_pixels_takes_no_options_for_regions(
    options: dict[str, Any], article: Path
) -> None:
    (name,) = options
    with pytest.raises(OptionError) as raised:
        colorize(boxes(), model=article, **options)
    says = f"--{name}: a network of --preset article cannot do it; leave out --model"
    assert str(raised.value) == says


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lines": "blur"}, "--lines blur: must be one of keep, soften, drop"),
        ({"hint_edges": "round"}, "--hint-edges round: must be one of hard, soft"),
        ({"variations": 0}, "--variations 0: must be from 1 to 16"),
        ({"variations": 17}, "--variations 17: must be from 1 to 16"),
        ({"size": 63}, "--size 63: must be from 64 to 1024"),
        ({"size": 1025}, "--size 1025: must be from 64 to 1024"),
        ({"gap": -1}, "--gap -1: must be from 0 to 64"),
        ({"gap": 65}, "--gap 65: must be from 0 to 64"),
        ({"vivid": -0.1}, "--vivid -0.1: must be from 0 to 2"),
        ({"vivid": 2.5}, "--vivid 2.5: must be from 0 to 2"),
        ({"shading": 1.5}, "--shading 1.5: must be from 0 to 1"),
        ({"shading": float("nan")}, "--shading nan: must be from 0 to 1"),
        ({"palette": "nocolor"}, "--palette nocolor: not a color; write #rrggbb"),
        ({"palette": ""}, "--palette: has 0 colors; must be from 1 to 256"),
        (
            {"palette": "#204060", "reference": "a.png"},
            "--palette and --reference: both choose the colors; give only one",
        ),
        (
            {"hint": ["200,50=red"]},
            "--hint 200,50: is outside the drawing, which is 160 × 120 pixels",
        ),
        ({"hint": ["red"]}, "--hint red: "),
        ({"hint": ["5,5=reed"]}, "--hint 5,5 reed: no color has this name; did you mean red?"),
        (
            {"hints": [((50, -3), "red")]},
            "--hint 50,-3: is outside the drawing, which is 160 × 120 pixels",
        ),
        ({"hints": Image.new("RGBA", (160, 120))}, "--hints picture: is empty; paint a stroke"),
        ({"hints": boxes()}, "--hints picture: holds no color; paint strokes of color"),
        ({"hints": strokes().resize((160, 160))}, "--hints picture: "),
        ({"device": "tpu"}, "--device tpu: must be one of auto, cpu, cuda, mps"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], says: str, model: Path) -> None:
    with pytest.raises(OptionError) as raised:
        colorize(boxes(), **{"model": model} | options)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


def test_hints_of_another_aspect_are_refused_with_both_sizes(model: Path) -> None:
    with pytest.raises(OptionError) as raised:
        colorize(boxes(), hints=strokes().resize((160, 160)), model=model)
    message = str(raised.value)
    assert "160 × 160" in message and "160 × 120" in message and "\n" not in message


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (80, 60), "white"),
        Image.new("RGB", (80, 60), "black"),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)),
    ],
    ids=["empty", "black", "noise"],
)
def test_pictures_without_lines_are_refused(picture: Image.Image, model: Path) -> None:
    with pytest.raises(InputError, match=r"^picture: no lines found; [^\n]*$"):
        colorize(picture, model=model)


@pytest.mark.parametrize("option", ["hints", "palette", "reference"])
def test_missing_pictures_are_refused(option: str, model: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        colorize(boxes(), model=model, **{option: "nowhere.png"})
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        colorize("nowhere.png", model=model)


def test_files_without_a_colorizing_network_are_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "text.safetensors").write_bytes(b"no weights")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    state = weights.read(model)
    weights.write(tmp_path / "part.safetensors", {"a": torch.zeros(3)}, {"kind": "colorizer"})
    for path, says in (
        (tmp_path / "nowhere.safetensors", "there is no such weights file; check its name"),
        (tmp_path / "text.safetensors", "is a text file, not weights;"),
        (
            tmp_path / "other.pth",
            "not weights for colorizing; use a file made by limner train colorizer",
        ),
        (
            weights.SHIPPED / "compact-features.safetensors",
            "not weights for colorizing; use a file",
        ),
        (tmp_path / "part.safetensors", "is for another network (colors is missing)"),
    ):
        with pytest.raises(WeightsError) as raised:
            colorize(boxes(), model=path)
        assert str(raised.value).startswith(f"{path}: {says}") and "\n" not in str(raised.value)
    assert issubclass(WeightsError, LimnerError) and "choice.weight" in state
