"""A girl with a flower wreath, a cape and a basket."""

import numpy as np
from PIL import Image

from drawings.pen import Array, Pen, Sheet, mirrored, oval, trace

X = 360.0  # her middle


def at(text: str, flip: bool = False) -> Array:
    """Trace a path about her middle."""
    return trace(text, (X, 0), flip=flip)


def flower(s: Sheet, x: float, y: float, size: float, petals: int = 5, turn: float = 0) -> None:
    """Draw a small flower."""
    petal = "0,-4! -11,-12 -11,-26 0,-31 11,-26 11,-12 z"
    for k in range(petals):
        s.shape(trace(petal, (x, y), size, turn + 360 / petals * k), 2.6)
    s.shape(oval(x, y, 8 * size), 2.4)


def behind(s: Sheet) -> None:
    """Draw what is behind her: cape and hair."""
    s.shape(
        mirrored(
            "0,310 60,312 96,340 134,470 168,640 196,800! 150,824 110,806! 60,830 0,812", (X, 0)
        )
    )
    for path in (
        "-120,470 -140,640 -150,806",
        "122,480 146,640 152,800",
        "-96,600 -104,720 -106,800",
        "98,600 108,720 108,800",
    ):
        s.line(at(path), 2.6)
    s.shape(
        mirrored(
            "0,84 70,96 100,150 104,230 124,300 116,380 126,430! 96,424 84,440! 60,400 0,380",
            (X, 0),
        )
    )


def legs(s: Sheet) -> None:
    """Draw legs and boots."""
    for flip in (False, True):
        s.shape(at("12,660! 16,760 18,830! 52,830! 58,760 62,660! z", flip))
        s.line(at("16,740 38,748 58,740", flip), 2.6)
        s.shape(at("12,800! 16,880 10,930! 12,948! 84,950! 92,934 80,916 60,900 58,800! z", flip))
        s.line(at("11,934 40,938 90,936", flip), 2.8)
        s.shape(at("8,790! 36,798 64,788! 66,816! 38,826 8,818! z", flip))
        for y in (848, 872, 896):
            s.line(at(f"24,{y} 46,{y + 6}", flip), 2.4)
            s.line(at(f"24,{y + 8} 46,{y - 2}", flip), 2.4)


def dress(s: Sheet) -> None:
    """Draw skirt, apron, bodice and belt."""
    s.shape(
        mirrored(
            "0,448 46,450! 84,540 122,640 146,712! 110,724 88,716! 60,734 30,722! 0,736", (X, 0)
        )
    )
    s.line(at("-138,684 -100,698 -60,704 0,710 60,704 100,698 138,684"), 3)
    for path in ("-70,500 -90,580 -104,690", "72,500 92,580 104,690"):
        s.line(at(path), 2.6)
    s.shape(mirrored("0,456 40,460! 62,540 72,640! 52,656 36,648! 20,662 0,652", (X, 0)))
    s.shape(at("18,540! 20,584 48,590 54,536! z"), 2.8)
    s.shape(at("-54,536! -48,590 -20,584 -18,540! z"), 2.8)
    s.shape(mirrored("0,322 40,314 74,322! 66,370 54,410 46,454! 0,460", (X, 0)))
    s.line(at("-22,330 -20,400 -16,450"), 2.8)
    s.line(at("22,330 20,400 16,450"), 2.8)
    for y in (356, 384, 412):
        s.line(at(f"-19,{y} 17,{y + 20}"), 2.4)
        s.line(at(f"19,{y} -17,{y + 20}"), 2.4)
    s.shape(mirrored("0,446 50,440! 56,470! 0,478", (X, 0)))
    s.shape(at("-16,446! 16,446! 16,476! -16,476! z"), 3)
    s.shape(at("-8,453! 8,453! 8,469! -8,469! z"), 2.4)


