"""Animals: a robin on a branch in blossom, in brush lines that swell, and a fox."""

import numpy as np
from PIL import Image

from drawings.pen import Pen, Sheet, mirrored, oval, trace

PETAL = "0,-8! -16,-24 -31,-50 -26,-72 -12,-79 0,-69! 13,-80 27,-71 30,-48 15,-22 z"
LEAF = "0,0! 18,-26 28,-62 18,-104 0,-132! -22,-100 -30,-60 -18,-24 z"


def blossom(s: Sheet, x: float, y: float, size: float, turn: float) -> None:
    """Draw a cherry blossom of five petals."""
    for k in (0, 2, 4, 1, 3):
        s.shape(trace(PETAL, (x, y), size, turn + 72 * k))
    for k in range(10):
        angle = np.radians(turn + 36 * k + 18 + s.rng.normal(0, 5))
        way = np.array([np.sin(angle), -np.cos(angle)])
        reach = size * s.rng.uniform(24, 34)
        tip = np.array([x, y]) + way * reach
        s.line(np.array([(x, y) + way * size * 9, tip]), 1.8)
        s.black(oval(tip[0], tip[1], 3.2 * size + 0.6))
    s.shape(oval(x, y, 8 * size), 2.2)


def leaf(s: Sheet, x: float, y: float, size: float, turn: float) -> None:
    """Draw a leaf with its middle vein."""
    s.shape(trace(LEAF, (x, y), size, turn))
    s.line(trace("0,0 4,-50 0,-112", (x, y), size, turn), 2.4)
    for k in (-30, -55, -80):
        s.line(trace(f"3,{k} 12,{k - 12} 18,{k - 22}", (x, y), size, turn), 1.6)
        s.line(trace(f"2,{k + 4} -9,{k - 8} -18,{k - 18}", (x, y), size, turn), 1.6)


def bud(s: Sheet, x: float, y: float, size: float, turn: float) -> None:
    """Draw a closed blossom on its stalk."""
    s.line(trace("0,60 4,30 0,0", (x, y), size, turn), 4)
    s.shape(trace("0,0! -24,-14 -26,-44 -4,-66! 22,-46 24,-14 z", (x, y), size, turn))
    s.line(trace("-4,-64 -8,-40 4,-12", (x, y), size, turn), 2.4)
    s.shape(trace("-16,-16! 0,-20! 16,-16! 10,4 0,8 -10,4 z", (x, y), size, turn))


def robin(s: Sheet) -> None:
    """Draw the bird."""
    for turn, x in ((52, 742), (44, 752)):  # the tail
        s.shape(
            trace("-10,0! -12,-60 -14,-170! 0,-182 14,-170! 12,-60 12,0! z", (x, 548), 1, 90 + turn)
        )
    body = "358,286! 366,244 404,212 458,206 508,222 552,258 612,306 676,372 736,456 780,548! "
    belly = "730,598 660,640 566,660 470,646 388,596 336,516 322,430 338,372 362,338! z"
    s.shape(trace(body + belly))
    s.line(trace("386,230 424,232 456,262 464,316 452,380 470,460 474,530 450,590 420,616"), 4)
    s.line(trace("492,556 540,600 610,622 690,612"), 3)
    s.shape(trace("357,288! 332,298 304,318! 332,328 361,334! 367,312 z"))
    s.line(trace("306,318 334,314 364,317"), 2.6)
    s.black(oval(412, 282, 18))
    s.hide(oval(405, 275, 6))
    s.line(oval(412, 282, 26, start=150, end=330), 2.2)
    s.shape(
        trace(
            "478,416 498,370 548,354 604,378 664,432 720,504 772,584 806,630! 740,622 668,604 "
            "598,570 538,528 494,478 z"
        )
    )
    first = "500,486! 520,500 536,490! 552,506 570,492! 588,500 598,478! 616,474 620,450! "
    first += "636,440 630,400"
    second = "546,532! 566,546 586,530! 608,548 624,528! 646,540 656,514! 678,516 "
    second += "682,490! 698,484 694,466"
    s.line(trace(first), 4)
    s.line(trace(second), 4)
    for path in (
        "536,490 556,514 586,530",
        "570,492 594,512 624,528",
        "598,478 626,498 656,514",
        "620,450 650,470 682,490",
        "586,530 650,574 720,606",
        "624,528 690,576 760,618",
        "656,514 716,562 778,616",
        "682,490 736,546 790,618",
    ):
        s.line(trace(path), 3.2)
    for x, y in (
        (522, 396),
        (562, 394),
        (592, 420),
        (510, 432),
        (550, 428),
        (530, 466),
        (574, 458),
    ):
        s.line(trace("-10,-4 0,6 11,-4", (x, y)), 2.4)
    for x, y in (
        (388, 420),
        (416, 470),
        (396, 510),
        (374, 380),
        (520, 626),
        (580, 640),
        (430, 540),
    ):
        s.line(trace("-6,-9 0,4 3,12", (x, y)), 2.2)


