"""A mountain lake with a boat, pines, clouds and the sun."""

from dataclasses import replace

import numpy as np
from PIL import Image

from drawings.pen import Array, Pen, Sheet, oval, through, trace


def pine(s: Sheet, x: float, y: float, height: float, tiers: int = 6) -> None:
    """Draw a conifer whose trunk stands at x, y."""
    w = height * 0.24
    s.shape(trace("-7,0! -5,-60! 5,-60! 7,0! z", (x, y), height / 200))
    sides: list[list[tuple[float, float]]] = []
    for sign in (-1, 1):
        side = []
        for k in range(1, tiers + 1):
            low = y - height * (0.14 + 0.86 * (1 - k / tiers))
            reach = w * k / tiers * s.rng.uniform(0.88, 1.1)
            side.append((x + sign * reach, low + s.rng.uniform(-2, 4) * height / 200))
            if k < tiers:
                side.append((x + sign * reach * 0.5, low - height * 0.022))
        sides.append(side)
    knots = np.array([(x, y - height), *sides[1], *sides[0][::-1]])
    # branches hang: a point between each tip and its notch bends the edge
    s.shape(through(knots, [True] * len(knots), closed=True))
    for k in range(2, tiers + 1) if height > 150 else ():
        low = y - height * (0.14 + 0.86 * (1 - k / tiers)) - height * 0.05
        reach = w * k / tiers * 0.45
        s.line(trace(f"{x - reach},{low} {x - reach * 0.3},{low + height * 0.03}"), 2)
        s.line(trace(f"{x + reach * 0.2},{low - 2} {x + reach * 0.9},{low + height * 0.02}"), 2)


def cloud(s: Sheet, x: float, y: float, width: float) -> None:
    """Draw a cloud with a flat bottom."""
    puffs = "-100,0! -112,-14 -104,-30 -84,-32! -82,-56 -50,-66 -34,-50! -18,-80 28,-80 38,-48! "
    puffs += "58,-62 84,-50 80,-28! 104,-30 116,-10 100,0! 40,5 -40,4 z"
    s.shape(trace(puffs, (x, y), width / 220))


def tuft(s: Sheet, x: float, y: float, size: float = 1.0) -> None:
    """Draw blades of grass."""
    for dx, lean in ((-8, -10), (-2, -3), (4, 5), (10, 13)):
        blade = trace(f"{dx},0 {dx + lean * 0.3},-14 {dx + lean},-26", (x, y), size)
        s.line(blade, replace(s.pen, width=3, ends=0.3, taper=20))


def daisy(s: Sheet, x: float, y: float, size: float) -> None:
    """Draw a flower with its stalk and two leaves."""
    s.line(trace("0,0 3,34 -2,70", (x, y), size), 3)
    s.shape(trace("0,60! 18,40 34,36! 26,56 z", (x, y), size), 2.6)
    s.shape(trace("0,66! -18,50 -34,50! -24,66 z", (x, y), size), 2.6)
    for k in range(8):
        s.shape(trace("0,-6! -9,-18 -6,-30 0,-32 6,-30 9,-18 z", (x, y), size, 45 * k), 2.6)
    s.shape(oval(x, y, 9 * size), 2.6)


def ripples(s: Sheet, spots: list[tuple[float, float, float]]) -> None:
    """Draw short waves at x, y of a length."""
    for x, y, long in spots:
        path = np.column_stack([np.linspace(-1, 1, 60) * long / 2, np.zeros(60)])
        path[:, 1] = 2.2 * np.sin(np.linspace(0, long / 9, 60))
        s.line(path + np.array([x, y]), replace(s.pen, width=2.2, ends=0.2, taper=30))


def boat(s: Sheet, x: float, y: float) -> None:
    """Draw a small sailing boat."""
    s.line(trace("0,0! 0,-120", (x, y)), 4.5)
    s.shape(trace("6,-118! 44,-70 58,-14! 30,-10 6,-14! z", (x, y)))
    s.shape(trace("-6,-104! -30,-60 -42,-16! -6,-14! z", (x, y)))
    s.shape(trace("0,-122! 22,-128 26,-118! 0,-110! z", (x, y)), 2.6)
    s.shape(trace("-62,-4! 0,2 72,-6! 54,24 40,28 -36,28 -52,20 z", (x, y)))
    s.line(trace("-57,8 0,13 64,6", (x, y)), 2.4)


def crag(s: Sheet, start: tuple[float, float], end: tuple[float, float], rough: float) -> Array:
    """Return a broken line [n, 2], as rock breaks: midpoints are displaced."""
    points = np.array([start, end], float)
    for _ in range(4):
        middle = (points[:-1] + points[1:]) / 2
        way = np.diff(points, axis=0)
        normal = np.column_stack([-way[:, 1], way[:, 0]])
        middle += normal * s.rng.uniform(-rough, rough, (len(way), 1))
        points = np.insert(points, range(1, len(points)), middle, axis=0)
    return points


