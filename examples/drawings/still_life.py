"""Still lifes: tea in pencil, fruit with hatching in ink."""

from dataclasses import replace

import numpy as np
from PIL import Image

from drawings.pen import Array, Pen, Sheet, oval, trace


def tulip(s: Sheet, x: float, y: float, turn: float) -> None:
    """Draw a tulip's blossom whose stalk ends at x, y."""
    s.shape(trace("0,0! -40,-14 -46,-60 -40,-104! -18,-84 0,-60 z", (x, y), 1, turn))
    s.shape(trace("0,0! 40,-14 46,-60 40,-104! 18,-84 0,-60 z", (x, y), 1, turn))
    s.shape(trace("0,0! -24,-24 -28,-66 0,-112! 28,-66 24,-24 z", (x, y), 1, turn))
    s.line(trace("0,-20 -3,-50 0,-80", (x, y), 1, turn), 2)


def teapot(s: Sheet) -> None:
    """Draw a teapot with a painted flower."""
    spout = "236,420! 190,396 164,340 142,286! 122,268 92,272 82,292! 112,350 130,440 176,510 "
    s.shape(trace(spout + "246,540! z"))
    s.line(trace("86,290 106,298 142,286"))
    s.shape(trace("540,372! 600,330 676,326 704,380 700,450 650,516 530,546! z"))
    s.shape(trace("548,404! 606,366 656,366 670,402 664,442 626,486 546,510! z"))
    s.shape(oval(392, 610, 104, 22))
    pot = "214,440 226,360 290,296 392,284 494,296 560,360 572,440 548,530 478,590 392,600 "
    s.shape(trace(pot + "308,590 238,530 z"))
    s.shape(trace("290,298! 308,252 350,224 392,220 434,224 476,252 494,298! 440,312 344,312 z"))
    s.line(trace("296,284 340,298 392,302 444,298 488,284"))
    s.shape(oval(392, 200, 24, 22))
    s.line(trace("374,220 392,226 410,220"))
    for k in range(6):
        petal = trace("0,-10! -22,-34 -14,-62 0,-66 14,-62 22,-34 z", (392, 440), 0.95, 60 * k)
        s.shape(petal)
    s.shape(oval(392, 440, 17))
    for flip in (False, True):
        s.shape(trace("60,20! 92,0 126,20 140,52! 104,60 76,46 z", (392, 440), flip=flip))
        s.line(trace("64,22 96,32 130,48", (392, 440), flip=flip), 2)


def cup(s: Sheet) -> None:
    """Draw a cup of tea on its saucer."""
    s.shape(oval(742, 644, 196, 56))
    s.line(oval(742, 634, 132, 32))
    s.shape(trace("836,548! 880,520 926,532 922,580 870,616 812,620! z"))
    s.shape(trace("838,566! 872,544 900,550 898,576 864,596 824,602! z"))
    s.shape(trace("628,520! 632,580 664,634 700,650 784,650 820,634 852,580 856,520! 742,560 z"))
    s.shape(oval(742, 520, 114, 32))
    s.line(trace("642,532 690,516 742,512 800,516 842,532"))
    for x in (700, 752, 790):
        s.line(
            trace(f"{x},480 {x - 12},456 {x + 8},430 {x - 2},404"),
            replace(s.pen, width=2, dark=0.35),
        )


def lemon(s: Sheet) -> None:
    """Draw a lemon and half of one."""
    s.shape(
        trace(
            "96,640! 112,620 146,590 200,580 250,604 270,634 290,646! 286,664 262,676 "
            "226,716 164,718 122,690 108,664 z"
        )
    )
    for x, y in (
        (150, 630),
        (180, 612),
        (214, 640),
        (160, 670),
        (200, 680),
        (236, 660),
        (182, 650),
    ):
        s.line(trace("-3,0 2,3", (x, y)), 2)
    s.shape(trace("318,650! 312,690 346,730 410,738 474,716 494,664! 450,630 z"))
    s.shape(oval(406, 660, 90, 64, 8))
    thin = replace(s.pen, width=2.4, ends=0.6, wobble=0.4, passes=1)
    s.line(oval(406, 660, 77, 53, 8), thin)
    for k in range(8):
        wedge = trace("0,-10! -9,-38 0,-46 9,-38 z", (0, 0), 1, 45 * k + 10)
        s.line(wedge * (1.42, 0.96) + (406, 660), thin)


