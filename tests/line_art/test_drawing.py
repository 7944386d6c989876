"""Drawings on screens, sheets of paper, tables and blackboards, and pictures that are none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from limner import io
from limner.errors import InputError
from limner.line_art import lines
from limner.line_art.drawing import Drawing, read_drawing
from limner.line_art.paper import find_sheet, light_on, shrink

Draw = Callable[..., Image.Image]
Planes = Callable[[Image.Image], Tensor]

SIZE = 512
CLEAN = Path(__file__).parents[2] / "src/limner/web/examples"


def figure(size: int = SIZE, *, frame: bool = False, width: int = 3) -> np.ndarray:
    """A face, antialiased: luma [size, size] in 0..1, black lines on white."""
    large = Image.new("L", (2 * size, 2 * size), 255)
    pen = ImageDraw.Draw(large)
    unit = 2 * size / 100

    def box(*sides: float) -> tuple[float, ...]:
        return tuple(side * unit for side in sides)

    width *= 2
    pen.ellipse(box(28, 20, 72, 72), outline=0, width=width)
    for x in (40, 60):
        pen.ellipse(box(x - 4, 38, x + 4, 44), outline=0, width=width)
    pen.line(box(50, 44, 47, 53, 51, 54), fill=0, width=width)
    pen.arc(box(40, 48, 60, 64), 20, 160, fill=0, width=width)
    pen.line(box(45, 72, 43, 77, 20, 86), fill=0, width=width)
    pen.line(box(55, 72, 57, 77, 80, 86), fill=0, width=width)
    if frame:
        pen.rectangle(box(9, 9, 91, 91), outline=0, width=width)
    return np.asarray(large.resize((size, size), Image.Resampling.BOX), np.float32) / 255


def noise(size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Gaussian noise [size, size, 1], deviation 1."""
    return np.random.default_rng(seed).normal(size=(size, size, 1))


