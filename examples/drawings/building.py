"""An architect's drawing of a house in perspective."""

import numpy as np
from PIL import Image

from drawings.pen import Array, Pen, Sheet, oval, scallop, through, trace
from drawings.scenery import cloud

EYE, TARGET = np.array([23.0, -19.0, 1.9]), np.array([6.2, 2.2, 0.0])  # in meters; z is up
FOCUS, MIDDLE, HORIZON = 1400.0, 496.0, 516.0  # in pixels


def seen(*points: tuple[float, float, float]) -> Array:
    """Return where points [n, 3] are in the drawing [n, 2]; verticals stay vertical."""
    ahead = (TARGET - EYE) * (1, 1, 0)
    ahead /= np.hypot(*ahead[:2])
    right = np.array([-ahead[1], ahead[0], 0]) * -1
    away = np.array(points, float) - EYE
    depth = away @ ahead
    return np.column_stack(
        [MIDDLE + FOCUS * (away @ right) / depth, HORIZON - FOCUS * away[:, 2] / depth]
    )


def face(s: Sheet, *points: tuple[float, float, float], width: float = 3.2) -> None:
    """Draw a flat polygon in space; its edges cross a little at the corners."""
    corners = seen(*points)
    s.hide(corners)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        over = (b - a) / max(float(np.hypot(*(b - a))), 1.0) * s.rng.uniform(1, 4)
        s.line(np.array([a - over, b + over]), width)


def edge(
    s: Sheet, a: tuple[float, float, float], b: tuple[float, float, float], width: float
) -> None:
    """Draw a straight line in space."""
    s.line(seen(a, b), width)


def on_front(u: float, z: float, y: float = 0.0) -> tuple[float, float, float]:
    """Return a point of a wall that faces the street."""
    return u, y, z


def on_side(u: float, z: float, x: float = 12.0) -> tuple[float, float, float]:
    """Return a point of a wall that faces right."""
    return x, u, z


def window(
    s: Sheet, wall: int, u: float, z: float, wide: float, high: float, panes: int = 2
) -> None:
    """Draw a window with frame, sill and bars; wall 0 is the front, 1 the side."""
    at = (on_front, on_side)[wall]
    face(s, at(u, z), at(u + wide, z), at(u + wide, z + high), at(u, z + high), width=2.8)
    f = 0.1
    face(s, at(u + f, z + f), at(u + wide - f, z + f), at(u + wide - f, z + high - f),
         at(u + f, z + high - f), width=1.8)  # fmt: skip
    for k in range(1, panes):
        x = u + wide * k / panes
        edge(s, at(x, z + f), at(x, z + high - f), 2.2)
    edge(s, at(u + f, z + high * 0.62), at(u + wide - f, z + high * 0.62), 2.2)
    face(s, at(u - 0.15, z - 0.16), at(u + wide + 0.15, z - 0.16), at(u + wide + 0.15, z),
         at(u - 0.15, z), width=2.2)  # fmt: skip


def shutters(s: Sheet, u: float, z: float, wide: float, high: float) -> None:
    """Draw shutters at both sides of a front window."""
    for left in (u - 0.62, u + wide + 0.08):
        face(s, on_front(left, z), on_front(left + 0.54, z), on_front(left + 0.54, z + high),
             on_front(left, z + high), width=2.2)  # fmt: skip
        for k in range(1, 7):
            zk = z + high * k / 7
            edge(s, on_front(left + 0.1, zk), on_front(left + 0.44, zk), 1.5)