def foot(s: Sheet, x: float, y: float) -> None:
    """Draw a foot that holds the branch; x, y is where the leg leaves the body."""
    s.shape(trace("-8,-6! -5,20! -6,36! 8,36! 7,20! 9,-6! z", (x, y)), 3)
    for shift, turn in ((18, -24), (-18, 24), (0, 0)):
        toe = "-9,0! -12,20 -8,42 0,50! 8,42 12,20 9,0! z"
        s.shape(trace(toe, (x + shift * 0.6, y + 28), 0.9, turn), 3.2)


def ink() -> Image.Image:
    """Return a robin on a branch in blossom."""
    pen = Pen(width=5.4, wobble=0.9, vary=0.16, ends=0.3, taper=30, swell=0.55, weight=0.25)
    s = Sheet(1024, 800, pen, seed=3)
    s.shape(trace("1044,20! 960,70 880,96 790,104! 790,116! 890,116 980,96 1044,60! z"))
    for x, y, size, turn in (
        (250, 660, 1.0, -62),
        (880, 560, 0.95, 62),
        (690, 720, 0.85, 140),
        (820, 106, 0.8, -100),
        (900, 110, 0.7, 170),
    ):
        leaf(s, x, y, size, turn)
    s.shape(trace("210,688! 170,610 146,530 116,450! 130,446! 168,530 196,600 250,674! z"))
    branch = "-20,742! 120,716 260,690 420,684 600,680 760,642 900,580 1044,548! 1044,590! "
    s.shape(trace(branch + "920,626 800,690 640,736 440,750 260,756 120,772 -20,800! z"))
    for path in ("20,756 90,740 150,734", "300,712 380,704 450,712", "640,702 700,688 760,668"):
        s.line(trace(path), 2.8)
    for path in ("200,734 240,728", "540,714 590,710", "850,630 910,604", "420,730 464,730"):
        s.line(trace(path), 2.4)
    robin(s)
    foot(s, 500, 652)
    foot(s, 592, 654)
    leaf(s, 140, 530, 0.8, -75)
    leaf(s, 132, 476, 0.7, 40)
    bud(s, 108, 404, 0.9, -14)
    blossom(s, 214, 630, 1.05, 10)
    blossom(s, 330, 736, 0.8, 40)
    leaf(s, 900, 580, 0.8, -10)
    bud(s, 960, 490, 0.9, 20)
    blossom(s, 878, 634, 1.0, -15)
    blossom(s, 784, 720, 0.72, 25)
    blossom(s, 936, 92, 0.9, 5)
    blossom(s, 850, 134, 0.68, 40)
    return s.image()


