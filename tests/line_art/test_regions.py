"""Regions of drawings whose regions are known."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from limner.errors import OptionError
from limner.line_art.regions import _squared_distance, cover_lines, find_regions, regions

Ink = NDArray[np.float32]


class Sheet:
    """A page to draw on in units of 1/512 of its side, smooth at the edges of lines."""

    def __init__(self, size: int = 512) -> None:
        self.size = size
        self.scale = 4 * size / 512
        self.page = Image.new("L", (4 * size, 4 * size))
        self.pen = ImageDraw.Draw(self.page)

    def arc(
        self,
        x: float,
        y: float,
        radius: float,
        width: float = 4,
        arc: tuple[float, float] = (0, 360),
    ) -> None:
        box = [v * self.scale for v in (x - radius, y - radius, x + radius, y + radius)]
        self.pen.arc(box, *arc, fill=255, width=round(width * self.scale))

    def line(self, *points: float, width: float = 2) -> None:
        self.pen.line([v * self.scale for v in points], 255, round(width * self.scale))

    def box(self, *corners: float, width: float = 3) -> None:
        self.pen.rectangle(
            [v * self.scale for v in corners], outline=255, width=round(width * self.scale)
        )

    @property
    def ink(self) -> Ink:
        small = self.page.resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small).astype(np.float32) / 255


def ring(gap: float, size: int = 512) -> Ink:
    """A ring with a gap on the right, and in it an eye."""
    sheet = Sheet(size)
    half = math.degrees(gap / 150) / 2
    sheet.arc(256, 256, 150, arc=(half, 360 - half))
    sheet.arc(220, 220, 10)
    return sheet.ink


def check_numbering(labels: NDArray[np.int32], ink: Ink) -> None:
    assert labels.dtype == np.int32
    assert labels.shape == ink.shape
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))


@pytest.mark.parametrize("size", [256, 512, 1024])
@pytest.mark.parametrize("gap", [0, 4, 8])
def test_small_gaps_do_not_join_regions(gap: float, size: int) -> None:
    ink = ring(gap, size)
    labels = find_regions(ink)
    check_numbering(labels, ink)
    y, x = (np.mgrid[:size, :size] + 0.5) * 512 / size - 256
    far = np.hypot(y, x)
    outside = np.unique(labels[far > 156])
    inside = np.unique(labels[(far < 144) & (np.hypot(y + 36, x + 36) > 14)])
    eye = np.unique(labels[np.hypot(y + 36, x + 36) < 4])
    assert len(outside) == len(inside) == len(eye) == 1
    assert len({0, *outside, *inside, *eye}) == 4


def test_the_gap_decides_what_is_joined() -> None:
    ink = ring(20)
    assert find_regions(ink, 20).max() == 3
    assert find_regions(ink, 8).max() == 2
    assert find_regions(ring(4), 0).max() == 2
    assert find_regions(ring(0), 0).max() == 3


def test_dashed_outlines_are_closed() -> None:
    sheet = Sheet()
    for start in range(0, 360, 9):
        sheet.arc(256, 256, 150, 3, (start, start + 6))
    assert find_regions(sheet.ink).max() == 2


def test_strips_between_doubled_lines_are_no_regions() -> None:
    sheet = Sheet()
    sheet.arc(256, 256, 150, 2)
    sheet.arc(256, 256, 156, 2)
    labels = find_regions(sheet.ink)
    assert labels.max() == 2
    assert labels[256, 256] != labels[10, 10]


# crossed at 14 px, the cells are wide enough to be regions
@pytest.mark.parametrize(
    ("spacing", "crossed"), [(5, False), (8, False), (14, False), (5, True), (8, True)]
)
def test_hatching_belongs_to_the_region_around_it(spacing: int, crossed: bool) -> None:
    sheet = Sheet()
    sheet.box(60, 60, 452, 452)
    for place in range(90, 240, spacing):
        sheet.line(place, 70, place, 245, width=1.5)
        if crossed:
            sheet.line(80, place - 10, 245, place - 10, width=1.5)
    labels = find_regions(sheet.ink)
    inside = labels[64:448, 64:448]
    counts = np.bincount(inside[inside > 0])
    assert counts.max() > 0.99 * counts.sum()
    assert labels[30, 30] not in (0, counts.argmax())


def test_small_closed_pieces_are_regions() -> None:
    sheet = Sheet()
    sheet.arc(256, 256, 150)
    sheet.box(200, 300, 260, 320, width=2)
    for tooth in range(1, 6):
        sheet.line(200 + 10 * tooth, 300, 200 + 10 * tooth, 320)
    sheet.arc(300, 220, 5, 1.5)
    labels = find_regions(sheet.ink)
    parts = [labels[310, 205 + 10 * tooth] for tooth in range(6)] + [labels[220, 300]]
    assert len({*parts, 0, labels[256, 256], labels[5, 5]}) == 10
    assert labels.max() == 9


def test_a_tube_as_wide_as_the_ball_is_one_region() -> None:
    random = np.random.default_rng(0)
    sheet = Sheet()
    places = np.arange(60, 460, 8)
    for side in (-1, 1):
        wavy = 256 + side * (6 + random.uniform(-0.8, 0.8, len(places)))
        sheet.line(*np.stack((places, wavy), 1).ravel().tolist())
    sheet.line(60, 240, 60, 272)
    sheet.line(452, 240, 452, 272)
    labels = find_regions(sheet.ink)
    assert len(np.unique(labels[256, 70:445])) == 1


def test_specks_noise_and_shade_do_not_count_as_lines() -> None:
    random = np.random.default_rng(0)
    ink = ring(4)
    plain = find_regions(ink)
    specks = random.random(ink.shape) < 0.004
    ink[specks] = np.maximum(ink[specks], 0.9)
    ink += random.normal(0, 0.02, ink.shape).astype(np.float32)
    ink[:, 120:200] += 0.2  # a gray wash
    labels = find_regions(ink.clip(0, 1))
    assert labels.max() == plain.max() == 3
    both = (labels > 0) & (plain > 0)
    assert (labels == plain)[both].mean() > 0.99


def test_faint_lines_count_on_clean_paper() -> None:
    assert find_regions(ring(4) * np.float32(0.1)).max() == 3


def test_large_drawings_have_exact_borders() -> None:
    size = 3000
    y, x = np.mgrid[:size, :size].astype(np.float32)
    far = np.hypot(y - 1500, x - 1500)
    line = np.abs(far - 1000) < 4
    line &= (x < 1500) | (np.abs(y - 1500) > 10)  # a gap of 20 pixels
    labels = find_regions(line.astype(np.float32))
    assert labels.max() == 2
    assert not labels[line].any()
    assert (labels[(far < 996)] == labels[1500, 1500]).all()
    assert (labels[(far > 1004)] == labels[0, 0]).all()


def test_cover_meets_in_the_middle_of_lines() -> None:
    ink = np.zeros((60, 80), np.float32)
    ink[:, 30:41] = 1
    labels = np.ones((60, 80), np.int32)
    labels[:, 41:] = 2
    labels[:, 30:41] = 0
    covered = cover_lines(labels, ink)
    assert (covered[:, :35] == 1).all()
    assert (covered[:, 36:] == 2).all()


def test_cover_follows_the_darkest_of_a_soft_line() -> None:
    ink = np.zeros((40, 60), np.float32)
    ink[:, 20:40] = np.interp(np.arange(20), [0, 15, 19], [0.1, 0.9, 0.2])
    labels = np.ones((40, 60), np.int32)
    labels[:, 40:] = 2
    labels[:, 20:40] = 0
    covered = cover_lines(labels, ink)
    borders = (covered == 1).sum(1)
    assert (np.abs(borders - 35.5) <= 1.5).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_black_pages(value: float) -> None:
    ink = np.full((64, 90), value, np.float32)
    labels = find_regions(ink)
    assert (labels == 1 - value).all()
    assert (cover_lines(labels, ink) == 1).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 300)])
def test_odd_shapes(shape: tuple[int, int]) -> None:
    assert (find_regions(np.zeros(shape, np.float32)) == 1).all()


@pytest.mark.parametrize("reach", [1, 4, 9])
def test_limited_distance_is_exact(reach: int) -> None:
    random = np.random.default_rng(reach)
    mask = random.random((50, 70)) < 0.01
    exact = ndimage.distance_transform_edt(~mask) ** 2
    limited = _squared_distance(mask, reach)
    near = exact <= reach**2
    assert np.allclose(limited[near], exact[near])
    assert (limited[~near] > reach**2).all()


def test_regions_reads_a_drawing(tmp_path: Path) -> None:
    page = Image.fromarray((255 - 255 * ring(8)).astype(np.uint8))
    page.save(tmp_path / "ring.png")
    labels = regions(tmp_path / "ring.png")
    assert labels.max() == 3
    assert np.array_equal(labels, regions(page))
    assert regions(page, gap=0).max() == 2
    with pytest.raises(OptionError, match=r"--gap 65: must be from 0 to 64"):
        regions(page, gap=65)


def test_a_long_strip_has_the_regions_of_its_pages() -> None:
    """A webtoon is measured by its width, not by its length: gaps and lines are those of a page."""
    sheet = Image.new("L", (60, 75), 255)
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((5, 5, 55, 70), outline=0, width=2)
    pen.ellipse((15, 15, 45, 50), outline=0, width=2)
    strip = Image.new("L", (60, 75 * 24), 255)
    for page in range(24):
        strip.paste(sheet, (0, 75 * page))
    assert regions(sheet).max() == 3  # the background, the frame and the ellipse
    assert regions(strip).max() == 1 + 24 * 2
    assert regions(strip.transpose(Image.Transpose.ROTATE_90)).max() == 1 + 24 * 2