def arms(s: Sheet) -> None:
    """Draw one arm with a basket, and one with a bird on the hand."""
    s.line(oval(X - 132, 600, 66, 74, start=180, end=360), 4)
    s.line(oval(X - 132, 602, 54, 60, start=180, end=360), 4)
    for x, y, size, turn in ((-176, 604, 0.74, 0), (-90, 604, 0.74, 20), (-132, 594, 0.95, 40)):
        flower(s, X + x, y, size, 6, turn)
    s.shape(at("-204,612! -132,624 -60,612! -72,690 -82,702! -132,710 -182,702! -192,690 z"))
    for y in (638, 664, 686):
        k = (y - 612) * 0.16
        s.line(at(f"{-200 + k},{y} -132,{y + 12} {-64 - k},{y}"), 2.4)
    for x in (-176, -154, -132, -110, -88):
        s.line(at(f"{x},620 {x + (-132 - x) * -0.02},704"), 2.2)
    s.shape(at("-96,440! -118,500 -130,530! -106,542! -90,510 -72,452! z"))
    s.shape(at("-130,526 -140,542 -136,560 -118,566 -104,556 -104,538 z"))
    s.line(at("-132,552 -124,546"), 2.2)
    s.line(at("-122,560 -116,550"), 2.2)
    s.shape(at("-70,322! -104,336 -122,380 -124,430! -104,452 -68,456! -62,420 -56,392! z"))
    s.line(at("-122,420 -96,440 -66,440"), 2.8)
    s.shape(at("128,412! 148,440 168,436! 190,380 196,342! 174,334! 164,372 z"))
    s.shape(at("174,340 168,322 178,304 196,302 212,312 206,330 196,346 z"))
    s.line(at("186,306 184,318"), 2.2)
    s.line(at("198,308 194,320"), 2.2)
    s.shape(at("70,322! 106,336 150,380 172,408! 164,444 140,462! 96,432 56,392! z"))
    s.line(at("158,402 146,424 130,446"), 2.8)
    bird = "164,262! 170,244 190,238 206,252 236,268 262,272! 244,288 214,302 188,298 174,280 z"
    s.shape(at(bird), 3.2)
    s.shape(at("196,262! 220,262 240,276! 220,288 198,282 z"), 2.6)
    s.shape(at("166,252! 150,260! 166,268! z"), 2.6)
    s.black(oval(X + 181, 255, 3.4))


def face(s: Sheet) -> None:
    """Draw neck, collar and face."""
    s.shape(at("-22,260! -22,306! 0,318 22,306! 22,260! z"))
    for flip in (False, True):
        s.shape(at("0,318! 40,306 84,314 100,346! 60,352 26,340 z", flip))
    for flip in (False, True):
        s.shape(at("4,330! 30,308 52,312 54,340 44,356 24,346 z", flip))
        s.line(at("10,332 28,328 40,332", flip), 2.4)
        s.shape(at("2,336! 20,360 30,392! 14,390 6,398! 0,366 z", flip))
    s.shape(oval(X, 333, 12, 13))
    s.shape(mirrored("0,96 56,108 78,160 76,214 54,256 20,282 0,286", (X, 0)))
    for flip in (False, True):
        x = X + (-34 if flip else 34)
        s.shape(oval(x, 213, 15, 21), 2.6)
        s.black(oval(x, 215, 11, 16))
        s.hide(oval(x - 4, 206, 5, 6))
        s.hide(oval(x + 4, 223, 3))
        s.line(at("13,204 20,192 34,188 50,193 58,206", flip), 5)
        s.line(at("56,200 62,196", flip), 2.6)
        for k in (44, 51, 58):
            s.line(at(f"{k},240 {k - 5},248", flip), 1.8)
    s.line(at("-2,234 2,239 -3,241"), 2.4)
    s.line(at("-16,257 0,265 16,256"), 3.2)


def hair(s: Sheet) -> None:
    """Draw the hair before the face, and a wreath of flowers."""
    bangs = "0,78 54,84 94,126 98,196! 84,190 70,150! 58,168 44,174! 40,160 38,146! 20,166 -2,172! "
    bangs += "0,160 2,146! -16,168 -40,176! -40,164 -38,150! -54,174 -74,180! -82,190 -98,200! "
    s.shape(at(bangs + "-96,130 -54,84 z"))
    for flip in (False, True):
        s.shape(at("82,164! 102,220 96,280 112,340 104,392! 84,360 72,300 78,240 72,180! z", flip))
        s.line(at("90,220 86,280 96,340", flip), 2.4)
    for path in ("-20,92 -40,110 -50,136", "24,92 44,112 54,134", "0,92 4,108 2,126"):
        s.line(at(path), 2.4)
    for angle in (-66, 66, -40, 40, -13, 13):
        way = np.radians(angle)
        spot = (X + 96 * np.sin(way), 178 - 84 * np.cos(way))
        leaf = "0,-6! -9,-20 0,-34! 9,-20 z"
        s.shape(trace(leaf, spot, 1, angle + 40), 2.4)
        s.shape(trace(leaf, spot, 1, angle - 40), 2.4)
        flower(s, *spot, 0.66, 5, angle)


def character() -> Image.Image:
    """Return the girl."""
    s = Sheet(720, 1024, Pen(width=3.6, wobble=0.7, ends=0.5, weight=0.45), seed=21)
    for path in ("60,950 140,946 200,950", "520,952 600,948 670,952"):
        s.line(trace(path), 2.8)
    behind(s)
    legs(s)
    dress(s)
    arms(s)
    face(s)
    hair(s)
    for x, y in ((120, 946), (610, 948), (560, 950)):
        for dx, lean in ((-8, -8), (0, 0), (8, 9)):
            s.line(trace(f"{dx},0 {dx + lean * 0.4},-14 {dx + lean},-24", (x, y)), 2.6)
    return s.image()
