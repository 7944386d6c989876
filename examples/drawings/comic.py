"""A comic page: a girl, her dog and a kite in a strong wind, in four panels."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from drawings.letters import write
from drawings.pen import SCALE, Array, Pen, Sheet, oval, scallop, trace

PEN = Pen(width=3.4, wobble=0.7, ends=0.6, weight=0.35)
Placed = Callable[[str], Array]


def placed(x: float, y: float, size: float, flip: bool = False, turn: float = 0.0) -> Placed:
    """Return a function that traces a figure's paths where it stands."""
    return lambda text: trace(text, (x, y), size, turn, flip)


def dot(s: Sheet, spot: Array, rx: float, ry: float) -> None:
    """Press a black dot on the first point of a path."""
    s.black(oval(float(spot[0, 0]), float(spot[0, 1]), rx, ry))


def head(s: Sheet, p: Placed, size: float, shouts: bool = False) -> None:
    """Draw the girl's head; 0,0 is its middle, 42 its radius."""
    s.shape(p("34,-14! 56,-8 66,16 56,40! 48,28 40,34! 36,20 34,8! z"))
    s.shape(p("-36,-12! -58,-34 -92,-40 -112,-20! -96,-14 -104,6! -80,2 -56,8 -38,8! z"))
    s.shape(p("0,-42 -30,-32 -42,0 -34,28 0,43 34,30 43,2 30,-32 z"))
    for x in (-13, 18):
        dot(s, p(f"{x},6 {x + 1},6"), 4.2 * size, 6.4 * size)
        if size > 1.2:
            light = p(f"{x - 1.5},3 {x},3")[0]
            s.hide(oval(float(light[0]), float(light[1]), 1.5 * size, 2.2 * size))
            s.line(p(f"{x - 7},0 {x},-4 {x + 7},0"), 3.4)
    s.line(p("5,11 9,15 4,17"), 2.4)
    if shouts:
        s.shape(p("-9,22! 4,25 17,21! 14,34 4,39 -5,34 z"), 2.6)
        s.line(p("-4,34 4,30 12,34"), 2)
    else:
        s.line(p("-8,24 4,30 15,23"), 2.8)
    for x in (-26, 26):
        s.line(p(f"{x},17 {x - 4},22"), 1.8)
        s.line(p(f"{x + 6},18 {x + 2},23"), 1.8)
    cap = "-44,8! -52,-30 -26,-58 4,-59 34,-54 52,-26 45,6! 40,-6 32,-24! 22,-15 6,-14! "
    s.shape(p(cap + "9,-20 10,-29! -4,-14 -22,-11! -20,-18 -19,-26! -32,-12 -37,4! z"))
    for x in (-40, 40):
        s.shape(p(f"{x - 7},-8 {x},-16 {x + 7},-8 {x},2 z"), 2.6)
    if size > 1.2:
        for path in ("4,-57 -10,-46 -16,-32", "8,-57 14,-46 12,-34", "20,-55 34,-42 36,-26"):
            s.line(p(path), 2.2)


def girl(s: Sheet, x: float, y: float, size: float, flying: bool = False, turn: float = 0) -> None:
    """Draw the girl with one arm up; x, y is between her feet."""
    p = placed(x, y, size, turn=turn)
    legs = ("-18,-64! -34,-44 -58,-34! -54,-20! -26,-26 -4,-60! z",
            "2,-60! 10,-38 4,-14! 18,-12! 26,-40 20,-64! z")  # fmt: skip
    shoes = ("-54,-38! -72,-34 -76,-14 -66,-8! -54,-16 -50,-24! z",
             "2,-16! 4,-2 30,0 38,-6 30,-14 18,-16! z")  # fmt: skip
    for leg in (*legs, *shoes):
        s.shape(p(leg))
    s.shape(p("-14,-118! -44,-104 -64,-82! -56,-72! -34,-86 -12,-96! z"))
    s.shape(p("-62,-86 -74,-82 -74,-70 -60,-68 z"))
    s.shape(p("-18,-122! 18,-122! 26,-90 44,-58! 14,-48 -18,-50 -46,-58! -28,-88 z"))
    s.line(p("-38,-70 -14,-62 14,-60 38,-70"), 2.6)
    for k in (-26, -4, 18):
        s.shape(p(f"{k},-76 {k + 6},-82 {k + 12},-76 {k + 6},-70 z"), 2)
    s.shape(p("12,-120! 44,-140 70,-172! 84,-164! 66,-128 20,-98! z"))
    s.shape(p("68,-172 72,-190 86,-192 93,-178 85,-164 z"))
    at = p("2,-158 3,-158")[0]
    head(s, placed(float(at[0]), float(at[1]), size, turn=turn), size, flying)


