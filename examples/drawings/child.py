"""A child's drawing in felt pen, photographed on a wooden table."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from drawings.pen import Array, Pen, Sheet, oval, trace
from light import blur, mix, noise_tile, rgb, sample, step

SIZE = (1024, 790)
PAPER = ((124, 86), (914, 58), (990, 716), (48, 744))  # corners in the photo, clockwise


def sheet() -> Image.Image:
    """Return the child's drawing, flat."""
    s = Sheet(1120, 860, Pen(width=8.5, wobble=1.9, vary=0.1, ends=0.85, weight=0), seed=6)
    s.line(trace("20,720 180,704 360,716 560,700 760,712 940,702 1100,712"))
    s.line(oval(140, 140, 78, 74, start=20, end=386))
    for k in range(11):
        way = np.array([np.cos(0.57 * k), np.sin(0.57 * k)])
        reach = 150 + 16 * (k % 2)
        s.line(np.array([(140, 140) + way * 96, (140, 140) + way * reach]))
    for x in (114, 162):
        s.black(oval(x, 124, 8, 10))
    s.line(trace("104,156 134,182 176,152"))
    house = "330,706! 326,420! 640,412! 646,704!"
    s.line(trace(house))
    s.line(trace("296,430! 476,232! 676,418! 290,434!"))
    s.line(trace("560,300! 560,216! 612,214! 614,350"))
    s.line(trace("586,190 560,170 590,146 624,164 604,184 570,160 596,110 650,112 640,150 610,140"))
    s.line(trace("446,706! 444,560! 536,556! 540,704"))
    s.black(oval(518, 640, 8))
    for x, y in ((366, 464), (556, 460)):
        s.line(trace("0,0! 66,-4! 68,66! 2,68! -2,-4", (x, y)))
        s.line(trace("34,-2 32,66", (x, y)))
        s.line(trace("-2,32 68,30", (x, y)))
    s.line(oval(476, 346, 36, 34, start=-80, end=284))
    s.line(trace("836,708 846,640 838,560"))
    s.line(trace("900,706 890,640 898,556"))
    crown = (
        "826,556 760,570 708,520 716,450 700,390 756,330 826,300 900,296 974,330 1024,396 1010,470 "
    )
    s.line(trace(crown + "1016,530 960,572 890,556 818,560"))
    for x, y in ((790, 420), (870, 370), (940, 440), (860, 480), (780, 500), (950, 370)):
        s.line(oval(x, y, 20, 19, start=-70, end=300))
        s.line(trace(f"{x + 4},{y - 18} {x + 12},{y - 34}"))
    x, y = 190, 470
    s.line(oval(x, y, 52, 52, start=-60, end=304))
    for dx in (-18, 18):
        s.black(oval(x + dx, y - 8, 6, 7))
    s.line(trace("-24,16 0,34 26,14", (x, y)))
    for k in (-1, 1):
        s.line(trace(f"{k * 40},-34! {k * 84},-56! {k * 80},-4! {k * 46},-20!", (x, y)))
    s.line(trace("-48,-16 -20,-34 0,-26 24,-34 48,-14", (x, y)))
    s.line(trace("-14,52! -70,176! 74,172! 16,50", (x, y)))
    s.line(trace("-30,84 -80,76 -118,46", (x, y)))
    s.line(trace("30,82 80,70 112,36", (x, y)))
    for k in (-118, 112):
        for finger in (-16, 0, 16):
            s.line(trace(f"{k},{44 if k < 0 else 36} {k + finger},{16}", (x, y)))
    s.line(trace("-28,176 -32,236! -62,240", (x, y)))
    s.line(trace("28,174 32,234! 62,238", (x, y)))
    for k in (-30, 4, 36):
        s.line(oval(x + k, y + 140 - abs(k) * 0.3, 9, 9, start=-60, end=300))
    for x, y in ((54, 640), (296, 650), (716, 640), (1010, 630)):
        s.line(trace(f"{x},{y + 70} {x + 4},{y}"))
        s.line(trace(f"{x},{y + 50} {x + 24},{y + 28} {x + 4},{y + 40}"))
        for k in range(5):
            spot = np.array([x, y - 18]) + 32 * np.array([np.cos(1.257 * k), np.sin(1.257 * k)])
            s.line(oval(spot[0], spot[1], 18, 17, start=72 * k, end=72 * k + 352), 6.5)
        s.line(oval(x, y - 18, 14, 13, end=352), 6.5)
    cloud = "760,150 736,120 770,90 810,100 830,60 890,64 900,100 950,86 976,124 "
    s.line(trace(cloud + "950,156 900,150 850,164 800,148 756,152"))
    for x in range(50, 1100, 92):
        s.line(trace(f"{x - 24},810! {x - 14},770! {x - 3},804! {x + 8},764! {x + 20},808!"), 6.5)
    return s.image()


