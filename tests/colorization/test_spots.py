"""Hints from pictures and from text become spots with exact colors."""

import time
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from limner import io
from limner.colorization.spots import Spots, join, parse_spots, read_spots
from limner.errors import OptionError

# color, and two ends in a drawing of 256 pixels; the last two touch
STROKES = (
    ("#ff0000", (60, 150, 100, 190), 7),
    ("#1e90ff", (124, 104, 134, 104), 8),
    ("#ffe0cc", (150, 190, 200, 150), 6),
    ("#00aa44", (10, 10, 60, 20), 8),
    ("#aa00cc", (60, 20, 110, 10), 8),
)
COLORS = sorted(color for color, *_ in STROKES)


def drawing(size: int = 256) -> Image.Image:
    """Draw a ring with an eye, with soft edges."""
    large = Image.new("RGB", (1024, 1024), "white")
    pen = ImageDraw.Draw(large)
    pen.ellipse((120, 120, 900, 900), outline="black", width=8)
    pen.ellipse((400, 320, 600, 520), outline="black", width=8)
    return large.resize((size, size), Image.Resampling.BOX)


def layer(strokes: Any = STROKES, size: int = 256) -> Image.Image:
    """Paint the strokes, with soft edges, on transparency."""
    large = Image.new("RGBA", (1024, 1024))
    pen = ImageDraw.Draw(large)
    for color, ends, width in strokes:
        pen.line([4 * end for end in ends], fill=color, width=4 * width)
    return large.resize((size, size), Image.Resampling.BOX)


def over(hints: Image.Image, ground: Image.Image | str) -> Image.Image:
    """Lay hints on a picture, or on a color; the result is opaque."""
    base = Image.new("RGBA", hints.size, ground) if isinstance(ground, str) else ground
    return Image.alpha_composite(base.convert("RGBA"), hints).convert("RGB")


def under(hints: Image.Image, lines: Image.Image) -> Image.Image:
    """Lay hints under the lines of a drawing, as a brush that multiplies does."""
    both = np.asarray(over(hints, "white"), float) * np.asarray(lines) / 255
    return Image.fromarray(both.round().astype(np.uint8))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Save a picture as a JPEG, and open it again."""
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def read(hints: Image.Image, size: int = 256) -> Spots:
    return read_spots(io.read(hints), io.read(drawing(size)))


def names(spots: Spots) -> list[str]:
    """Return the colors as #rrggbb, sorted."""
    levels = (spots.colors * 255).round().astype(int)
    np.testing.assert_allclose(spots.colors * 255, levels, atol=1e-3)
    return sorted(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in levels)


# --- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["transparent", "white page", "copy", "copy, lines above"])
def test_each_stroke_is_one_spot_of_its_exact_color(form: str) -> None:
    hints = layer()
    if form == "white page":
        hints = over(hints, "white")
    elif form == "copy":
        hints = over(hints, drawing())
    elif form == "copy, lines above":
        hints = under(hints, drawing())
    spots = read(hints)
    assert spots.places.shape == (256, 256) and spots.places.dtype == np.int32
    assert names(spots) == COLORS and np.isnan(spots.centers).all()
    alpha = np.asarray(layer())[..., 3]
    found = spots.places > 0
    assert found[alpha == 255].mean() > 0.97 and not found[alpha == 0].any()


@pytest.mark.parametrize("quality", [95, 75, 60])
@pytest.mark.parametrize("ground", ["white page", "copy"])
def test_artifacts_of_a_jpeg_are_no_spots(quality: int, ground: str) -> None:
    hints = over(layer(), "white" if ground == "white page" else drawing())
    spots = read(jpeg(hints, quality))
    assert len(spots) == len(COLORS)
    wanted = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLORS])
    apart = np.abs(spots.colors[:, None] * 255 - wanted).max(2)
    assert sorted(apart.argmin(1)) == list(range(len(COLORS))) and apart.min(1).max() < 20