def mountain(s: Sheet, peak: tuple[float, float], feet: tuple[float, float], low: float) -> None:
    """Draw a mountain between two feet at height `low`: a ridge, snow and its shaded side."""
    left = crag(s, (feet[0], low), peak, 0.09)
    right = crag(s, peak, (feet[1], low), 0.09)
    ridge = crag(s, peak, (peak[0] * 0.72 + feet[1] * 0.28, low), 0.1)
    s.shape(np.vstack([left, right]))
    s.line(ridge[:-3], 2.8)
    edges = (
        left[::-1][len(left) * 3 // 8],
        ridge[len(ridge) * 7 // 16],
        right[len(right) * 3 // 8],
    )
    for a, b, teeth in ((edges[0], edges[1], 4), (edges[1], edges[2], 2)):
        t = np.linspace(0, 1, 2 * teeth + 1)[:, None]
        line = a + (b - a) * t
        line[1::2, 1] += s.rng.uniform(14, 34, teeth) * (low - peak[1]) / 300
        line[2:-1:2, 1] -= s.rng.uniform(0, 12, teeth - 1)
        s.line(line, 2.8)
    for k in (9, 11, 13):  # strokes that go down from the ridge, on the far side
        x, y = ridge[k]
        out = (feet[1] - x) * 0.3
        s.line(crag(s, (x + 10, y + 10), (x + out, y + 0.7 * out + 14), 0.1), 2)
    for k in (10, 12):
        x, y = left[::-1][k]
        s.line(crag(s, (x + 34, y + 6), (x + 22, y + 44), 0.12), 2)


def landscape() -> Image.Image:
    """Return the lake."""
    s = Sheet(1024, 740, Pen(width=3.8, wobble=0.9, ends=0.5, weight=0.3), seed=9)
    s.shape(oval(650, 132, 56))
    for k in range(16):
        angle = np.radians(22.5 * k + 5)
        way = np.array([np.cos(angle), np.sin(angle)])
        reach = 104 if k % 2 else 88
        s.line(np.array([(650, 132) + way * 70, (650, 132) + way * reach]), 3.4)
    mountain(s, (540, 208), (370, 800), 440)
    mountain(s, (838, 140), (600, 1120), 450)
    mountain(s, (216, 112), (-80, 470), 450)
    cloud(s, 420, 120, 190)
    cloud(s, 960, 90, 170)
    cloud(s, 56, 130, 150)
    hills = "-20,430! 80,404 200,420 320,408 460,424 600,406 740,424 880,404 1044,420! 1044,470! "
    s.shape(trace(hills + "-20,470! z"))
    for x in (20, 60, 96, 140, 300, 340, 372, 660, 700, 734, 840, 876, 918, 960, 1004):
        pine(s, x, 452 + s.rng.uniform(-6, 6), s.rng.uniform(74, 112), 5)
    s.shape(trace("-20,462! 200,452 420,458 640,450 860,458 1044,452! 1044,760! -20,760! z"))
    ripples(
        s,
        [
            (200, 490, 90),
            (330, 520, 60),
            (560, 486, 80),
            (800, 500, 110),
            (420, 566, 110),
            (700, 560, 70),
            (900, 540, 80),
            (690, 600, 90),
            (400, 620, 70),
            (760, 640, 60),
        ],
    )
    boat(s, 560, 574)
    ripples(s, [(560, 610, 150), (572, 624, 90)])
    shore = "-20,560! 80,556 180,580 260,630 400,668 560,680 700,668 820,640 920,580 1044,560! "
    s.shape(trace(shore + "1044,760! -20,760! z"))
    for x, y, r in ((330, 672, 34), (378, 690, 24), (800, 662, 36)):
        s.shape(trace("-30,14! -28,-8 -8,-22 14,-18 30,2 32,14! 0,18 z", (x, y), r / 30))
        s.line(trace("-4,-16 4,-4 -2,6", (x, y), r / 30), 2.4)
    pine(s, 92, 690, 400, 8)
    pine(s, 200, 710, 250, 7)
    pine(s, 950, 690, 330, 8)
    for x, y in (
        (40, 700),
        (290, 716),
        (470, 712),
        (620, 722),
        (720, 700),
        (860, 706),
        (1000, 716),
    ):
        tuft(s, x, y)
    for x, y, size in ((540, 660, 0.72), (664, 652, 0.86), (420, 660, 0.6), (770, 690, 0.62)):
        daisy(s, x, y, size)
    return s.image()
