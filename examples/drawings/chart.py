"""A map of an island with three realms, as old books have them."""

from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from skimage.measure import find_contours

from drawings.letters import write
from drawings.pen import Array, Pen, Sheet, even, oval, scallop, trace

WIDTH, HEIGHT = 1024, 800
ISLAND = (
    "170,330 210,250 300,214 372,150 470,134 560,168 640,128 740,150 800,220 876,262 884,350 "
    "838,400 862,480 800,560 700,580 640,650 540,668 470,620 380,640 300,600 236,610 190,540 "
    "214,470 150,410 z"
)
ISLETS = ("56,330 92,314 116,342 94,374 58,364 z", "888,600 930,588 946,622 906,640 z",
          "840,120 880,112 896,140 858,154 z")  # fmt: skip


def coast(s: Sheet, outline: Array, rough: float) -> Array:
    """Return an outline [n, 2] broken into bays and headlands by displaced midpoints."""
    points = even(outline, 26.0)
    points[-1] = points[0]
    for _ in range(3):
        middle = (points[:-1] + points[1:]) / 2
        way = np.diff(points, axis=0)
        normal = np.column_stack([-way[:, 1], way[:, 0]])
        middle += normal * s.rng.uniform(-rough, rough, (len(way), 1))
        points = np.insert(points, range(1, len(points)), middle, axis=0)
    fine = even(points)
    smooth: Array = gaussian_filter1d(fine[:-1], 2.2, axis=0, mode="wrap")
    return np.vstack([smooth, smooth[:1]])


def sea_lines(s: Sheet, coasts: list[Array]) -> None:
    """Draw two lines that follow the coasts in the water."""
    land = Image.new("1", (WIDTH, HEIGHT))
    for outline in coasts:
        ImageDraw.Draw(land).polygon(outline.ravel().tolist(), fill=1)
    away = distance_transform_edt(~np.asarray(land))
    for distance, width in ((9.0, 1.5), (19.0, 1.1)):
        for contour in find_contours(away, distance):
            s.line(contour[:, ::-1], width)


def mountain(s: Sheet, x: float, y: float, size: float) -> None:
    """Draw a mountain with shade on its right."""
    s.shape(trace("-30,0! -16,-26 -2,-52! 4,-46 18,-20 32,0! 10,4 -12,4 z", (x, y), size), 2.4)
    s.line(trace("-2,-52! 2,-36 -4,-26 4,-12", (x, y), size), 1.6)
    for k in range(3):
        s.line(trace(f"{8 + 5 * k},{-34 + 12 * k} {10 + 4 * k},{-18 + 9 * k}", (x, y), size), 1.4)