def test_a_beige_page_is_no_hint() -> None:
    assert names(read(under(layer(STROKES[:1]), Image.new("RGB", (256, 256), "#f0e4c8")))) == [
        "#f00000"
    ]


@pytest.mark.parametrize("color", ["#ffffff", "#000000", "#808080"])
def test_white_and_gray_count_on_transparency(color: str) -> None:
    assert names(read(layer([(color, (60, 150, 100, 190), 7)]))) == [color]


def test_lines_in_a_transparent_copy_are_no_hints() -> None:
    lines = Image.new("RGBA", (256, 256), "black")
    lines.putalpha(Image.eval(drawing().convert("L"), lambda value: 255 - value))
    lines.alpha_composite(layer())
    assert names(read(lines)) == COLORS


def test_faint_and_soft_strokes_keep_their_color() -> None:
    soft = np.asarray(layer(STROKES[:1]).filter(ImageFilter.GaussianBlur(3))).copy()
    soft[..., :3] = (255, 0, 0)
    faint = soft.copy()
    faint[..., 3] //= 3
    for hints in (soft, faint):
        assert names(read(Image.fromarray(hints))) == ["#ff0000"]
    blurred = read(over(layer([STROKES[0]]), "white").filter(ImageFilter.GaussianBlur(2)))
    assert len(blurred) == 1
    np.testing.assert_allclose(blurred.colors[0], (1, 0.14, 0.14), atol=0.06)  # 0.08 in the middle


def test_a_pencil_of_one_pixel_counts() -> None:
    for ground in (None, "white"):
        hints = Image.new("RGBA", (256, 256))
        ImageDraw.Draw(hints).line((20, 30, 90, 80), fill="#c04020")
        spots = read(hints if ground is None else over(hints, ground))
        assert names(spots) == ["#c04020"]
        assert (spots.places > 0).sum() == 71


@pytest.mark.parametrize("size", [128, 256, 700])
def test_hints_may_have_another_size(size: int) -> None:
    spots = read(layer(), size)
    assert names(spots) == COLORS and spots.places.shape == (size, size)
    share = [(read(layer(), n).places > 0).mean() for n in (size, 256)]
    assert share[0] == pytest.approx(share[1], rel=0.2)


def test_a_line_of_the_drawing_does_not_cut_a_stroke_in_two() -> None:
    across = [("#ff0000", (20, 128, 70, 128), 8)]  # over the ring, at 31
    assert len(read(under(layer(across), drawing()))) == 1
    apart = [("#ff0000", (20, 60, 50, 60), 8), ("#ff0000", (20, 90, 50, 90), 8)]
    assert len(read(under(layer(apart), drawing()))) == 2


