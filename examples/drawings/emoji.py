"""A smiling face in a party hat, in even lines."""

import numpy as np
from PIL import Image

from drawings.pen import Pen, Sheet, oval, trace


def ribbon(s: Sheet, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a wavy paper streamer."""
    t = np.linspace(0, 1, 200)[:, None]
    way = np.subtract(end, start)
    side = np.array([-way[1], way[0]]) / np.hypot(*way)
    middle = start + way * t + side * 24 * np.sin(3.2 * np.pi * t)
    slope = np.gradient(middle, axis=0)
    band = np.column_stack([-slope[:, 1], slope[:, 0]]) * 11 / np.hypot(*slope.T)[:, None]
    s.shape(np.vstack([middle + band, (middle - band)[::-1]]), 6)


def emoji() -> Image.Image:
    """Return the face, a party hat, streamers and confetti."""
    s = Sheet(820, 900, Pen(width=7.5, wobble=0.5, vary=0.05, ends=0.9, weight=0.12), seed=2)
    face = (400, 540)
    s.shape(oval(*face, 300))
    for x, turn in ((-178, -8), (178, 8)):  # cheeks
        s.line(oval(face[0] + x, face[1] + 62, 52, 36, turn), 5.5)
    s.shape(oval(290, 506, 38, 56))
    s.black(oval(295, 512, 25, 40))
    s.hide(oval(287, 496, 10, 13))
    s.line(trace("456,526 480,496 516,486 552,498 572,530"), 11)
    s.line(trace("244,438 272,418 312,424"), 9)
    s.line(trace("478,440 520,424 560,444"), 9)
    mouth = "244,610! 400,630 556,610! 560,700 490,770 400,778 310,770 240,700 z"
    s.shape(trace(mouth))
    s.line(trace("254,616! 262,656! 400,674 538,656! 546,616"))
    s.line(trace("296,756! 330,720 400,708 470,720 504,756"))
    s.line(trace("400,712 400,740"), 5)
    hat = trace("236,340! 330,170 440,40! 520,170 588,310! 520,364 400,386 300,376 z")
    s.shape(hat)
    s.line(trace("296,226 380,250 470,236 534,196"))
    s.line(trace("352,146 410,160 460,142 490,116"))
    for x, y in ((300, 292), (392, 306), (486, 290), (536, 264), (380, 204), (466, 194)):
        s.line(oval(x, y, 17), 5.5)
    tuft = [
        (np.sin(a) * r, -np.cos(a) * r)
        for k, a in enumerate(np.arange(0, 6.28, 0.3925))
        for r in (62 if k % 2 == 0 else 34,)
    ]
    s.shape(np.array([*tuft, tuft[0]]) + np.array([440, 74]))
    s.shape(
        trace(
            "214,322! 300,362 400,374 520,352 604,296! 616,320! 530,384 400,402 296,392 206,350! z"
        )
    )
    ribbon(s, (36, 250), (140, 96))
    ribbon(s, (784, 280), (668, 110))
    for x, y, turn in (
        (150, 290, 20),
        (230, 110, 50),
        (604, 60, -20),
        (700, 320, 30),
        (56, 420, 60),
        (770, 470, -40),
    ):
        s.shape(trace("-17,-11! 17,-11! 17,11! -17,11! z", (x, y), 1, turn), 6)
    for x, y in ((206, 200), (636, 190), (80, 336), (752, 380), (300, 50), (736, 60)):
        s.shape(oval(x, y, 13), 6)
    return s.image()