def dog(s: Sheet, p: Placed, size: float, barks: bool = False) -> None:
    """Draw the dog looking right; 0,0 is on the ground below its middle."""
    s.shape(p("-54,-54! -74,-66 -84,-92! -70,-96 -60,-78 -44,-64! z"))
    for x in (-34, 24):
        s.shape(p(f"{x - 9},-34! {x - 10},-4 {x + 14},-1 {x + 12},-9 {x + 9},-34! z"), 3)
    s.shape(p("-58,-48 -46,-66 -10,-68 30,-70 44,-50 38,-26 10,-20 -40,-22 -58,-32 z"))
    s.line(p("-40,-66 -22,-50 -2,-54 6,-68"), 2.8)
    for x in (-46, 12):
        s.shape(p(f"{x - 10},-36! {x - 10},-4 {x + 16},0 {x + 14},-10 {x + 10},-30! z"), 3)
    if barks:
        s.shape(p("46,-68! 56,-50 76,-44 92,-50! 90,-60 86,-70! z"), 3)
        s.line(p("64,-56 76,-60 86,-54"), 2.2)
    s.shape(p("16,-78 14,-108 44,-126 70,-110! 88,-104 108,-98 110,-82 92,-70 60,-64 34,-60 z"))
    s.shape(p("28,-120! 4,-116 -8,-86 2,-64 20,-72 34,-96! z"))
    s.shape(p("26,-66! 44,-58 56,-62! 56,-52 40,-46 22,-54! z"), 3)
    dot(s, p("106,-94 107,-94"), 8 * size, 6.5 * size)
    dot(s, p("64,-96 65,-96"), 4 * size, 5.5 * size)
    s.line(p("56,-110 64,-114 72,-110"), 2.4)
    if not barks:
        s.line(p("98,-76 86,-74 74,-80"), 2.6)


def kite(s: Sheet, x: float, y: float, size: float, turn: float) -> None:
    """Draw a kite with a tail of bows."""
    p = placed(x, y, size, turn=turn)
    s.line(p("0,90 -20,120 6,150 -14,180 10,210"), 2.8)
    for spot in ((-14, 118), (2, 152), (-8, 186)):
        u, v = spot
        s.shape(p(f"{u},{v}! {u - 18},{v - 12}! {u - 18},{v + 10}! z"), 2.6)
        s.shape(p(f"{u},{v}! {u + 18},{v - 10}! {u + 18},{v + 12}! z"), 2.6)
    s.shape(p("0,-90! 56,-10! 0,90! -56,-10! z"))
    s.line(p("0,-90! 0,90!"), 2.6)
    s.line(p("-56,-10! 56,-10!"), 2.6)


def bubble(s: Sheet, outline: Array, tail: str, lines: list[str], height: float) -> None:
    """Draw a text bubble with its tail and lettering."""
    s.shape(outline, 3)
    s.hide(trace(tail + " z"))
    s.line(trace(tail), 3)
    x, y = outline.min(0) / 2 + outline.max(0) / 2
    for k, text in enumerate(lines):
        write(s, text, x, y + (k - (len(lines) - 1) / 2) * height * 1.5, height, 2.8)


def tree(s: Sheet, x: float, y: float, size: float) -> None:
    """Draw a round tree that stands at x, y."""
    s.shape(trace("-12,4! -8,-40 -12,-80! 12,-80! 8,-40 14,4! z", (x, y), size), 3)
    s.shape(scallop(s.rng, oval(x, y - 120 * size, 62 * size, 58 * size), 36 * size), 3)
    s.line(trace("-24,-120 -16,-112 -6,-116", (x, y), size), 2)
    s.line(trace("10,-140 18,-132 28,-136", (x, y), size), 2)


def house(s: Sheet, x: float, y: float, size: float) -> None:
    """Draw a small house that stands at x, y."""
    p = placed(x, y, size)
    s.shape(p("20,-100! 20,-128! 36,-128! 36,-90! z"), 2.8)
    s.shape(p("-44,0! -44,-64! 44,-64! 44,0! z"), 2.8)
    s.shape(p("-54,-62! -26,-112! 30,-112! 54,-62! z"), 2.8)
    s.shape(p("-8,0! -8,-36! 12,-36! 12,0! z"), 2.4)
    for k in (-34, 20):
        s.shape(p(f"{k},-26! {k},-48! {k + 16},-48! {k + 16},-26! z"), 2.2)


def cloud(s: Sheet, x: float, y: float, size: float) -> None:
    """Draw a cloud."""
    puffs = "-70,0! -88,-8 -80,-28 -60,-28! -52,-52 -16,-54 -8,-36! 8,-60 48,-50 46,-26! 72,-30 "
    s.shape(trace(puffs + "84,-6 66,0! 20,3 -30,3 z", (x, y), size), 2.8)