@pytest.mark.parametrize(
    ("hints", "says"),
    [
        (layer().resize((256, 192)), "is 256 × 192 pixels, but the drawing is 256 × 256; paint"),
        (Image.new("RGBA", (256, 256)), "is empty; paint a stroke of color"),
        (drawing(), "holds no color; paint strokes of color"),
        (Image.new("RGB", (256, 256), "white"), "holds no color; paint strokes of color"),
    ],
)
def test_pictures_that_are_no_hints_are_refused(hints: Image.Image, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        read(hints)
    assert str(raised.value).startswith(f"--hints picture: {says}")
    assert "\n" not in str(raised.value)


def test_a_picture_full_of_specks_is_refused() -> None:
    alpha = Image.new("L", (256, 256))
    for x in range(2, 256, 5):
        for y in range(2, 256, 5):
            alpha.putpixel((x, y), 255)
    hints = Image.new("RGBA", (256, 256), "#208040")
    hints.putalpha(alpha)
    with pytest.raises(OptionError, match="holds 2601 patches of color, more than 1000; paint"):
        read(hints)


@pytest.mark.parametrize("size", [(256, 254), (260, 256), (33, 32)])
def test_the_aspect_may_differ_by_rounding(size: tuple[int, int]) -> None:
    assert len(read(layer(STROKES[:1]).resize(size))) == 1


def test_200_strokes_are_fast() -> None:
    hints = Image.new("RGBA", (1024, 1024))
    pen = ImageDraw.Draw(hints)
    colors = []
    for number in range(200):
        x, y = 20 + number % 20 * 50, 20 + number // 20 * 100
        colors.append(f"#{number:02x}{255 - number:02x}80")
        pen.line((x, y, x + 15, y + 60), fill=colors[-1], width=8)
    start = time.process_time()
    spots = read(hints, 512)
    assert names(spots) == sorted(colors)
    assert time.process_time() - start < 2


# --- points ----------------------------------------------------------------------------------


def test_points_are_discs() -> None:
    points = ["120,80=#ffcc00", ((10.7, 20), "red"), "0,255=#08f"]
    spots = parse_spots(points, (256, 384))
    assert spots.places.shape == (256, 384) and spots.places.dtype == np.int32
    np.testing.assert_array_equal(spots.places[[80, 20, 255], [120, 10, 0]], [1, 2, 3])
    np.testing.assert_array_equal(spots.centers, [(80, 120), (20, 10), (255, 0)])
    np.testing.assert_allclose(
        spots.colors, np.array([(255, 204, 0), (255, 0, 0), (0, 136, 255)]) / 255, atol=1e-7
    )
    assert [(spots.places == k).sum() for k in (1, 2, 3)] == [13, 13, 6]  # radius 2
    one = parse_spots("1,2=gold", (40, 40))
    assert len(one) == 1 and (one.places > 0).sum() == 5  # radius 1
    assert len(parse_spots([], (5, 6))) == 0


def test_neighboring_points_share_the_pixels_between_them() -> None:
    spots = parse_spots(["20,20=red", "23,20=blue", "40,40=red", "40,40=lime"], (512, 512))
    assert len(spots) == 3
    np.testing.assert_array_equal(spots.places[20, 19:25], [1, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(spots.colors[spots.places[40, 40] - 1], (0, 1, 0))


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ("512,20=red", "--hint 512,20: is outside the drawing, which is 512 × 300 pixels; x goes"),
        ("5,300=red", "--hint 5,300: is outside the drawing"),
        ("-1,3=red", "--hint -1,3: is outside the drawing"),
        ("nan,3=red", "--hint nan,3: is outside the drawing"),
        (((10**400, 3), "red"), "--hint ((1000"),
        ("20,30", "--hint 20,30: write a place and a color as x,y=#rrggbb"),
        ("20=red", "--hint 20=red: write a place and a color as x,y=#rrggbb"),
        ("a,b=red", "--hint a,b=red: write a place and a color as x,y=#rrggbb"),
        (((1, 2), 3), "--hint ((1, 2), 3): write a place and a color as x,y=#rrggbb"),
        ((1, 2, "red"), "--hint (1, 2, 'red'): write a place and a color as x,y=#rrggbb"),
        ("20,30=reed", "--hint 20,30 reed: no color has this name; did you mean red?"),
    ],
)
def test_other_points_are_refused(point: Any, says: str) -> None:
    with pytest.raises(OptionError) as raised:
        parse_spots([point], (300, 512))
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)


# --- join ------------------------------------------------------------------------------------


def test_later_spots_win() -> None:
    first = parse_spots(["50,50=red", "90,90=blue"], (128, 128))
    second = parse_spots(["50,50=lime", "20,20=gold"], (128, 128))
    both = join(first, second)
    assert names(both) == ["#0000ff", "#00ff00", "#ffd700"]
    for x, color in ((50, (0, 1, 0)), (90, (0, 0, 1))):
        np.testing.assert_allclose(both.colors[both.places[x, x] - 1], color)
    np.testing.assert_array_equal(both.centers, [(90, 90), (50, 50), (20, 20)])
    alone = join(parse_spots([], (128, 128)), second)
    np.testing.assert_array_equal(alone.places, second.places)
