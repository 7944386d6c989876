"""People, animals and fruit for training scenes, in the colors that they usually have."""

import math

from limner.colorization.scene_parts import BRIGHT, BROWNS, GREENS, Color, Painter, Point, box

_SKINS: tuple[Color, ...] = (
    *((255, 222, 190), (250, 208, 172), (240, 190, 150)),
    *((215, 160, 118), (168, 112, 74), (120, 78, 52)),
)
_HAIR: tuple[Color, ...] = (
    *((60, 42, 34), (36, 32, 36), (110, 72, 44), (150, 98, 56)),
    *((226, 186, 104), (190, 96, 50), (190, 188, 186)),
)
_CLOTHES: tuple[Color, ...] = (*BRIGHT, (70, 110, 170), (60, 75, 110), (110, 180, 160))
_TROUSERS: tuple[Color, ...] = ((70, 95, 140), (60, 65, 85), (130, 105, 80), (90, 90, 95))
_SHOES: tuple[Color, ...] = (*BROWNS, (50, 48, 52), (205, 60, 55), (245, 245, 245))
_FUR: tuple[Color, ...] = (
    *((176, 122, 76), (226, 160, 88), (120, 84, 60), (236, 214, 178)),
    *((150, 148, 150), (74, 68, 70), (246, 244, 240)),
)
_IRISES: tuple[Color, ...] = ((90, 60, 40), (70, 130, 190), (85, 140, 90))

# Each part stands on (x, y) and is about `size` pixels high.