def pencil() -> Image.Image:
    """Return tea, tulips and lemons on a table."""
    pen = Pen(width=3.4, wobble=1.3, vary=0.35, ends=0.3, taper=40, dark=0.62, passes=2, piece=150)
    s = Sheet(1024, 790, pen, seed=12)
    s.line(trace("10,470 300,466 700,470 1016,464"))
    for path, (x, y, turn) in (
        ("772,380 760,300 720,226", (720, 226, -16)),
        ("792,380 800,290 800,190", (800, 190, 2)),
        ("812,380 840,310 886,250", (886, 250, 24)),
    ):
        s.line(trace(path))
        s.line(trace(path) + np.array([7, 2]))
        tulip(s, x, y, turn)
    s.shape(trace("800,390! 850,350 930,330 986,352! 940,366 880,380 z"))
    s.shape(trace("780,390! 730,356 660,330 622,350! 668,370 730,384 z"))
    s.shape(
        trace("744,380! 752,420 724,470 726,540 760,590 830,590 862,540 864,470 836,420 844,380! z")
    )
    s.shape(oval(794, 382, 50, 13))
    teapot(s)
    lemon(s)
    cup(s)
    soft = replace(s.pen, width=2.4, wobble=0.8, dark=0.24, passes=1)
    pot = oval(392, 440, 180, 160)
    s.hatch(pot, -50, 9, soft, bare=pot * (1.02, 1.05) - (44, 52))
    bowl = trace("640,560 664,628 700,646 784,646 820,630 850,556 z")
    s.hatch(bowl, -55, 9, soft, bare=bowl - (34, 6))
    fruit = oval(192, 650, 86, 66)
    s.hatch(fruit, -40, 9, soft, bare=fruit - (20, 26))
    s.hatch(trace("300,632 420,640 560,612 640,590 600,640 500,634 z"), -12, 8, soft)
    s.hatch(trace("160,724 240,722 320,690 310,730 230,744 z"), -10, 8, soft)
    s.hatch(trace("640,700 760,712 900,690 960,650 970,690 860,730 720,736 z"), -8, 8, soft)
    return s.pencil()


def shaded(s: Sheet, outline: Array, dx: float, dy: float) -> None:
    """Draw a body lit from the upper left: two layers of hatching on its far side."""
    s.shape(outline)
    s.hatch(outline, -48, 8, replace(s.pen, width=1.7), outline - np.array([dx, dy]))
    near = outline - 0.45 * np.array([dx, dy])
    s.hatch(outline, -20, 8, replace(s.pen, width=1.5), near)


def hatching() -> Image.Image:
    """Return a pear, an apple, plums and a bottle with hatched shade."""
    s = Sheet(1024, 840, Pen(width=3.6, wobble=0.8, ends=0.5, weight=0.4), seed=5)
    s.line(trace("0,560 300,556"))
    s.line(trace("300,556 700,560 1024,552"))
    s.hatch(
        trace("500,700! 640,660 860,640 1000,668! 960,720 760,730 560,736 z"),
        -8,
        9,
        replace(s.pen, width=1.6),
    )
    s.hatch(
        trace("180,770! 330,730 480,720 640,740! 560,790 360,800 z"),
        -6,
        9,
        replace(s.pen, width=1.6),
    )
    bottle = "560,90! 560,210 556,270 500,330 486,400 486,600 492,668! 560,684 640,684 700,668! "
    bottle_outline = trace(bottle + "706,600 706,400 692,330 638,270 632,210 632,90! z")
    shaded(s, bottle_outline, 46, 0)
    s.shape(trace("550,70! 548,110! 596,116 644,110! 642,70! 596,60 z"))
    s.shape(trace("488,430! 596,446 704,430! 704,590! 596,606 488,590! z"))
    s.shape(oval(556, 520, 42, 50), 2.6)
    for k in range(8):
        s.shape(oval(534 + 15 * (k % 4) - 7 * (k // 4 % 2), 506 + 14 * (k // 4), 9), 2)
    s.shape(trace("556,498! 540,486 546,474 562,480 z"), 2.2)
    pear = "340,262! 310,282 296,340 276,420 214,480 190,570 214,670 290,730 370,734 450,690 "
    pear_outline = trace(pear + "486,600 470,510 412,440 392,350 374,284 z")
    shaded(s, pear_outline, 74, 40)
    s.shape(trace("340,272! 340,230 360,190 380,176! 394,184! 372,220 356,272! z"))
    s.shape(trace("352,236! 280,236 230,200 206,156! 270,150 330,180 z"))
    s.line(trace("340,226 290,200 232,168"), 2.2)
    for x, y in (
        (250, 560),
        (280, 600),
        (244, 620),
        (300, 540),
        (310, 650),
        (270, 520),
        (330, 480),
    ):
        s.line(trace("-2,-1 2,2", (x, y)), 2.4)
    apple = "800,480 750,450 680,460 636,510 626,590 656,680 720,734 780,728 800,720 820,728 "
    apple_outline = trace(apple + "882,734 946,680 974,590 964,510 920,460 850,450 z")
    shaded(s, apple_outline, 70, 44)
    s.line(trace("736,486 770,506 802,508 836,504 866,484"), 3)
    s.shape(trace("794,500! 790,450 802,400! 816,404! 808,450 810,502! z"))
    s.shape(trace("806,440! 846,384 910,370 966,388! 930,436 866,456 z"))
    s.line(trace("812,438 870,418 944,394"), 2.2)
    for x, y, r in ((508, 730, 62), (150, 730, 66)):
        plum = oval(x, y, r, r * 0.94)
        shaded(s, plum, 26, 20)
        s.line(trace(f"{x - 8},{y - r * 0.93} {x - 18},{y - 10} {x - 4},{y + r * 0.5}"), 2.4)
        s.line(trace(f"{x - 8},{y - r * 0.93} {x - 2},{y - r - 22}"), 5)
    return s.image()