def hill_panel(s: Sheet) -> None:
    """Draw the girl and the dog on a hill."""
    cloud(s, 120, 120, 0.9)
    cloud(s, 470, 70, 0.6)
    s.shape(trace("-20,250! 120,216 260,240 420,214 560,236 740,200! 740,400! -20,400! z"), 2.8)
    house(s, 560, 252, 0.62)
    tree(s, 640, 250, 0.56)
    tree(s, 690, 250, 0.4)
    s.shape(trace("-20,330! 120,296 260,276 420,290 560,320 740,336! 740,400! -20,400! z"))
    tree(s, 70, 322, 1.0)
    s.line(trace("440,124 520,122 630,98"), 1.8)
    kite(s, 640, 96, 0.72, 70)
    dog(s, placed(196, 318, 0.72), 0.72)
    girl(s, 360, 306, 0.98)
    for x, y in ((140, 340), (280, 330), (470, 340), (560, 350), (660, 360)):
        for k in (-6, 0, 7):
            s.line(trace(f"{k},0 {k * 1.4},-12", (x, y)), 2.2)
    wide = oval(190, 56, 134, 40)
    bubble(s, wide, "246,84! 270,110 306,124! 284,98 276,78!", ["WHAT A WIND!"], 22)


def face_panel(s: Sheet) -> None:
    """Draw the girl from near."""
    for y in (30, 66, 110, 160, 226):
        s.line(trace(f"-6,{y} 30,{y - 5} 70,{y + 3} 110,{y - 4} 150,{y}"), 1.8)
        s.line(trace(f"290,{y + 50} 320,{y + 46} 360,{y + 52}"), 1.8)
    s.shape(trace("70,310! 84,270 130,254 190,250 246,256 286,272 298,310! z"))
    s.line(trace("140,256 186,276 236,256"), 2.8)
    head(s, placed(186, 180, 1.75), 1.75, shouts=True)
    lines = ["HOLD TIGHT,", "PIP!"]
    bubble(s, oval(244, 44, 104, 39), "256,78! 250,104 226,130! 222,106 226,78!", lines, 17)


def dog_panel(s: Sheet) -> None:
    """Draw the dog from near."""
    s.shape(trace("-20,236! 100,222 240,228 380,218! 380,320! -20,320! z"), 3)
    tree(s, 46, 226, 0.6)
    dog(s, placed(140, 276, 1.4), 1.4, barks=True)
    angles = np.radians(np.arange(0, 360, 15))
    reach = np.where(np.arange(24) % 2, 0.8, 1.08)
    burst = np.column_stack([np.cos(angles) * 92 * reach, np.sin(angles) * 46 * reach])
    s.shape(burst + np.array([240, 58]), 3)
    write(s, "WOOF!", 240, 58, 25, 4)
    for x, y in ((300, 150), (314, 176), (312, 204)):
        s.line(trace(f"{x},{y} {x + 26},{y + (y - 176) * 0.5}"), 2.6)


def sky_panel(s: Sheet) -> None:
    """Draw the girl flying away over the village."""
    cloud(s, 96, 150, 0.9)
    cloud(s, 640, 150, 0.7)
    s.shape(trace("-20,262! 160,240 340,256 520,240 740,252! 740,320! -20,320! z"), 3)
    for x, y, size in ((60, 284, 0.6), (450, 280, 0.54)):
        house(s, x, y, size)
    for x, y, size in ((130, 284, 0.42), (380, 280, 0.4), (520, 282, 0.36)):
        tree(s, x, y, size)
    s.line(trace("437,66 500,66 600,58"), 1.8)
    dog(s, placed(240, 240, 0.5, turn=-35), 0.5)
    girl(s, 330, 206, 0.86, flying=True, turn=14)
    kite(s, 620, 58, 0.62, 70)
    bubble(s, oval(150, 52, 104, 36), "228,66! 262,82 290,88! 262,92 216,80!", ["WHEEEEE!"], 22)
    s.shape(trace("556,214! 556,262! 706,262! 706,214! z"), 2.6)
    write(s, "SEE YOU", 631, 228, 12, 2)
    write(s, "AT SUPPER...", 631, 248, 12, 2)


def comic() -> Image.Image:
    """Return the page."""
    page = Sheet(760, 1024, PEN, seed=4)
    panels = (
        (hill_panel, 20, 20, 740, 390),
        (face_panel, 20, 404, 372, 704),
        (dog_panel, 386, 404, 740, 704),
        (sky_panel, 20, 718, 740, 1004),
    )
    for k, (draw, left, top, right, bottom) in enumerate(panels):
        s = Sheet(right - left, bottom - top, PEN, seed=k)
        draw(s)
        page.paper.paste(s.paper, (left * SCALE, top * SCALE))
        frame = f"{left},{top}! {right},{top}! {right},{bottom}! {left},{bottom}! z"
        page.line(trace(frame), 4.6)
    return page.image()