def bust(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a person from the shoulders up, from the front."""
    skin, hair = paint.pick(*_SKINS), paint.pick(*_HAIR)
    shoulder, neck, top = 0.5 * size, 0.1 * size, y - 0.3 * size
    head = y - 0.58 * size
    long = paint.random.random() < 0.5
    if long:
        paint.ellipse(x, head + 0.08 * size, 0.33 * size, 0.42 * size, hair)
    shirt = [(x - shoulder, y), (x - 0.8 * shoulder, top + 0.1 * size), (x - neck, top)]
    mirrored = [(2 * x - across, down) for across, down in reversed(shirt)]
    paint.polygon([*shirt, *mirrored], paint.pick(*_CLOTHES))
    paint.polygon(
        [(x - neck, head), (x + neck, head), (x + neck, top), (x, top + neck), (x - neck, top)],
        skin,
    )
    _head(paint, x, head, 0.27 * size, skin, hair)


def figure(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a standing person from the front."""
    uniform = paint.random.uniform
    skin, hair = paint.pick(*_SKINS), paint.pick(*_HAIR)
    cloth, shoes = paint.pick(*_CLOTHES), paint.pick(*_SHOES)
    radius = size * uniform(0.11, 0.17)
    neck, hip = y - size + 2 * radius, y - 0.33 * size
    wide = size * uniform(0.1, 0.14)
    is_dress = uniform(0, 1) < 0.4
    legs = skin if is_dress else paint.pick(*_TROUSERS)
    for side in (-1, 1):
        leg = x + side * 0.5 * wide
        half = 0.4 * wide
        box(paint, leg - half, hip, 2 * half, y - hip, legs)
        paint.ellipse(leg + side * half, y - 0.02 * size, 1.6 * half, 0.03 * size, shoes)
        hand_x = x + side * (wide + size * uniform(0.08, 0.2))
        hand_y = neck + size * uniform(0, 0.3)
        shoulder = x + side * wide
        paint.polygon(
            [
                (shoulder, neck + 0.02 * size),
                (shoulder - side * 0.3 * wide, neck + 0.1 * size),
                (hand_x - side * 0.2 * wide, hand_y + 0.05 * size),
                (hand_x, hand_y),
            ],
            cloth,
        )
        paint.ellipse(hand_x, hand_y + 0.02 * size, 0.035 * size, 0.035 * size, skin)
    foot = (1.8 if is_dress else 1.05) * wide
    low = hip + (0.1 * size if is_dress else 0.03 * size)
    paint.polygon([(x - wide, neck), (x + wide, neck), (x + foot, low), (x - foot, low)], cloth)
    _head(paint, x, neck - radius, radius, skin, hair)


def _head(paint: Painter, x: float, y: float, radius: float, skin: Color, hair: Color) -> None:
    """Draw a head around (x, y) with hair, eyes and a mouth."""
    uniform = paint.random.uniform
    wide = radius * uniform(0.8, 0.95)
    for side in (-1, 1):
        paint.ellipse(x + side * wide, y + 0.1 * radius, 0.16 * radius, 0.24 * radius, skin)
    paint.ellipse(x, y - 0.15 * radius, 1.08 * wide, 0.95 * radius, hair)
    paint.ellipse(x, y + 0.08 * radius, 0.92 * wide, 0.92 * radius, skin)
    fringe = uniform(-0.35, -0.1) * radius
    part = x + uniform(-0.5, 0.5) * wide
    arc = [
        (x + 0.98 * wide * math.cos(turn), y - 0.15 * radius + 0.95 * radius * math.sin(turn))
        for turn in (math.pi * (1 + step / 12) for step in range(13))
    ]
    paint.polygon([*arc, (part, y + fringe - 0.35 * radius)], hair)
    is_large = radius > 30
    for side in (-1, 1):
        eye = x + side * 0.38 * wide, y + 0.08 * radius
        if is_large:
            paint.ellipse(*eye, 0.2 * radius, 0.15 * radius, (255, 255, 255))
            paint.ellipse(*eye, 0.1 * radius, 0.12 * radius, paint.pick(*_IRISES))
        paint.ellipse(*eye, 0.05 * radius, 0.06 * radius, (30, 28, 30))
    mouth = y + 0.55 * radius
    if is_large and uniform(0, 1) < 0.6:
        red = paint.pick((205, 80, 80), (225, 120, 120))
        paint.ellipse(x, mouth, 0.24 * radius, 0.09 * radius, red)
    paint.line([(x - 0.25 * radius, mouth), (x, mouth + 0.06 * radius), (x + 0.25 * radius, mouth)])


def animal(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a dog or a cat from the side, its head turned to us."""
    uniform, random = paint.random.uniform, paint.random
    fur = paint.pick(*_FUR)
    second = fur if uniform(0, 1) < 0.5 else paint.pick(*_FUR)
    side = random.choice((-1, 1))
    long, high, middle = 0.45 * size, 0.2 * size, y - 0.42 * size
    tail = x - side * long
    paint.polygon(
        [
            (tail, middle + 0.05 * size),
            (tail - side * 0.22 * size, middle - size * uniform(0, 0.3)),
            (tail, middle - 0.08 * size),
        ],
        second,
    )
    half = 0.06 * size
    for place in (-0.75, -0.5, 0.45, 0.7):
        leg = x + place * long
        box(paint, leg - half, middle, 2 * half, y - middle, fur)
    paint.ellipse(x, middle, long, high, fur)
    if uniform(0, 1) < 0.4:
        paint.ellipse(x + 0.1 * long, middle, 0.3 * long, 0.5 * high, second)
    head_x, head_y, head = x + side * 0.85 * long, y - 0.72 * size, 0.2 * size
    is_cat = uniform(0, 1) < 0.5
    for ear in (-1, 1):
        ear_x = head_x + ear * 0.7 * head
        if is_cat:
            tip = (ear_x + ear * 0.1 * head, head_y - 1.5 * head)
            inner = (ear_x - ear * 0.6 * head, head_y - 0.7 * head)
            paint.polygon([(ear_x + ear * 0.2 * head, head_y - 0.3 * head), tip, inner], second)
    paint.ellipse(head_x, head_y, head, 0.9 * head, fur)
    for ear in (-1, 1):
        if not is_cat:
            paint.ellipse(head_x + ear * 0.95 * head, head_y, 0.25 * head, 0.6 * head, second)
        eye = head_x + ear * 0.38 * head, head_y - 0.1 * head
        paint.ellipse(*eye, 0.1 * head, 0.13 * head, (30, 28, 30))
    paint.ellipse(head_x, head_y + 0.4 * head, 0.42 * head, 0.32 * head, second)
    nose = paint.pick((40, 36, 38), (225, 140, 140))
    paint.ellipse(head_x, head_y + 0.25 * head, 0.13 * head, 0.1 * head, nose)


def fruit(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw an apple, a pear, an orange, a lemon, a plum, a banana or grapes."""
    kinds = (_apple, _pear, _orange, _lemon, _plum, _banana, _grapes)
    paint.random.choice(kinds)(paint, x, y, size)


def _stem(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a stem above (x, y), and mostly a leaf."""
    paint.line([(x, y), (x + 0.05 * size, y - 0.2 * size)], paint.pick(*BROWNS), 5)
    if paint.random.random() < 0.7:
        paint.ellipse(
            x + 0.18 * size, y - 0.14 * size, 0.13 * size, 0.06 * size, paint.pick(*GREENS)
        )


def _apple(paint: Painter, x: float, y: float, size: float) -> None:
    color = paint.pick((214, 50, 48), (225, 70, 55), (150, 195, 70), (235, 195, 80))
    half = 0.4 * size
    _stem(paint, x, y - 1.85 * half, size)
    paint.puff(
        [(x - 0.25 * half, y - half, 0.9 * half), (x + 0.25 * half, y - half, 0.9 * half)], color
    )


def _pear(paint: Painter, x: float, y: float, size: float) -> None:
    color = paint.pick((190, 200, 70), (165, 190, 75), (225, 205, 90))
    _stem(paint, x, y - 0.85 * size, size)
    steps = ((0.3, 0.3), (0.42, 0.26), (0.54, 0.21), (0.66, 0.18))
    paint.puff([(x, y - up * size, radius * size) for up, radius in steps], color)


def _orange(paint: Painter, x: float, y: float, size: float) -> None:
    half = 0.4 * size
    color = paint.pick((245, 145, 40), (240, 125, 35))
    paint.ellipse(x, y - half, half, half, color)
    paint.ellipse(x, y - 1.75 * half, 0.1 * half, 0.07 * half, paint.pick(*GREENS))


def _lemon(paint: Painter, x: float, y: float, size: float) -> None:
    color = paint.pick((250, 220, 70), (245, 205, 60), (150, 195, 70))
    ends = ((-0.36, 0.1), (0, 0.28), (-0.15, 0.24), (0.15, 0.24), (0.36, 0.1))
    paint.puff(
        [(x + across * size, y - 0.3 * size, radius * size) for across, radius in ends], color
    )


def _plum(paint: Painter, x: float, y: float, size: float) -> None:
    _stem(paint, x, y - 0.66 * size, size)
    paint.ellipse(
        x, y - 0.36 * size, 0.3 * size, 0.35 * size, paint.pick((120, 70, 140), (90, 60, 120))
    )


def _banana(paint: Painter, x: float, y: float, size: float) -> None:
    turns = [0.35 + 0.24 * step for step in range(11)]

    def arc(center: float, wide: float, high: float) -> list[Point]:
        return [(x + wide * math.cos(turn), center + high * math.sin(turn)) for turn in turns]

    outer = arc(y - 0.6 * size, 0.6 * size, 0.6 * size)
    inner = arc(y - 0.7 * size, 0.5 * size, 0.45 * size)
    paint.polygon([*outer, *reversed(inner)], paint.pick((250, 215, 80), (245, 205, 70)))


def _grapes(paint: Painter, x: float, y: float, size: float) -> None:
    color = paint.pick((120, 70, 140), (160, 190, 90), (90, 50, 90))
    _stem(paint, x, y - 0.8 * size, size)
    for row in range(4):
        for column in range(4 - row):
            across = (column - (3 - row) / 2) * 0.2 * size
            paint.ellipse(
                x + across, y - (0.7 - 0.17 * row) * size, 0.12 * size, 0.12 * size, color
            )