def roof(s: Sheet) -> None:
    """Draw chimney and gable roof."""
    top, eave = 9.0, 5.5
    face(s, (2.6, 3.2, 7.0), (3.6, 3.2, 7.0), (3.6, 3.2, 10.2), (2.6, 3.2, 10.2))
    face(s, (3.6, 3.2, 7.0), (3.6, 4.2, 7.0), (3.6, 4.2, 10.2), (3.6, 3.2, 10.2))
    face(s, (2.5, 3.1, 10.2), (3.7, 3.1, 10.2), (3.7, 3.1, 10.45), (2.5, 3.1, 10.45), width=2.4)
    face(s, (3.7, 3.1, 10.2), (3.7, 4.3, 10.2), (3.7, 4.3, 10.45), (3.7, 3.1, 10.45), width=2.4)
    face(s, (-0.5, -0.6, eave), (12.6, -0.6, eave), (12.6, 4, top), (-0.5, 4, top))
    for k in range(1, 9):
        z, y = eave + (top - eave) * k / 9, -0.6 + 4.6 * k / 9
        for start in np.arange(-0.3, 12.4, 4.2):  # rows of tiles, broken off here and there
            end = start + s.rng.uniform(3.0, 3.5)
            edge(s, (start, y, z), (min(end, 12.3), y, z), 1.2)
    # the board along the eave, and those of the gable
    face(
        s,
        (-0.5, -0.6, eave - 0.22),
        (12.6, -0.6, eave - 0.22),
        (12.6, -0.6, eave),
        (-0.5, -0.6, eave),
        width=2.4,
    )
    face(
        s,
        (12.6, -0.6, eave),
        (12.6, 4, top),
        (12.6, 4, top - 0.32),
        (12.6, -0.6, eave - 0.3),
        width=2.6,
    )
    face(
        s,
        (12.6, 8.6, eave),
        (12.6, 4, top),
        (12.6, 4, top - 0.32),
        (12.6, 8.6, eave - 0.3),
        width=2.6,
    )


def porch(s: Sheet) -> None:
    """Draw the door, steps and a small roof on posts."""
    face(s, on_front(4.9, 0.5), on_front(6.5, 0.5), on_front(6.5, 2.9), on_front(4.9, 2.9))
    face(
        s,
        on_front(5.05, 0.5),
        on_front(6.35, 0.5),
        on_front(6.35, 2.75),
        on_front(5.05, 2.75),
        width=2.4,
    )
    for z0, z1 in ((0.7, 1.4), (1.6, 2.55)):
        face(
            s,
            on_front(5.25, z0),
            on_front(6.15, z0),
            on_front(6.15, z1),
            on_front(5.25, z1),
            width=1.8,
        )
    knob = seen((6.22, 0, 1.5))[0]
    s.black(oval(float(knob[0]), float(knob[1]), 3))
    for k in range(3):
        z, y = 0.5 - k / 6, -1.8 - 0.45 * k
        face(s, (4.3, y, z - 1 / 6), (7.1, y, z - 1 / 6), (7.1, y, z), (4.3, y, z), width=2.2)
        face(s, (7.1, y, z - 1 / 6), (7.1, 0, z - 1 / 6), (7.1, 0, z), (7.1, y, z), width=2.2)
        face(s, (4.3, y, z), (7.1, y, z), (7.1, y + 0.45, z), (4.3, y + 0.45, z), width=1.8)
    for x in (4.4, 6.85):
        face(
            s, (x, -1.7, 0.5), (x + 0.2, -1.7, 0.5), (x + 0.2, -1.7, 3.2), (x, -1.7, 3.2), width=2.2
        )
        face(
            s,
            (x + 0.2, -1.7, 0.5),
            (x + 0.2, -1.5, 0.5),
            (x + 0.2, -1.5, 3.2),
            (x + 0.2, -1.7, 3.2),
            width=2,
        )
    face(s, (7.35, -2, 3.2), (7.35, 0, 3.2), (5.7, 0, 4.3), (5.7, -2, 4.3), width=2.8)
    for k in (1, 2, 3):
        edge(s, (7.35 - 0.41 * k, -2, 3.2 + 0.275 * k), (7.35 - 0.41 * k, 0, 3.2 + 0.275 * k), 1.2)
    face(s, (4.05, -2, 3.2), (7.35, -2, 3.2), (5.7, -2, 4.3), width=2.8)