def woods(s: Sheet, x: float, y: float, count: int) -> None:
    """Draw a wood of round trees about x, y."""
    spots = [(x + (k % 4) * 26 - 40 + (k // 4 % 2) * 13, y + (k // 4) * 17) for k in range(count)]
    for u, v in spots:
        u, v = u + s.rng.uniform(-3, 3), v + s.rng.uniform(-2, 2)  # noqa: PLW2901
        s.line(np.array([(u, v + 8), (u, v + 17)]), 2.6)
        s.shape(scallop(s.rng, oval(u, v, 11, 10), 11), 1.9)


def town(s: Sheet, x: float, y: float, name: str, side: int = 1) -> None:
    """Draw houses with a tower, and the town's name below."""
    for u, size in ((-20, 0.9), (14, 1.0)):
        s.shape(trace("-9,0! -9,-11! 9,-11! 9,0! z", (x + u, y), size), 2)
        s.shape(trace("-12,-11! 0,-21! 12,-11! z", (x + u, y), size), 2)
    s.shape(trace("-6,2! -6,-26! 6,-26! 6,2! z", (x - 3, y)), 2)
    s.shape(trace("-8,-26! 0,-42! 8,-26! z", (x - 3, y)), 2)
    write(s, name, x, y + 16 * side, 10, 1.7)


def dashed(s: Sheet, path: Array, on: int, off: int, width: float, dots: bool = False) -> None:
    """Draw a dashed line, with a dot in each gap if asked."""
    for a in range(0, len(path) - on, on + off):
        s.line(path[a : a + on], width)
        if dots and a + on + off // 2 < len(path):
            x, y = path[a + on + off // 2]
            s.black(oval(x, y, width * 0.6))


def river(s: Sheet, path: Array) -> None:
    """Draw a river that widens from its spring to the sea."""
    slope = np.gradient(path, axis=0)
    normal = np.column_stack([-slope[:, 1], slope[:, 0]]) / np.hypot(*slope.T)[:, None]
    half = np.linspace(0.8, 6.5, len(path))[:, None]
    band = np.vstack([path + normal * half, (path - normal * half)[::-1]])
    s.hide(band)
    s.line(path + normal * half, 1.9)
    s.line(path - normal * half, 1.9)


def compass(s: Sheet, x: float, y: float, size: float) -> None:
    """Draw a compass rose."""
    for r in (0.66, 0.58):
        s.line(oval(x, y, size * r), 1.6)
    for turn, reach in (
        (45, 0.62),
        (135, 0.62),
        (225, 0.62),
        (315, 0.62),
        (0, 1),
        (90, 1),
        (180, 1),
        (270, 1),
    ):
        for flip in (False, True):
            half = trace("0,0! 0,-100! 15,-15! z", (0, 0), size / 100 * reach, 0, flip)
            angle = np.radians(turn)
            spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            half = half @ spin + np.array([x, y])
            s.shape(half, 1.8)
            if flip:
                s.black(half)
    for text, dx, dy in (("N", 0, -1), ("E", 1, 0), ("S", 0, 1), ("W", -1, 0)):
        write(s, text, x + dx * size * 1.2, y + dy * size * 1.2, 13, 2.2)


def ship(s: Sheet, x: float, y: float) -> None:
    """Draw a sailing ship."""
    s.line(np.array([(x, y - 70), (x, y)]), 2.6)
    s.line(np.array([(x + 26, y - 52), (x + 26, y)]), 2.4)
    for path in (
        "-20,-66! 20,-66! 26,-44 20,-26! -22,-26! -12,-46 z",
        "14,-48! 40,-48! 44,-32 40,-18! 14,-18! 20,-32 z",
    ):
        s.shape(trace(path, (x, y)), 2.2)
    s.shape(trace("0,-72! 18,-80! 16,-68! z", (x, y)), 1.8)
    s.shape(trace("-44,-14! -38,-2 20,0 44,-2 62,-18! 52,14 40,20 -26,20 -38,8 z", (x, y)), 2.6)
    s.line(trace("-38,4 10,9 54,2", (x, y)), 1.6)
    for k in (-40, 0, 40):
        s.line(trace(f"{k - 14},28 {k - 6},24 {k + 2},28 {k + 10},24 {k + 18},28", (x, y)), 1.6)


def serpent(s: Sheet, x: float, y: float) -> None:
    """Draw a sea serpent whose coils rise from the water."""
    for k, size in ((56, 0.8), (104, 0.6)):
        s.shape(
            trace(
                "-24,0! -22,-26 0,-38 22,-26 24,0! 10,0! 8,-14 0,-20 -8,-14 -10,0! z",
                (x + k, y),
                size,
            ),
            2.2,
        )
    neck = "-12,0! -14,-24 -26,-40 -44,-40! -60,-36 -62,-46 -48,-58 -24,-62 -4,-44 6,-20 8,0! z"
    s.shape(trace(neck, (x, y)), 2.4)
    s.black(oval(x - 36, y - 50, 2.4))
    for k in (-16, -6, 2):
        s.line(
            trace(f"{k},{-60 + 8 * (k + 16) * 0.16} {k + 9},{-66 + 8 * (k + 16) * 0.2}", (x, y)),
            1.8,
        )
    s.shape(trace("122,0! 126,-18 138,-30 154,-34! 146,-20 150,-12! 138,-10 134,0! z", (x, y)), 2.2)
    for k in range(-20, 150, 32):
        s.line(trace(f"{k},6 {k + 8},2 {k + 16},6 {k + 24},2", (x, y)), 1.5)


def chart() -> Image.Image:
    """Return the map."""
    s = Sheet(WIDTH, HEIGHT, Pen(width=2.8, wobble=0.45, ends=0.6, weight=0.2), seed=17)
    coasts = [coast(s, trace(path), 0.26) for path in (ISLAND, *ISLETS)]
    sea_lines(s, coasts)
    for outline in coasts:
        s.shape(outline)
    for path in (
        "420,300 400,360 350,400 330,450 270,490 206,508",
        "640,300 670,360 650,420 700,470 690,530 706,584",
        "560,270 540,230 570,200 562,166",
    ):
        river(s, trace(path))
    for path in (
        "372,150! 400,220 460,250 470,320 450,400 480,470 460,540 470,620!",
        "470,360! 540,380 600,350 680,320 760,330 830,310 884,330!",
    ):
        dashed(s, trace(path), 15, 13, 2.4, dots=True)
    for path in (
        "284,304 310,350 300,384 290,404",
        "316,438 390,480 440,540 514,568",
        "560,590 620,540 640,470 600,430",
        "600,410 580,330 620,260 680,220",
        "700,200 760,230 800,280 806,330",
    ):
        dashed(s, trace(path), 9, 8, 1.8)
    peaks = (
        (392, 268, 1),
        (430, 292, 1.1),
        (522, 300, 1),
        (566, 290, 1.25),
        (610, 306, 1.05),
        (652, 298, 0.9),
        (540, 330, 0.9),
        (590, 334, 0.95),
    )
    for x, y, size in peaks:
        mountain(s, x, y, size)
    for x, y, count in ((234, 350, 8), (756, 436, 12), (408, 588, 4), (634, 180, 3)):
        woods(s, x, y, count)
    town(s, 272, 282, "ELM")
    town(s, 284, 434, "FORD")
    town(s, 544, 574, "HARBOR")
    town(s, 604, 416, "KEEP")
    town(s, 706, 206, "NORTHAM")
    town(s, 800, 364, "EAST BAY")
    for text, x, y, turn in (
        ("WESTMARK", 286, 560, 6),
        ("THE NORTH", 476, 198, -5),
        ("SOUTHDALE", 560, 480, 4),
    ):
        write(s, text, x, y, 17, 2.4, turn)
    compass(s, 112, 668, 62)
    ship(s, 800, 712)
    serpent(s, 84, 190)
    title = "640,34! 960,34! 960,100! 640,100! z"
    s.shape(trace("620,46! 600,66! 620,90! 650,90! 650,46! z"), 2.4)
    s.shape(trace("980,46! 1000,66! 980,90! 950,90! 950,46! z"), 2.4)
    s.shape(trace(title), 2.8)
    write(s, "THE ISLE OF ARDEN", 800, 67, 22, 3)
    for k, (a, b) in enumerate(pairwise(range(420, 581, 40))):
        bar = trace(f"{a},734! {b},734! {b},744! {a},744! z")
        s.shape(bar, 1.8)
        if k % 2:
            s.black(bar)
    write(s, "MILES", 500, 758, 10, 1.7)
    for inset, width in ((12, 4.0), (20, 1.6)):
        right, low = WIDTH - inset, HEIGHT - inset
        s.line(trace(f"{inset},{inset}! {right},{inset}! {right},{low}! {inset},{low}! z"), width)
    return s.image()
