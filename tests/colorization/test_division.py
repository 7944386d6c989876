"""Regions take the spots' colors, and are divided where spots of several colors meet."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage.measure import label

from limner.colorization.division import divide, soften
from limner.colorization.spots import Spots, parse_spots

SIZE = 200
RED, BLUE, GREEN = (1, 0, 0), (0, 0, 1), (0, 128 / 255, 0)
BORDER = 3  # of the frame around `blank`


def blank(size: int = SIZE) -> np.ndarray:
    """Ink of a black frame around an empty page, [size, size]."""
    ink = np.zeros((size, size), np.float32)
    ink[:BORDER] = ink[-BORDER:] = 1
    ink[:, :BORDER] = ink[:, -BORDER:] = 1
    return ink


def regions(ink: np.ndarray) -> np.ndarray:
    """Int32 [H, W]: what lines wholly enclose."""
    return label(ink < 0.5, connectivity=1).astype(np.int32)


def strokes(*given: tuple[tuple[slice, slice], tuple[float, float, float]]) -> Spots:
    """Make a spot of each rectangle (rows, columns) and color."""
    places = np.zeros((SIZE, SIZE), np.int32)
    for number, (part, _) in enumerate(given, 1):
        places[part] = number
    colors = np.array([color for _, color in given], np.float32)
    return Spots(places, colors, np.full((len(given), 2), np.nan, np.float32))


def fill(ink: np.ndarray, spots: Spots) -> np.ndarray:
    """Divide the regions and return the color of each pixel, [H, W, 3], NaN for none."""
    before = regions(ink)
    labels, colors = divide(before, ink, spots)
    assert labels.dtype == np.int32 and colors.dtype == np.float32
    assert colors.shape == (labels.max() + 1, 3) and np.isnan(colors[0]).all()
    np.testing.assert_array_equal(np.unique(labels), np.unique([0, *range(labels.max() + 1)]))
    np.testing.assert_array_equal(labels == 0, before == 0)
    for number in range(1, labels.max() + 1):  # no part reaches over two regions
        assert len(np.unique(before[labels == number])) == 1
    return colors[labels]


def is_color(found: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """Bool [H, W]."""
    return np.abs(found - color).max(2) < 1e-6


def two_rooms(wall: int = 1) -> np.ndarray:
    """A wall of black ink from 99 on."""
    ink = blank()
    ink[:, 99 : 99 + wall] = 1
    return ink


# --- whole regions ---------------------------------------------------------------------------


def test_a_spot_fills_its_region_evenly_and_no_other() -> None:
    ink = two_rooms()
    found = fill(ink, parse_spots(["20,30=red"], ink.shape))
    assert is_color(found[BORDER:-BORDER, BORDER:99], RED).all()
    assert np.isnan(found[:, 99:]).all()


def test_spots_of_one_color_do_not_divide_a_region() -> None:
    ink = two_rooms()
    labels = regions(ink)
    spots = parse_spots(["20,30=red", "80,150=red", "150,100=blue"], ink.shape)
    divided, colors = divide(labels, ink, spots)
    np.testing.assert_array_equal(divided, labels)
    np.testing.assert_array_equal(colors[1:], [RED, BLUE])


def test_without_spots_nothing_changes() -> None:
    labels = regions(two_rooms())
    divided, colors = divide(labels, two_rooms(), parse_spots([], labels.shape))
    np.testing.assert_array_equal(divided, labels)
    assert colors.shape == (3, 3) and np.isnan(colors).all()


# --- which regions a spot means ----------------------------------------------------------------


@pytest.mark.parametrize(("columns", "left"), [((91, 105), True), ((95, 109), False)])
def test_a_spot_on_a_line_counts_for_the_side_that_holds_most(
    columns: tuple[int, int], left: bool
) -> None:
    """The line is 4 pixels wide, the spot 14."""
    found = fill(two_rooms(4), strokes((np.s_[50:64, slice(*columns)], RED)))
    one, other = (found[100, 50], found[100, 150])
    np.testing.assert_array_equal(one if left else other, RED)
    assert np.isnan(other if left else one).all()


@pytest.mark.parametrize(("columns", "left"), [((99, 103), True), ((104, 108), False)])
def test_a_spot_wholly_on_a_line_counts_for_the_nearer_side(
    columns: tuple[int, int], left: bool
) -> None:
    found = fill(two_rooms(9), strokes((np.s_[50:54, slice(*columns)], RED)))
    one, other = (found[100, 50], found[100, 150])
    np.testing.assert_array_equal(one if left else other, RED)
    assert np.isnan(other if left else one).all()


def test_a_spot_wholly_on_a_line_divides_too() -> None:
    on_line = (np.s_[50:54, 0:2], RED)
    found = fill(blank(), strokes(on_line, (np.s_[50:54, 150:154], BLUE)))
    assert is_color(found, RED)[52, BORDER + 1] and is_color(found, BLUE)[52, 140]


def test_a_spot_deep_in_black_is_left_out() -> None:
    ink = blank()
    ink[20:120, 20:120] = 1
    assert np.isnan(fill(ink, strokes((np.s_[65:75, 65:75], RED)))).all()


def test_a_long_stroke_colors_regions_with_a_good_part_of_it() -> None:
    ink = blank()
    ink[:, 66] = ink[:, 133] = 1
    found = fill(ink, strokes((np.s_[90:96, 10:140], RED)))  # 6 of 130 columns in the third
    assert is_color(found, RED)[100, [20, 100]].all() and np.isnan(found[100, 150]).all()


def test_a_spot_over_a_small_region_means_that_one() -> None:
    ink = blank()
    eye = np.s_[80:92, 80:92]
    ink[78:94, 78:94] = 1
    ink[eye] = 0
    found = fill(ink, strokes((np.s_[79:96, 79:95], BLUE)))
    assert is_color(found[eye], BLUE).all() and np.isnan(found[20, 20]).all()


def test_a_point_means_the_region_under_it_alone() -> None:
    ink = blank()
    ink[20, 18:23] = ink[16:21, 18] = ink[16:21, 22] = ink[16, 18:23] = 1  # a box of 3 × 3
    spots = parse_spots(["23,19=red"], ink.shape)
    assert spots.places[18:21, 22].any()
    found = fill(ink, spots)
    assert is_color(found[100, 100][None, None], RED).all() and np.isnan(found[17:20, 19:22]).all()
    on_line = fill(ink, parse_spots(["22,18=red"], ink.shape))
    assert (~np.isnan(on_line[[100, 18], [100, 20], 0])).sum() == 1


# --- dividing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "size"), [(((40, 100), (160, 100)), 4), (((60, 60), (140, 140)), 4), (None, 20)]
)
def test_over_bare_paper_the_border_is_straight_and_midway(
    ends: tuple[tuple[int, int], tuple[int, int]] | None, size: int
) -> None:
    """Also between a small spot and a large one (the last case)."""
    (x, y), (u, v) = ends or ((40, 100), (160, 100))
    small = np.s_[y - 2 : y + 2, x - 2 : x + 2]
    large = np.s_[v - size // 2 : v + size // 2, u - size // 2 : u + size // 2]
    found = fill(blank(), strokes((small, RED), (large, BLUE)))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    side = (columns - (x + u) / 2) * (u - x) + (rows - (y + v) / 2) * (v - y)
    side = side / np.hypot(u - x, v - y)  # pixels from the middle
    slack = 4 if ends == ((40, 100), (160, 100)) else 18
    # a minimal cut meets the frame at right angles: look at the middle half
    inside = (np.abs(columns - SIZE / 2) < 50) & (np.abs(rows - SIZE / 2) < 50)
    inside &= regions(blank()) > 0
    assert is_color(found, RED)[inside & (side < -slack)].all()
    assert is_color(found, BLUE)[inside & (side > slack)].all()


@pytest.mark.parametrize("darkness", [0.2, 0.4])
def test_the_border_follows_a_faint_line(darkness: float) -> None:
    ink = blank()
    ink[BORDER:-BORDER, 140:142] = darkness
    found = fill(ink, strokes((np.s_[50:54, 40:44], RED), (np.s_[150:154, 160:164], BLUE)))
    assert is_color(found[BORDER:-BORDER, BORDER:140], RED).all()
    assert is_color(found[BORDER:-BORDER, 142:-BORDER], BLUE).all()


def test_the_border_closes_the_gaps_of_a_broken_line() -> None:
    """One spot is right at a gap, the other one far from the line."""
    ink = blank()
    ink[:, 120:123] = 1
    for top in (30, 95, 150):
        ink[top : top + 18, 120:123] = 0
    found = fill(ink, strokes((np.s_[102:106, 112:116], RED), (np.s_[170:174, 180:184], BLUE)))
    assert is_color(found[BORDER:-BORDER, BORDER:114], RED).all()
    assert is_color(found[BORDER:-BORDER, 130:-BORDER], BLUE).all()


def test_three_colors_meet_at_the_faint_lines_between_them() -> None:
    large = Image.new("L", (4 * SIZE, 4 * SIZE))
    pen = ImageDraw.Draw(large)
    for end in ((100, 0), (0, 180), (200, 180)):
        pen.line([(400, 440), (4 * end[0], 4 * end[1])], fill=60, width=8)
    ink = np.maximum(blank(), np.asarray(large.resize((SIZE, SIZE), Image.Resampling.BOX)) / 255)
    points = ["85,60=red", "160,90=blue", "100,180=green"]
    found = fill(ink.astype(np.float32), parse_spots(points, ink.shape))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    below = rows - 110 - 0.7 * np.abs(columns - 100)  # rows below the two lower lines
    frame = blank() > 0
    assert is_color(found, GREEN)[~frame & (below > 3)].all()
    assert is_color(found, RED)[~frame & (below < -3) & (columns < 98)].all()
    assert is_color(found, BLUE)[~frame & (below < -3) & (columns > 102)].all()


def test_borders_of_a_large_region_are_as_fine_as_its_lines() -> None:
    ink = blank(1400)
    rows = np.arange(1400)
    line = (800 + 60 * np.sin(rows / 150)).astype(int)
    for width in range(3):
        ink[rows, line + width] = np.maximum(ink[rows, line + width], 0.3)
    found = fill(ink, parse_spots(["300,700=red", "900,300=blue"], ink.shape))
    for row in range(BORDER, 1400 - BORDER, 7):
        assert is_color(found[row : row + 1, BORDER : line[row] - 1], RED).all()
        assert is_color(found[row : row + 1, line[row] + 4 : -BORDER], BLUE).all()


def test_200_spots_in_one_region_keep_their_color() -> None:
    random = np.random.default_rng(0)
    places = random.permutation(18 * 18)[:200]
    points = [
        ((10 + 10 * int(place % 18), 10 + 10 * int(place // 18)), f"#{number:02x}8040")
        for number, place in enumerate(places)
    ]
    spots = parse_spots(points, (SIZE, SIZE))
    found = fill(blank(), spots)
    marked = spots.places > 0
    np.testing.assert_array_equal(found[marked], spots.colors[spots.places[marked] - 1])
    sizes = np.unique(found[~np.isnan(found[..., 0])], axis=0, return_counts=True)[1]
    assert len(sizes) == 200 and sizes.min() > 20  # more than the spot's 9 pixels


def test_spots_at_the_edges_of_regions_work() -> None:
    for size in ((1, 1), (1, 40), (40, 2), (5, 5)):
        labels = np.ones(size, np.int32)
        points = [((0, 0), "red"), ((size[1] - 1, size[0] - 1), "blue")]
        spots = parse_spots(points, size)
        divided, colors = divide(labels, np.zeros(size, np.float32), spots)
        assert divided.max() == len(spots) and not np.isnan(colors[1:]).any()
        for (x, y), k in ((p, spots.places[p[1], p[0]]) for p, _ in points):
            np.testing.assert_array_equal(colors[divided[y, x]], spots.colors[k - 1])


# --- soften ------------------------------------------------------------------------------------


def test_soft_borders_stay_in_their_region_and_spots_keep_their_color() -> None:
    ink = two_rooms()
    before = regions(ink)
    spots = parse_spots(["50,30=red", "50,170=blue", "150,100=green"], ink.shape)
    after, colors = divide(before, ink, spots)
    flat = np.nan_to_num(colors, nan=1)[after]
    soft = soften(flat, before, after, spots)
    assert soft.shape == flat.shape and soft.dtype == np.float32
    others = before != before[50, 50]
    np.testing.assert_array_equal(soft[others], flat[others])
    marked = spots.places > 0
    np.testing.assert_allclose(soft[marked], flat[marked], atol=1e-6)
    column = soft[BORDER:-BORDER, 20]
    assert (np.diff(column[:, 0]) <= 1e-6).all() and (np.diff(column[:, 2]) >= -1e-6).all()
    assert np.abs(np.diff(column, axis=0)).max() < 0.05  # a step of the flat colors is 1
    np.testing.assert_allclose(column[len(column) // 2], (0.5, 0, 0.5), atol=0.1)
    np.testing.assert_allclose(column[[0, -1]], [RED, BLUE], atol=0.05)
    assert soft.min() >= 0 and soft.max() <= 1 + 1e-6


def test_regions_that_are_not_divided_stay_flat() -> None:
    ink = two_rooms()
    before = regions(ink)
    spots = parse_spots(["50,30=red", "150,100=green"], ink.shape)
    after, colors = divide(before, ink, spots)
    flat = np.nan_to_num(colors)[after]
    np.testing.assert_array_equal(soften(flat, before, after, spots), flat)