def tree(s: Sheet, x: float, y: float, height: float) -> None:
    """Draw a leafy tree that stands at x, y of the drawing."""
    s.shape(trace("-9,0! -7,-40 -10,-90! 10,-90! 8,-40 11,0! z", (x, y), height / 200), 2.8)
    crown = oval(x, y - height * 0.66, height * 0.32, height * 0.34)
    s.shape(scallop(s.rng, crown, height * 0.17), 2.8)
    for k in range(10):  # leaves at the golden angle, evenly spread
        r, angle = np.sqrt((k + 0.5) / 10) * height * 0.26, 2.4 * k
        at = (x + r * np.cos(angle), y - height * 0.66 + r * np.sin(angle))
        s.line(trace("-9,0 -4,6 2,1 8,6 13,0", at, height / 260), 1.8)


def bush(s: Sheet, x: float, y: float, wide: float) -> None:
    """Draw a bush that stands at x, y of the drawing."""
    top = oval(x, y, wide / 2, wide * 0.42, start=175, end=365)
    s.shape(
        scallop(s.rng, np.vstack([top, [(x + wide / 2, y + 6), (x - wide / 2, y + 6)]]), wide / 5),
        2.6,
    )
    for k in (-0.2, 0.15):
        s.line(trace("-8,0 -3,6 3,1 9,6", (x + wide * k, y - wide * 0.2), wide / 90), 1.6)


def architecture() -> Image.Image:
    """Return the house with its garden."""
    s = Sheet(1024, 760, Pen(width=3, wobble=0.55, vary=0.1, ends=0.6, weight=0.15), seed=13)
    s.line(trace("0,546 300,540 700,540 1024,548"), 2.2)
    cloud(s, 190, 110, 200)
    cloud(s, 640, 66, 150)
    tree(s, 96, 570, 380)
    tree(s, 976, 566, 360)
    roof(s)
    front = [on_front(0, 0), on_front(12, 0), on_front(12, 5.3), on_front(0, 5.3)]
    face(s, *front)
    face(s, on_side(0, 0), on_side(8, 0), on_side(8, 5.4), on_side(4, 8.5), on_side(0, 5.4))
    face(s, (-0.5, -0.6, 5.28), (12.6, -0.6, 5.28), (12.6, -0.6, 5.5), (-0.5, -0.6, 5.5), width=2.4)
    face(s, (12, 4, 8.5), (12, 8, 5.4), (12.6, 8.6, 5.2), (12.6, 4, 8.7), width=1.8)
    for y in (-0.6, 8.6):
        face(s, (12.6, y, 5.5), (12.6, 4, 9.0), (12.6, 4, 8.66), (12.6, y, 5.2), width=2.6)
    edge(s, on_front(0, 0.45), on_front(12, 0.45), 2)
    edge(s, on_side(0, 0.45), on_side(8, 0.45), 2)
    for u in (1.4, 8.9):
        window(s, 0, u, 1.2, 1.7, 1.5, 3)
        shutters(s, u, 1.2, 1.7, 1.5)
    for u in (1.4, 4.85, 8.9):
        window(s, 0, u, 3.6, 1.7, 1.35, 3)
        shutters(s, u, 3.6, 1.7, 1.35)
    for u, z in ((1.2, 1.2), (5.0, 1.2), (1.2, 3.5), (5.0, 3.5)):
        window(s, 1, u, z, 1.8, 1.45, 2)
    window(s, 1, 3.4, 6.0, 1.2, 1.1, 2)
    porch(s)
    path = through(seen((4.6, -2.7, 0), (4.9, -6, 0), (7.6, -10, 0), (12.6, -13.8, 0)), [False] * 4)
    back = through(seen((17, -13.8, 0), (10.5, -9, 0), (7.4, -6, 0), (6.8, -2.7, 0)), [False] * 4)
    s.line(path, 2.6)
    s.line(back, 2.6)
    for at, wide in (
        ((2.2, -0.8), 84),
        ((8.6, -0.8), 84),
        ((10.8, -0.9), 90),
        ((12.8, 2.2), 84),
        ((12.8, 5.2), 70),
    ):
        x, y = seen((*at, 0))[0]
        bush(s, float(x), float(y) + 4, wide)
    tree(s, 66, 676, 250)
    for x, y in ((250, 660), (90, 720), (760, 680), (860, 650), (900, 700), (330, 720)):
        for k in (-7, 0, 8):
            s.line(trace(f"{k},0 {k * 1.5},-14", (x, y)), 2)
    return s.image()
