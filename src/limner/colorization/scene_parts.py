"""Parts of training scenes: trees, houses and clouds in the colors that they usually have."""

import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]

GREENS: tuple[Color, ...] = ((92, 158, 64), (60, 130, 62), (124, 179, 66), (45, 110, 70))
BROWNS: tuple[Color, ...] = ((121, 85, 61), (146, 104, 70), (96, 66, 48))
BRIGHT: tuple[Color, ...] = (
    *((232, 72, 85), (240, 98, 146), (250, 200, 60), (150, 95, 190)),
    *((245, 140, 50), (90, 140, 220), (250, 170, 190), (252, 250, 245)),
)
_INK: Color = (38, 34, 36)


class Painter:
    """Draws flat shapes, all with an outline or all without.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB; changed in place.
    random : Random
        Decides colors and shapes.
    outline : int
        Width of the outlines in pixels; 0 for none.
    """

    def __init__(self, picture: Image.Image, random: Random, outline: int) -> None:
        self.picture, self.random, self.outline = picture, random, outline
        self._draw = ImageDraw.Draw(picture)

    def pick(self, *colors: Color) -> Color:
        """Choose a color, a little changed."""
        shift = self.random.gauss(0, 8)
        red, green, blue = (
            min(255, max(0, round(value + shift + self.random.gauss(0, 5))))
            for value in self.random.choice(colors)
        )
        return red, green, blue

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Fill a polygon."""
        self._draw.polygon(points, fill=color)
        if self.outline:
            self.line([*points, points[0]])

    def ellipse(self, x: float, y: float, wide: float, high: float, color: Color) -> None:
        """Fill an ellipse around (x, y) with half axes `wide` and `high`."""
        box = (x - wide, y - high, x + wide, y + high)
        self._draw.ellipse(
            box, fill=color, outline=_INK if self.outline else color, width=max(1, self.outline)
        )

    def puff(self, circles: Sequence[tuple[float, float, float]], color: Color) -> None:
        """Fill the union of circles (x, y, radius)."""
        for grow, fill in ((self.outline, _INK), (0, color)):
            for x, y, radius in circles:
                size = radius + grow
                self._draw.ellipse((x - size, y - size, x + size, y + size), fill=fill)

    def line(self, points: Sequence[Point], color: Color = _INK, width: int = 0) -> None:
        """Draw a line, as wide as the outlines if no width is given."""
        self._draw.line(points, fill=color, width=width or self.outline or 1, joint="curve")


# Each part stands on (x, y), or lies around it, and is about `size` pixels high.


def tree(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a tree with a round crown, sometimes with fruit."""
    uniform = paint.random.uniform
    trunk, leaves = paint.pick(*BROWNS), paint.pick(*GREENS)
    if uniform(0, 1) < 0.1:
        leaves = paint.pick((230, 140, 50), (210, 90, 50), (240, 190, 70))
    half = size * uniform(0.05, 0.09)
    paint.polygon(
        [(x - half, y), (x + half, y), (x + half / 2, y - size / 2), (x - half / 2, y - size / 2)],
        trunk,
    )
    middle, reach, count = y - 0.66 * size, size * uniform(0.13, 0.2), paint.random.randint(5, 9)
    ring = [
        (x + reach * math.cos(turn), middle + reach * math.sin(turn), size * uniform(0.13, 0.17))
        for turn in (2 * math.pi * index / count for index in range(count))
    ]
    paint.puff([*ring, (x, middle, reach)], leaves)
    if uniform(0, 1) < 0.3:
        fruit = paint.pick((220, 50, 50), (245, 150, 40), (250, 210, 70))
        for _ in range(paint.random.randint(3, 6)):
            spot = x + uniform(-1, 1) * reach, middle + uniform(-1, 1) * reach
            paint.ellipse(*spot, 0.05 * size, 0.05 * size, fruit)


