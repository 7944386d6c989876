"""A page of a coloring book: a butterfly over flowers, with many closed regions."""

from itertools import pairwise

import numpy as np
from PIL import Image

from drawings.pen import Array, Pen, Sheet, even, oval, trace

UPPER = "14,-34! 60,-150 150,-248 264,-286 352,-250 352,-150 300,-50 210,14 110,34 14,6! z"
LOWER = "14,10! 110,40 204,56 264,130 254,224 176,290 112,272 70,190 14,70! z"


def wing(s: Sheet, text: str, flip: bool, at: tuple[float, float]) -> None:
    """Draw a wing: a border of cells with dots, veins and drops inside."""
    outer = even(trace(text, at, flip=flip), 1.0)
    root = outer[0]
    s.shape(outer)
    count = len(outer)
    inner = root + (outer - root) * 0.8
    core = root + (outer - root) * 0.36
    first, last = int(count * 0.2), int(count * 0.8)
    s.line(inner[first : last + 1])
    s.line(core[int(count * 0.1) : int(count * 0.9)])
    spots = np.linspace(first, last, 10).astype(int)
    for k in spots:
        s.line(np.array([inner[k], outer[k]]), 3)
    for a, b in pairwise(spots):
        middle = (a + b) // 2
        x, y = (inner[middle] + outer[middle]) / 2
        room = np.hypot(*(outer - (x, y)).T).min()
        if room > 13:
            s.shape(oval(x, y, min(room / 2, 9)), 2.6)
    veins = spots[::2]
    for k in veins[:-1]:
        s.line(np.array([core[k], inner[k]]), 3)
    for a, b in pairwise(veins):
        middle = (a + b) // 2
        if np.hypot(*(inner - core[middle] * 0.5 - inner[middle] * 0.5).T).min() < 34:
            continue
        drop(
            s, core[middle] * 0.72 + inner[middle] * 0.28, core[middle] * 0.2 + inner[middle] * 0.8
        )


def drop(s: Sheet, start: Array, end: Array) -> None:
    """Draw a drop from its tip to its round end, and one inside."""
    way = end - start
    length, turn = float(np.hypot(*way)), float(np.degrees(np.arctan2(way[0], -way[1])))
    shape = "0,0! -22,-50 -24,-84 0,-100 24,-84 22,-50 z"
    s.shape(trace(shape, (float(start[0]), float(start[1])), length / 100, turn), 3)
    inside = start + way * 0.34
    s.shape(trace(shape, (float(inside[0]), float(inside[1])), length / 190, turn), 2.4)


def butterfly(s: Sheet, x: float, y: float) -> None:
    """Draw the butterfly."""
    for flip in (False, True):
        wing(s, LOWER, flip, (x, y))
        wing(s, UPPER, flip, (x, y))
    for flip in (False, True):
        s.line(trace("5,-92! 12,-170 40,-222 70,-222 72,-196 54,-196", (x, y), flip=flip), 3.4)
    s.shape(trace("0,-40! -18,0 -17,70 -9,140 0,176! 9,140 17,70 18,0 z", (x, y)))
    for k in (24, 54, 84, 114):
        half = 17 - k * 0.05
        s.line(trace(f"{-half},{k} 0,{k + 6} {half},{k}", (x, y)), 2.8)
    s.shape(oval(x, y - 32, 21, 30))
    s.line(trace("-20,-34 0,-26 20,-34", (x, y)), 2.8)
    s.shape(oval(x, y - 76, 22, 20))
    for k in (-9, 9):
        s.black(oval(x + k, y - 78, 4, 5))
    s.line(trace("-8,-66 0,-62 8,-66", (x, y)), 2.2)


def ring(s: Sheet, x: float, y: float, reach: float, petals: int, wide: float, turn: float) -> None:
    """Draw a ring of petals, each with a smaller one inside."""
    shape = f"0,0! {-wide},-46 {-wide},-80 0,-100! {wide},-80 {wide},-46 z"
    for k in range(petals):
        angle = turn + 360 / petals * k
        s.shape(trace(shape, (x, y), reach / 100, angle), 3.2)
        way = np.radians(angle)
        inside = (x + np.sin(way) * reach * 0.46, y - np.cos(way) * reach * 0.46)
        s.shape(trace(shape, inside, reach / 100 * 0.44, angle), 2.4)