def fox_head(s: Sheet, at: tuple[float, float]) -> None:
    """Draw the head from the front; `at` is between the eyes."""
    head = "0,-92 40,-97 72,-112! 106,-184 158,-240! 188,-160 190,-74! 206,-20 214,16 250,62! "
    head += "222,70! 232,104! 200,108! 202,140! 150,152 98,180 50,224 0,236"
    s.shape(mirrored(head, at))
    for flip in (False, True):
        s.line(trace("98,-108! 118,-160 148,-200! 166,-150 164,-84", at, flip=flip), 3.4)
        for tuft in ("110,-104 122,-130 138,-146", "130,-96 138,-120 148,-136"):
            s.line(trace(tuft, at, flip=flip), 2.4)
        s.line(trace("26,152 28,116 52,82 104,68 160,66 232,58", at, flip=flip), 4)
        x = at[0] + (-88 if flip else 88)
        s.black(oval(x, at[1] + 2, 25, 31))
        s.hide(oval(x - 8, at[1] - 10, 8, 9))
        s.hide(oval(x + 8, at[1] + 14, 4))
        s.line(trace("44,8 54,-24 84,-40 116,-32 132,-14", at, flip=flip), 5)
        s.line(trace("70,-62 92,-70 112,-64", at, flip=flip), 3)
        s.line(trace("1,196! 18,210 48,200", at, flip=flip), 3.4)
        for y in (138, 150):
            s.line(trace(f"56,{y} 66,{y + 2}", at, flip=flip), 3)
    s.black(mirrored("0,140 30,143 35,160 17,182 0,190", at))
    s.hide(oval(at[0] - 10, at[1] + 153, 7, 4, -15))
    for path in ("-16,-60 -8,-76 -4,-88", "16,-60 8,-76 4,-88", "0,-52 0,-64"):
        s.line(trace(path, at), 2.6)


def fox() -> Image.Image:
    """Return a fox that sits."""
    s = Sheet(840, 1024, Pen(width=4.6, wobble=0.8, ends=0.5, swell=0.15, weight=0.45), seed=7)
    tail = "520,930! 620,956 716,920 766,820 768,720 736,630 700,560 700,470! 652,530! 640,510! "
    s.shape(trace(tail + "600,580 584,660 592,740 586,800 556,850 z"))
    s.line(trace("586,660! 612,690! 628,656! 654,690! 676,648! 702,676! 716,636! 738,640"))
    for path in ("640,850 690,820 716,770", "620,880 650,868 676,850", "650,780 676,750 682,720"):
        s.line(trace(path), 3)
    body = "0,120 100,140 128,220 150,300 186,370 222,450 232,540 206,600 150,624 0,624"
    s.shape(mirrored(body, (400, 320)))
    for flip in (False, True):
        x = (400, 0)
        s.line(trace("112,650 172,690 196,764 176,840", x, flip=flip))
        s.shape(trace("96,930! 92,900 130,884 190,890 216,912 208,940! 150,948 z", x, flip=flip))
        for toe in ("150,944 152,924", "184,942 186,922"):
            s.line(trace(toe, x, flip=flip), 3.2)
        leg = (
            "6,600! 8,760 4,900 2,946! 30,958 76,956 92,936! 84,900 76,840 84,740 110,640 120,560!"
        )
        s.hide(trace(leg + " z", x, flip=flip))
        s.line(trace(leg, x, flip=flip))
        s.line(trace("7,792! 22,812! 34,790! 50,814! 62,792! 78,806", x, flip=flip), 3.6)
        for toe in ("32,954 32,932", "62,954 62,932"):
            s.line(trace(toe, x, flip=flip), 3.2)
    bib = "0,440 118,450! 112,520! 100,508! 96,580! 76,562! 62,640! 42,612! 26,690! 8,656! 0,704!"
    s.shape(mirrored(bib, (400, 0)))
    for path in (
        "-40,560 -30,590 -28,606",
        "38,540 30,570 28,588",
        "0,590 2,616",
        "-84,510 -78,530",
    ):
        s.line(trace(path, (400, 0)), 2.8)
    fox_head(s, (400, 320))
    return s.image()