def conifer(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a fir."""
    leaves = paint.pick((38, 110, 70), (50, 125, 60), (30, 90, 65), (80, 145, 80))
    half = 0.04 * size
    paint.polygon(
        [(x - half, y), (x + half, y), (x + half, y - 0.2 * size), (x - half, y - 0.2 * size)],
        paint.pick(*BROWNS),
    )
    tiers = paint.random.randint(2, 5)
    wide, step = size * paint.random.uniform(0.18, 0.3), 0.87 * size / tiers
    for tier in range(tiers):
        foot = y - 0.13 * size - tier * step
        half = wide * (1 - 0.75 * tier / tiers)
        tip = foot - (1.0 if tier == tiers - 1 else 1.5) * step
        paint.polygon([(x - half, foot), (x + half, foot), (x, tip)], leaves)


def bush(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a bush."""
    uniform = paint.random.uniform
    places = [
        (x + size * offset, y - size * uniform(0.2, 0.5), size * uniform(0.3, 0.45))
        for offset in (-0.5, -0.15, 0.2, 0.5)
    ]
    paint.puff(places, paint.pick(*GREENS))


def cloud(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a cloud."""
    uniform = paint.random.uniform
    count = paint.random.randint(3, 6)
    circles = [
        (
            x + size * (index - count / 2) * 0.55,
            y - size * uniform(-0.1, 0.25),
            size * uniform(0.3, 0.5),
        )
        for index in range(count)
    ]
    paint.puff(circles, paint.pick((252, 252, 253), (240, 246, 252)))


def sun(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a sun, mostly with rays."""
    yellow = paint.pick((253, 214, 60), (252, 190, 50), (255, 225, 100))
    kind, radius = paint.random.random(), 0.3 * size
    rays = paint.random.randint(8, 14)
    for index in range(rays if kind > 0.3 else 0):
        turn, half = 2 * math.pi * index / rays, 0.5 * math.pi / rays
        tip = x + 0.55 * size * math.cos(turn), y + 0.55 * size * math.sin(turn)
        if kind > 0.65:
            paint.line([(x, y), tip], width=2)
        else:
            foot = [
                (x + 1.2 * radius * math.cos(turn + side), y + 1.2 * radius * math.sin(turn + side))
                for side in (-half, half)
            ]
            paint.polygon([*foot, tip], yellow)
    paint.ellipse(x, y, radius, radius, yellow)


def house(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a house, from the front or from a corner."""
    uniform, pick = paint.random.uniform, paint.pick
    roof = pick((178, 70, 55), (200, 95, 60), (120, 75, 60), (90, 90, 105), (160, 50, 50))
    cream, white, rose, blue = (245, 225, 180), (245, 242, 235), (230, 170, 140), (170, 200, 225)
    wall = pick(cream, white, rose, blue, (240, 205, 110))
    half, eaves = size * uniform(0.3, 0.6), y - size * uniform(0.5, 0.65)
    if uniform(0, 1) < 0.6:
        chimney = x + half * uniform(0.2, 0.6)
        color = pick((165, 80, 65), (140, 110, 100))
        box(paint, chimney, y - size, 0.15 * size, size / 2, color)
    ridge, over = half * uniform(0, 0.7), 1.15 * half
    if uniform(0, 1) < 0.5:  # a gable on the left, and a long side that recedes to the right
        rise, gable = 0.07 * size, x - half * uniform(0.1, 0.5)
        left, right = x - half, x + 1.2 * half
        peak = (left + gable) / 2
        corner = [(gable, y), (gable, eaves)]
        paint.polygon([(left, y - rise), *corner, (peak, y - size), (left, eaves - rise)], wall)
        paint.polygon([*corner[::-1], (right, y - rise), (right, eaves - rise)], wall)
        top = right - (gable - peak)
        roof_line = [(peak, y - size), (top, y - size - rise), (right, eaves - rise)]
        paint.polygon([*roof_line, (gable, eaves)], roof)
        left = gable
    else:
        left, right = x - half, x + half
        box(paint, left, eaves, right - left, y - eaves, wall)
        peaks = [(x + ridge, y - size), (x - ridge, y - size)]
        paint.polygon([(x - over, eaves), (x + over, eaves), *peaks], roof)
    leaf = pick(*BROWNS, (170, 60, 50), (60, 100, 150))
    middle = (left + right) / 2
    box(paint, middle - 0.08 * size, y - 0.33 * size, 0.16 * size, 0.28 * size, leaf)
    glass, side = pick((175, 215, 240), (250, 225, 130), (140, 190, 225)), 0.15 * size
    for place in (0.2, 0.8):
        corner_x, top_y = left + place * (right - left) - side / 2, eaves + 0.1 * size
        box(paint, corner_x, top_y, side, side, glass)
        if size > 60:
            paint.line([(corner_x + side / 2, top_y), (corner_x + side / 2, top_y + side)])


def box(paint: Painter, left: float, top: float, width: float, height: float, color: Color) -> None:
    """Draw a rectangle with its top left corner at (left, top)."""
    right, bottom = left + width, top + height
    paint.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color)


def mountain(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a mountain, mostly with snow."""
    uniform = paint.random.uniform
    rock = paint.pick((128, 138, 158), (150, 140, 135), (110, 120, 150), (140, 120, 110))
    wide, top = size * uniform(0.6, 1.1), y - size
    paint.polygon([(x - wide, y), (x + wide, y), (x, top)], rock)
    if uniform(0, 1) < 0.7:
        share, teeth = uniform(0.2, 0.4), paint.random.randint(2, 5)
        edge = [
            (
                x + wide * share * (2 * index / (2 * teeth) - 1),
                top + size * (share if index % 2 == 0 else share * uniform(0.6, 0.9)),
            )
            for index in range(2 * teeth + 1)
        ]
        paint.polygon([(x, top), *reversed(edge)], paint.pick((250, 251, 253)))


def flower(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a flower from the front, with a stem and leaves."""
    uniform = paint.random.uniform
    green, petals, head = paint.pick(*GREENS), paint.pick(*BRIGHT), size * uniform(0.2, 0.32)
    middle, count = y - size + head, paint.random.randint(5, 12)
    stem = max(3, round(0.05 * size))
    paint.line([(x, y), (x, middle)], green, stem)
    for side in (-1, 1):
        low, far = y - size * uniform(0.05, 0.2), x + side * size * uniform(0.2, 0.35)
        bend = (x + far) / 2
        leaf = [
            (x, low),
            (bend, low - 0.18 * size),
            (far, low - 0.2 * size),
            (bend, low - 0.04 * size),
        ]
        paint.polygon(leaf, green)
    for ring in range(2 if uniform(0, 1) < 0.3 else 1):
        reach = head * (0.65 - 0.3 * ring)
        for index in range(count):
            turn = 2 * math.pi * (index + ring / 2) / count
            spot = x + reach * math.cos(turn), middle + reach * math.sin(turn)
            radius = max(0.3 * head, 2.2 * reach / count)
            paint.ellipse(*spot, radius, radius, petals)
    paint.ellipse(x, middle, 0.35 * head, 0.35 * head, paint.pick((250, 205, 70), (140, 90, 50)))


def boat(paint: Painter, x: float, y: float, size: float) -> None:
    """Draw a sailing boat."""
    half = 0.4 * size
    hull = paint.pick(*BROWNS, (190, 60, 50), (70, 100, 150))
    sail = paint.pick((250, 248, 240), (250, 248, 240), (240, 120, 80), (250, 210, 90))
    paint.line([(x, y), (x, y - size)], width=2)
    paint.polygon([(x + 2, y - size), (x + 2, y - 0.28 * size), (x + half, y - 0.28 * size)], sail)
    paint.polygon(
        [(x - 2, y - 0.9 * size), (x - 2, y - 0.28 * size), (x - half, y - 0.28 * size)], sail
    )
    paint.polygon(
        [
            (x - half, y - 0.2 * size),
            (x + half, y - 0.2 * size),
            (x + half / 2, y),
            (x - half / 2, y),
        ],
        hull,
    )