def flower(s: Sheet, x: float, y: float, reach: float, turn: float) -> None:
    """Draw a flower of two rings with seeds in its middle."""
    ring(s, x, y, reach, 9, 26, turn)
    ring(s, x, y, reach * 0.6, 9, 28, turn + 20)
    middle = reach * 0.26
    s.shape(oval(x, y, middle), 3)
    s.line(oval(x, y, middle * 0.62), 2.4)
    for k in range(8):
        way = np.radians(45 * k + 10)
        edge = np.array([np.sin(way), -np.cos(way)])
        s.line(np.array([edge * middle * 0.62, edge * middle]) + np.array([x, y]), 2.2)


def leaf(s: Sheet, x: float, y: float, size: float, turn: float) -> None:
    """Draw a leaf divided by its veins."""
    s.shape(
        trace(
            "0,0! -40,-50 -46,-110 -22,-168 0,-200! 22,-168 46,-110 40,-50 z", (x, y), size, turn
        ),
        3.4,
    )
    s.line(trace("0,0 3,-100 0,-200", (x, y), size, turn), 2.8)
    for k, side in ((-40, 30), (-80, 42), (-120, 41), (-154, 28)):
        s.line(trace(f"1,{k} {side * 0.6},{k - 14} {side},{k - 24}", (x, y), size, turn), 2.4)
        s.line(trace(f"1,{k} {-side * 0.6},{k - 14} {-side},{k - 24}", (x, y), size, turn), 2.4)


def ladybug(s: Sheet, x: float, y: float, turn: float) -> None:
    """Draw a ladybug."""
    s.shape(trace("-13,-24 -14,-38 0,-46 14,-38 13,-24 z", (x, y), 1, turn), 2.8)
    s.shape(trace("0,-32 -26,-22 -32,4 -20,28 0,36 20,28 32,4 26,-22 z", (x, y), 1, turn), 3)
    s.line(trace("0,-32 0,36", (x, y), 1, turn), 2.6)
    for u, v in ((-15, -8), (15, -8), (-15, 13), (15, 13)):
        at = trace(f"{u},{v} {u + 1},{v}", (x, y), 1, turn)[0]
        s.shape(oval(float(at[0]), float(at[1]), 6.5), 2.4)


def coloring_page() -> Image.Image:
    """Return the page."""
    s = Sheet(820, 1024, Pen(width=4.2, wobble=0.5, vary=0.08, ends=0.8, weight=0.15), seed=19)
    for path in (
        "190,1020 200,900 176,820",
        "420,1020 414,900 420,800",
        "640,1020 630,920 648,830",
    ):
        for k in (-6, 6):
            s.line(trace(path) + np.array([k, 0]), 3)
    leaves = (
        (70, 1010, 0.9, -16),
        (300, 1010, 0.86, -30),
        (316, 1010, 0.8, 22),
        (520, 1010, 0.84, -24),
        (540, 1010, 0.84, 28),
        (760, 1010, 0.94, 14),
        (130, 1014, 0.6, 40),
        (700, 1014, 0.6, -36),
    )
    for x, y, size, turn in leaves:
        leaf(s, x, y, size, turn)
    flower(s, 172, 800, 124, 6)
    flower(s, 652, 806, 128, 16)
    flower(s, 414, 772, 136, 0)
    butterfly(s, 410, 360)
    for x, y, size in (
        (44, 46, 0.9),
        (776, 46, 0.9),
        (250, 70, 0.7),
        (570, 66, 0.7),
        (56, 560, 0.9),
        (764, 566, 0.9),
        (410, 594, 0.8),
    ):
        for k in range(5):
            s.shape(trace("0,-5! -13,-14 -11,-28 0,-34 11,-28 13,-14 z", (x, y), size, 72 * k), 2.8)
        s.shape(oval(x, y, 10 * size), 2.6)
    for x, y, r in (
        (410, 70, 15),
        (330, 110, 9),
        (490, 110, 9),
        (34, 296, 11),
        (786, 296, 11),
        (60, 430, 9),
        (762, 436, 9),
        (110, 640, 10),
        (716, 648, 10),
        (36, 680, 12),
        (786, 690, 12),
    ):
        s.shape(oval(x, y, r), 2.8)
        if r > 10:
            s.line(oval(x, y, r * 0.5), 2.2)
    ladybug(s, 90, 930, 40)
    ladybug(s, 742, 920, -30)
    return s.image()