def picture(values: np.ndarray) -> Image.Image:
    """[H, W] or [H, W, 3] in 0..1."""
    bytes_ = (values.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(bytes_[..., 0] if bytes_.shape[-1] == 1 else bytes_).convert("RGB")


def read(values: np.ndarray | Image.Image, *, force: bool = False) -> Drawing:
    image = values if isinstance(values, Image.Image) else picture(values)
    return read_drawing(io.read(image), force=force)


def paper(drawn: np.ndarray, contrast: float = 0.8) -> np.ndarray:
    """Grainy yellowish paper [H, W, 3], with a drawing on it."""
    color = np.array([0.93, 0.91, 0.86]) + 0.01 * noise(len(drawn))
    return color * (1 - contrast * (1 - drawn[..., None]))


def shadow(size: int = SIZE, softness: float = 3) -> np.ndarray:
    """Light [size, size, 1]: 1, and 0.55 below a slanted edge that is `softness` pixels wide."""
    y, x = np.mgrid[:size, :size]
    return 1 - 0.45 * np.clip((x + 0.6 * y - 0.8 * size) / softness + 0.5, 0, 1)[..., None]


def on_table(sheet: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sheet seen aslant on a brown table. Also returns the place of the sheet, and a function's
    coefficients for `Image.transform`."""
    size = len(sheet)
    corners = np.array([[0.08, 0.1], [0.93, 0.06], [0.9, 0.95], [0.05, 0.9]]) * size
    targets = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, targets, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    view = np.linalg.solve(np.array(rows), np.array(values))
    y, x = np.mgrid[:size, :size] / size
    grain = 1 + 0.25 * np.sin(60 * y + 4 * np.sin(7 * x))[..., None] + 0.04 * noise(size, 1)
    place = warp(np.ones((size, size)), view)
    seen = np.stack([warp(sheet[..., channel], view) for channel in range(3)], -1)
    table = np.array([0.42, 0.27, 0.16]) * grain
    return seen + table * (1 - place[..., None]), place > 0.5, view


def warp(plane: np.ndarray, view: np.ndarray) -> np.ndarray:
    image = Image.fromarray(plane.astype(np.float32))
    turned = image.transform(
        image.size, Image.Transform.PERSPECTIVE, tuple(view), Image.Resampling.BILINEAR
    )
    return np.asarray(turned)


def agreement(ink: Tensor, drawn: np.ndarray) -> tuple[float, float]:
    """Share of the ink that lies on lines (± 2 pixels), and of the lines that have ink."""
    found, wanted = ink[0, 0].numpy() > 0.4, drawn < 0.4

    def thick(mask: np.ndarray) -> np.ndarray:
        grown = Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(5))
        return np.asarray(grown) > 0

    right = (found & thick(wanted)).sum() / max(1, found.sum())
    return float(right), float((wanted & thick(found)).sum() / wanted.sum())


# --- drawings without paper --------------------------------------------------------------------


CLEAN_KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "black": lambda plain: plain,
    "gray pencil": lambda plain: 1 - 0.4 * (1 - plain),
    "white on black": lambda plain: 1 - plain,
    "blueprint": lambda plain: 1 - plain * torch.tensor([0.9, 0.75, 0.5]).view(1, 3, 1, 1),
    "on brown paper": lambda plain: plain * torch.tensor([0.8, 0.6, 0.4]).view(1, 3, 1, 1),
}


@pytest.mark.parametrize("kind", CLEAN_KINDS)
@pytest.mark.parametrize("width", [1, 3, 6])
def test_clean_drawings_are_read_as_by_extract_ink(
    kind: str, width: int, drawing: Draw, planes: Planes
) -> None:
    plain = CLEAN_KINDS[kind](planes(drawing(width)))
    found = read(plain[0].permute(1, 2, 0).numpy())
    wanted = lines.extract_ink((plain * 255).round() / 255)
    assert found.ink.shape == wanted.shape and found.ink.dtype == torch.float32
    assert (found.ink - wanted).abs().mean() < 0.005 and (found.ink - wanted).abs().max() < 0.1
    assert found.paper is None and found.notes == ()


@pytest.mark.parametrize(("ink", "ground"), [("blue", "white"), ("red", "black")])
def test_colored_lines_are_ink(ink: str, ground: str, drawing: Draw, planes: Planes) -> None:
    wanted = 1 - planes(drawing())[0, 0]
    found = read(drawing(3, ink, ground)).ink[0, 0]
    assert found[wanted > 0.99].min() > 0.9 and found[wanted < 0.01].max() < 0.02


def test_a_size_that_is_no_multiple_is_read_like_its_parts() -> None:
    """Above 1,024 pixels paper is looked for at a fraction of the size."""
    drawn = figure(1300)[:1173, :1291]
    found = read(drawn).ink[0, 0].numpy()
    assert found.shape == (1173, 1291) and np.abs(found - (1 - drawn)).max() < 0.05


def test_light_lines_on_transparency_become_dark() -> None:
    drawn = figure()
    rgba = np.full((SIZE, SIZE, 4), 255, np.uint8)
    rgba[..., 3] = ((1 - drawn) * 255).round()
    found = read(Image.fromarray(rgba))
    assert np.abs(found.ink[0, 0].numpy() - (1 - drawn)).mean() < 0.01
    assert len(found.notes) == 1 and "light lines on transparency" in found.notes[0]


def test_a_transparent_drawing_lies_on_white() -> None:
    drawn = figure()
    rgba = np.zeros((SIZE, SIZE, 4), np.uint8)
    rgba[..., 3] = ((1 - drawn) * 255).round()
    found = read(Image.fromarray(rgba))
    assert np.abs(found.ink[0, 0].numpy() - (1 - drawn)).mean() < 0.01
    assert len(found.notes) == 1 and "--keep-alpha" in found.notes[0]


def test_an_outlined_cutout_with_a_white_body_is_not_inverted() -> None:
    """Most of what is seen is white; the dark outline is the drawing."""
    image = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((90, 90, 420, 420), "white", "black", 12)
    ink = read(image).ink[0, 0]
    assert ink[255, 96] > 0.9 and ink[255, 255] < 0.01 and ink[20, 20] < 0.01


# --- photographed paper ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("light", "contrast"),
    [("even", 0.8), ("hard shadow", 0.8), ("soft shadow", 0.8), ("vignette", 0.4)],
)
def test_a_sheet_on_a_table(light: str, contrast: float) -> None:
    drawn = figure(frame=True)
    seen, place, view = on_table(paper(drawn, contrast))
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    lights = {
        "even": np.ones((SIZE, SIZE, 1)),
        "hard shadow": shadow(),
        "soft shadow": shadow(softness=60),
        "vignette": (1 - 0.8 * (x * x + y * y))[..., None],
    }
    found = read(seen * lights[light] + 0.008 * noise(SIZE, 2))
    assert found.paper is not None and found.paper.dtype == bool
    both = (found.paper & place).sum() / (found.paper | place).sum()
    assert both > 0.9 and not (found.paper & ~place).any()
    assert found.ink[0, 0].numpy()[~found.paper].max() == 0
    flat = 1 - warp(1 - drawn, view)
    right, kept = agreement(found.ink, flat)
    assert right > 0.97 and kept > 0.95
    assert found.ink.mean() < 1.3 * (1 - flat).mean()
    assert any("only the sheet" in note for note in found.notes)


def test_a_dark_table_does_not_invert_a_small_sheet() -> None:
    seen = np.full((SIZE, SIZE, 3), 0.08) + 0.01 * noise()
    small = np.asarray(Image.fromarray(figure(300)))
    seen[100:400, 100:400] = paper(small)
    drawn = np.ones((SIZE, SIZE))
    drawn[100:400, 100:400] = small
    right, kept = agreement(read(seen).ink, drawn)
    assert right > 0.97 and kept > 0.95


@pytest.mark.parametrize("softness", [2, 6, 40])
def test_the_edge_of_a_shadow_across_the_page_is_no_line(softness: float) -> None:
    drawn = figure()
    found = read(paper(drawn) * shadow(softness=softness))
    assert found.paper is None
    right, kept = agreement(found.ink, drawn)
    assert right > 0.98 and kept > 0.98
    assert found.ink[0, 0].numpy()[drawn > 0.99].mean() < 0.003


def test_black_areas_on_paper_stay_black() -> None:
    drawn = figure()
    drawn[380:480, 40:160] = 0.05
    ink = read(paper(drawn)).ink[0, 0]
    assert ink[385:475, 45:155].mean() > 0.9


def test_the_light_under_lines_and_shadows_is_found() -> None:
    light = (np.linspace(0.9, 0.6, SIZE)[None] * shadow()[..., 0]).astype(np.float32)
    found = light_on(light * (0.2 + 0.8 * figure()))
    away = np.abs(found / light - 1)
    # all but where a line crosses the edge of the shadow
    assert np.quantile(away, 0.999) < 0.05 and away.mean() < 0.005


def test_there_is_no_sheet_where_there_is_only_paper_or_none() -> None:
    for values in (
        np.ones((300, 400, 3)),
        np.repeat(figure()[..., None], 3, -1),
        1 - np.repeat(figure()[..., None], 3, -1),
        paper(figure()) * shadow(),
    ):
        assert find_sheet(values.astype(np.float32)) is None


def test_a_bright_disc_is_no_sheet() -> None:
    y, x = np.mgrid[:300, :300] - 150
    disc = 0.2 + 0.7 * (np.hypot(x, y) < 110)[..., None] * np.ones(3)
    assert find_sheet(disc.astype(np.float32)) is None
    square = 0.2 + 0.7 * (np.maximum(abs(x), abs(y)) < 110)[..., None] * np.ones(3)
    assert find_sheet(square.astype(np.float32)) is not None


def test_shrinking_averages_blocks() -> None:
    plane = np.arange(35, dtype=np.float32).reshape(5, 7)
    wanted = [[plane[r : r + 3, c : c + 3].mean() for c in (0, 3, 6)] for r in (0, 3)]
    np.testing.assert_allclose(shrink(plane, 3), wanted, rtol=1e-6)
    rgb = np.stack([plane, plane + 1, plane + 2], -1)
    np.testing.assert_allclose(shrink(rgb, 3)[..., 2], np.array(wanted) + 2, rtol=1e-6)


# --- ruled paper -------------------------------------------------------------------------------


def ruled(size: int, step: int, color: tuple[float, float, float], *, squared: bool) -> np.ndarray:
    grid = np.ones((size, size, 3))
    for start in range(step // 2, size, step):
        grid[start : start + 2] = color
        if squared:
            grid[:, start : start + 2] = color
    return grid


BLUE, GRAY = (0.62, 0.74, 0.92), (0.76, 0.76, 0.76)


@pytest.mark.parametrize(
    ("view", "squared", "color"),
    [
        ("scan", False, GRAY),
        ("scan", True, BLUE),
        ("turned", True, GRAY),
        ("on a table", False, BLUE),
        ("on a table", True, BLUE),
    ],
)
def test_ruled_lines_are_left_out(
    view: str, squared: bool, color: tuple[float, float, float]
) -> None:
    size = 640
    drawn = figure(size)
    grid = ruled(size, 20, color, squared=squared)
    page = paper(drawn) * grid
    if view == "turned":
        turned = picture(page).rotate(3, Image.Resampling.BILINEAR).crop((40, 40, 600, 600))
        page = np.asarray(turned) / 255
        still = Image.fromarray(1 - drawn).rotate(3, Image.Resampling.BILINEAR)
        drawn = 1 - np.asarray(still.crop((40, 40, 600, 600)))
    elif view == "on a table":
        page, _, seen = on_table(page)
        drawn = 1 - warp(1 - drawn, seen)
    found = read(page)
    right, kept = agreement(found.ink, drawn)
    assert right > 0.95 and kept > 0.93
    # the middle of the cheek: nothing but ruling
    assert found.ink[0, 0][drawn > 0.99].mean() < 0.01
    assert any("ruled" in note for note in found.notes)


def test_the_margin_line_is_left_out() -> None:
    drawn = figure()
    grid = ruled(SIZE, 20, BLUE, squared=False)
    grid[:, 60:62] *= [0.98, 0.55, 0.55]
    ink = read(paper(drawn) * grid).ink[0, 0]
    assert ink[:, 56:66].mean() < 0.02


def drawn_lines(kind: str) -> np.ndarray:
    image = Image.new("L", (SIZE, SIZE), 255)
    pen = ImageDraw.Draw(image)
    if kind == "facade":
        for y in range(60, 460, 20):
            pen.line((80, y, 430, y), 0, 2)
        for x in range(80, 431, 35):
            pen.line((x, 60, x, 440), 0, 2)
    elif kind == "bricks":
        for row, y in enumerate(range(10, SIZE, 18)):
            pen.line((0, y, SIZE, y), 60, 2)
            for x in range(row % 2 * 20, SIZE, 40):
                pen.line((x, y, x, y + 18), 60, 2)
        pen.rectangle((150, 150, 350, 450), 255, 0, 3)
    else:  # planks in pencil
        for y in range(8, SIZE, 16):
            pen.line((0, y, SIZE, y), 150, 2)
    return np.asarray(image, np.float32) / 255


@pytest.mark.parametrize("kind", ["facade", "bricks", "planks"])
def test_drawn_lines_at_even_distances_stay(kind: str) -> None:
    drawn = drawn_lines(kind)
    found = read(drawn)
    assert found.notes == ()
    image = torch.from_numpy(drawn)[None, None].expand(-1, 3, -1, -1)
    assert (found.ink - lines.extract_ink(image)).abs().mean() < 0.02


# --- strokes -----------------------------------------------------------------------------------


def test_colored_strokes_are_told_from_lines() -> None:
    drawn = figure()
    page = paper(drawn)
    spots = {(300, 180): (0.9, 0.25, 0.2), (300, 330): (0.2, 0.4, 0.9), (440, 250): (0.2, 0.7, 0.3)}
    for (y, x), color in spots.items():
        page[y - 10 : y + 10, x - 10 : x + 10] *= color
    found = read(page * shadow())
    strokes = found.strokes()
    assert strokes.shape == (SIZE, SIZE, 4) and strokes.dtype == np.float32
    for (y, x), color in spots.items():
        inside = strokes[y - 7 : y + 7, x - 7 : x + 7]
        assert inside[..., 3].mean() > 0.9
        np.testing.assert_allclose(np.median(inside[..., :3], (0, 1)), color, atol=0.1)
        assert found.without_strokes()[0, 0, y - 12 : y + 12, x - 12 : x + 12].mean() < 0.05
    covered = (strokes[..., 3] > 0.5).mean()
    assert covered == pytest.approx(len(spots) * 400 / SIZE**2, rel=0.1)
    assert agreement(found.without_strokes(), drawn)[1] > 0.98


def test_a_stroke_over_a_line_leaves_the_line() -> None:
    drawn = figure()
    page = paper(drawn, 0.9)
    page[240:260, 130:170] *= (0.3, 0.5, 0.95)  # over the left of the face
    found = read(page)
    assert found.without_strokes()[0, 0, 250, 135:160].max() > 0.6
    assert found.strokes()[250, 132, 3] > 0.9


def test_a_drawing_in_gray_has_no_strokes() -> None:
    assert read(figure()).strokes()[..., 3].max() == 0
    found = read(paper(figure()) * shadow())
    assert found.strokes()[..., 3].mean() < 1e-3
    assert torch.equal(read(figure()).without_strokes(), read(figure()).ink)


# --- what is no drawing ------------------------------------------------------------------------


RANDOM = np.random.default_rng(3)
NO_LINES = {
    "white page": np.ones((300, 400)),
    "gray page": np.full((300, 400), 0.6),
    "black page": np.zeros((300, 400)),
    "paper": 0.9 + 0.02 * RANDOM.normal(size=(300, 400)),
    "noise": 0.8 + 0.1 * RANDOM.normal(size=(300, 400)),
    "strong noise": 0.6 + 0.3 * RANDOM.normal(size=(300, 400, 3)),
    "white noise": RANDOM.random((300, 400)),
    "speckle": (RANDOM.random((400, 400)) > 0.01).astype(float),
    "dense speckle": (RANDOM.random((400, 400)) > 0.05).astype(float),
    "gradient": np.linspace(0.3, 1, 400)[None].repeat(300, 0),
    "one pixel": np.ones((1, 1)),
}


@pytest.mark.parametrize("kind", NO_LINES)
@pytest.mark.parametrize("force", [False, True])
def test_pages_without_lines_are_refused(kind: str, force: bool) -> None:
    with pytest.raises(InputError, match=r"^picture: no lines found; [^\n]+$"):
        read(NO_LINES[kind], force=force)


def test_an_empty_sheet_on_a_table_has_no_lines() -> None:
    with pytest.raises(InputError, match="no lines found"):
        read(on_table(paper(np.ones((SIZE, SIZE))))[0])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_photos_are_refused_unless_forced(mode: str) -> None:
    skimage = pytest.importorskip("skimage")
    folder = Path(skimage.__file__).parent / "data"
    seen = 0
    for name in ("astronaut.png", "coffee.png"):
        if not (folder / name).is_file():
            continue
        seen += 1
        photo = io.read(Image.open(folder / name).convert(mode))
        with pytest.raises(InputError, match=r"is a photo, .*limner sketch, or give --force$"):
            read_drawing(photo)
        assert 0.005 < read_drawing(photo, force=True).ink.mean() < 0.6
    if not seen:
        pytest.skip("this scikit-image comes without photos")


def test_drawings_with_color_tone_or_shade_are_no_photos() -> None:
    drawn = figure()
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    face = np.hypot((x - 0.5) / 0.21, (y - 0.46) / 0.25) < 1
    color = np.where(face[..., None], [1, 0.85, 0.7], [0.75, 0.87, 1])
    wash = color ** (0.5 + np.sin(5 * x + 3 * y) ** 2)[..., None]
    dots = (np.cos(120 * (x + y)) * np.cos(120 * (x - y)) < 0.3) | ~face
    pencil = 1 - 0.35 * face * (0.5 + x) * (1 + 0.2 * noise()[..., 0])
    for shaded in (color, wash + 0.012 * noise(), dots[..., None], pencil[..., None]):
        _, kept = agreement(read(shaded * drawn[..., None]).ink, drawn)
        assert kept > 0.95


@pytest.mark.parametrize("name", ["drawing.png", "photo.jpg"])
def test_the_examples_are_told_apart(name: str) -> None:
    picture = io.read(CLEAN / name)
    if name == "drawing.png":
        assert read_drawing(picture).ink.mean() > 0.005
    else:
        with pytest.raises(InputError):
            read_drawing(picture)