def perspective(picture: Image.Image) -> Image.Image:
    """Return a sheet as the camera sees it: its corners at PAPER, black around it."""
    w, h = picture.size
    rows, right = [], []
    for (x, y), (u, v) in zip(PAPER, ((0, 0), (w, 0), (w, h), (0, h)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    numbers = np.linalg.solve(np.array(rows, float), np.array(right, float)).tolist()
    return picture.transform(SIZE, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC)


def wood(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Return a table of boards [H, W, 3]; x and y are in picture widths."""
    broad, rough = noise_tile(rng, 1.6), noise_tile(rng, 1.0)
    board = np.floor(y * 4.3)
    shift = board * 0.37
    bend = sample(broad, x * 0.25 + shift, y * 0.8 + shift)
    rings = np.sin(2 * np.pi * (y * 24 + bend * 1.4 + shift * 5))
    fiber = sample(rough, x * 0.3 + shift, y * 8)
    tone = 0.5 + 0.14 * rings + 0.10 * fiber + 0.05 * np.sin(board * 2.4)
    color = mix(rgb(0.36, 0.22, 0.12), rgb(0.66, 0.45, 0.27), np.clip(tone, 0, 1))
    joint = np.abs(y * 4.3 - np.round(y * 4.3))
    shaded: Array = color * (0.35 + 0.65 * step(0.004, 0.018, joint))[..., None]
    return shaded


def soft(mask: Image.Image, radius: float) -> Array:
    """Return a mask [H, W], 0..1, blurred."""
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), float) / 255


def photo() -> Image.Image:
    """Return the photo in color."""
    rng = np.random.default_rng(8)
    y, x = (a / SIZE[0] for a in np.mgrid[: SIZE[1], : SIZE[0]].astype(float))
    picture = wood(rng, x + 0.06 * y, y * 1.08 - 0.04 * x)
    mask = perspective(Image.new("L", (1120, 860), 255))
    fall = Image.new("L", SIZE)
    fall.paste(mask, (10, 13))
    picture *= (1 - 0.55 * soft(fall, 9))[..., None]
    ink = np.asarray(perspective(sheet()), float) / 255
    curl = 0.03 * np.sin(5.5 * x + 2 * y) + 0.012 * sample(noise_tile(rng, 1.7), x * 0.5, y * 0.5)
    paper = rgb(0.93, 0.915, 0.875) * (1 + curl)[..., None]
    drawn = paper * (0.13 + 0.87 * ink)[..., None]
    picture = mix(picture, drawn, soft(mask, 1.3))
    for at, turn, color in (
        ((884, 744), -8, rgb(0.80, 0.18, 0.16)),
        ((770, 34), 6, rgb(0.16, 0.4, 0.72)),
    ):
        picture = crayon(picture, at, turn, color)
    shade = 0.68 + 0.42 * step(1.35, 0.1, np.hypot(x - 0.25, y - 0.1))  # the window is upper left
    arm = Image.new("L", SIZE)
    ImageDraw.Draw(arm).polygon([(700, 800), (860, 520), (940, 480), (1100, 560), (1100, 800)], 255)
    shade *= 1 - 0.2 * soft(arm, 42)
    picture = blur(np.clip(picture * shade[..., None] * rgb(1.03, 1.0, 0.94), 0, 1), 0.6)
    picture += rng.normal(0, 0.012, picture.shape)
    return Image.fromarray(np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8))


def crayon(picture: Array, at: tuple[float, float], turn: float, color: Array) -> Array:
    """Return the picture with a crayon on it."""
    body = trace("-100,-13! 78,-13! 110,-4! 110,4! 78,13! -100,13! z", at, 1, turn)
    paper = trace("-78,-14! 64,-14! 64,14! -78,14! z", at, 1, turn)
    for outline, tint in ((body, color * 0.8), (paper, color)):
        mask = Image.new("L", SIZE)
        ImageDraw.Draw(mask).polygon(outline.ravel().tolist(), fill=255)
        if tint is not color:
            fall = Image.new("L", SIZE)
            fall.paste(mask, (5, 8))
            picture = picture * (1 - 0.5 * soft(fall, 4))[..., None]
        y = np.mgrid[: SIZE[1], : SIZE[0]][0]
        gloss = 1.15 - 0.4 * np.clip((y - at[1] + 13) / 26, 0, 1)
        picture = mix(picture, np.clip(tint * gloss[..., None], 0, 1), soft(mask, 0.7))
    return picture
