"""Scenes for training: landscapes, tables, gardens, maps and comics with pasted pictures.

Most colored pictures to train on show one thing on white paper. Drawings that fill the page need
more: a background with a color, and many small things.
"""

import math
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import measure
from torch import Tensor

from limner.colorization import scene_parts as parts
from limner.colorization import scene_people as people
from limner.colorization.dataset import Pictures
from limner.colorization.scene_parts import GREENS, Painter

_FINE = 2  # scenes are drawn so many times larger
_WHITE = 240  # of 255: paler pixels that touch the border of a picture are its paper
_SKIES = ((150, 208, 240), (185, 222, 246), (110, 180, 232), (205, 230, 248))
_DUSK = ((255, 214, 165), (250, 180, 150), (60, 70, 120))
_FIELDS = (*GREENS, (160, 205, 105), (235, 210, 130), (225, 190, 140), (240, 244, 248))
_BARE = 0.12  # share of the landscapes without a background
_LAKE, _SEA = 0.35, 0.6  # share with a lake; share with a lake or a sea
_WATER = ((90, 165, 215), (110, 185, 225), (70, 140, 195))
_TABLES = ((200, 155, 105), (165, 115, 75), (120, 85, 60), (240, 232, 220), (150, 185, 195))
_PALE = ((250, 235, 205), (225, 235, 215), (215, 225, 240), (245, 220, 215), (235, 225, 240))


def draw(pictures: Pictures, size: int, random: torch.Generator) -> Tensor:
    """Draw a scene [1, 3, size, size] in 0..1 with some of the pictures pasted into it."""
    seed, count = torch.randint(2**31, (2,), generator=random).tolist()
    things = [pictures.sample(size, random)[0] for _ in range(2 + count % 4)]
    scene = _Scene(things, Random(seed))  # noqa: S311 (no secret)
    small = scene.page(_FINE * size).resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255


class _Scene:
    """Draws pages with pictures [1, 3, S, S] pasted into them."""

    def __init__(self, things: list[Tensor], random: Random) -> None:
        self._things = [_cut_out(thing) for thing in things]
        self._random = random
        self._outline = random.choice((0, 2, 3))

    def page(self, side: int) -> Image.Image:
        """Draw a page of any kind."""
        shares = {
            self._landscape: 36,
            self._table: 12,
            self._garden: 10,
            self._things_only: 10,
            self._map: 5,
            self._close_up: 10,
            self._comic: 17,
        }
        kind = self._random.choices(list(shares), list(shares.values()))[0]
        return kind(side, side)

    def _paint(self, width: int, height: int, *colors: parts.Color) -> Painter:
        """Begin a page with one of the colors, or white if none is given."""
        blank = Image.new("RGB", (width, height), "white")
        paint = Painter(blank, self._random, self._outline)
        if colors:
            blank.paste(paint.pick(*colors), (0, 0, width, height))
        return paint

    def _paste(self, paint: Painter, low: float, high: float, count: int) -> None:
        """Paste pictures that are `low` to `high` of the page high, standing below the middle."""
        width, height = paint.picture.size
        for _ in range(count):
            thing = self._random.choice(self._things)
            side = round(self._random.uniform(low, high) * height)
            x = round(self._random.uniform(-0.1 * side, width - 0.9 * side))
            y = round(self._random.uniform(0.5 * height, 0.98 * height)) - side
            small = thing.resize((side, side), Image.Resampling.BOX)
            paint.picture.paste(
                small, (x, y), small.getchannel("A").point(lambda a: 255 * (a > 127))
            )

    def _stand(self, paint: Painter, low: float, high: float, count: int) -> None:
        """Draw people, animals and fruit that stand below the middle, as `_paste` does."""
        width, height = paint.picture.size
        for _ in range(count):
            part = self._random.choice((people.figure, people.animal, people.bust, people.fruit))
            y = height * self._random.uniform(0.6, 1)
            part(paint, width * self._random.random(), y, height * self._random.uniform(low, high))

    def _landscape(self, width: int, height: int) -> Image.Image:
        """Draw hills, water, trees and houses below a sky; some only as things on white paper."""
        random, uniform = self._random, self._random.uniform
        is_bare = uniform(0, 1) < _BARE
        colors = () if is_bare else random.choices((_SKIES, _DUSK), (7, 1))[0]
        paint = self._paint(width, height, *colors)
        horizon = height * uniform(0.4, 0.75)
        if uniform(0, 1) < 0.5:
            parts.sun(
                paint,
                width * uniform(0.1, 0.9),
                horizon * uniform(0.2, 0.7),
                height * uniform(0.12, 0.3),
            )
        if uniform(0, 1) < 0.5:
            for _ in range(random.randint(1, 4)):
                parts.mountain(
                    paint, width * uniform(0, 1), horizon + 9, height * uniform(0.15, 0.45)
                )
        for _ in range(random.randint(0, 4)):
            parts.cloud(
                paint,
                width * uniform(0, 1),
                horizon * uniform(0.1, 0.6),
                height * uniform(0.07, 0.2),
            )
        water = 1.0 if is_bare else uniform(0, 1)
        if not is_bare:
            self._ground(paint, horizon, water)
        kinds = (parts.tree, parts.conifer, parts.bush, parts.house, parts.flower)
        weights = [uniform(0, 1) ** 2 for _ in kinds]
        places = sorted(uniform(horizon + 4, height) for _ in range(random.randint(1, 10)))
        for y in places[-3:] if water < _SEA else places:
            part = random.choices(kinds, weights)[0]
            near = 0.35 + (y - horizon) / (height - horizon)
            share = {parts.bush: 0.12, parts.flower: 0.2}.get(part, 0.3)
            part(paint, width * uniform(0, 1), y, share * near * height * uniform(0.7, 1.2))
        self._paste(paint, 0.25, 0.5, random.randint(0, 3))
        for _ in range(random.choice((0, 0, 1, 2))):
            part, high = random.choice(((people.figure, 0.55), (people.animal, 0.35)))
            y = height * uniform(0.75, 0.98)
            part(paint, width * uniform(0, 1), y, height * high * uniform(0.6, 1.2))
        self._ticks(paint, horizon)
        return paint.picture

    def _ground(self, paint: Painter, horizon: float, water: float) -> None:
        """Draw hills, and a lake or a sea with a boat."""
        random, uniform = self._random, self._random.uniform
        width, height = paint.picture.size
        middle = (horizon + height) / 2
        for layer in range(random.randint(1, 3)):
            ridge = horizon + layer * (height - horizon) * uniform(0.2, 0.5)
            paint.polygon(self._hill(paint, ridge), paint.pick(*_FIELDS))
        if water < _LAKE:
            x, y = width * uniform(0.2, 0.8), middle + 0.1 * height
            paint.ellipse(x, y, width * uniform(0.2, 0.5), 0.12 * height, paint.pick(*_WATER))
        elif water < _SEA:
            top = horizon + height * max(
                0, uniform(-0.1, 0.12)
            )  # some sea, some a lake behind land
            paint.polygon(self._hill(paint, top, 0.01), paint.pick(*_WATER))
            shore = self._hill(paint, height * uniform(0.8, 0.95))
            paint.polygon(shore, paint.pick((235, 215, 160), GREENS[2]))
        if water < _SEA and uniform(0, 1) < 0.6:
            y = middle + 0.05 * height
            parts.boat(paint, width * uniform(0.2, 0.8), y, height * uniform(0.1, 0.3))

    def _hill(self, paint: Painter, top: float, waves: float = 0.05) -> list[parts.Point]:
        """Return the outline of a hill that fills the page below about `top`."""
        width, height = paint.picture.size
        turn, high = self._random.uniform(0, 6.3), self._random.uniform(0, waves) * height
        line = [(x * width, top + high * math.sin(6.3 * x + turn)) for x in np.linspace(0, 1, 25)]
        return [*line, (width, height), (0, height)]

    def _ticks(self, paint: Painter, horizon: float) -> None:
        """Draw short strokes on the ground, as grass or waves."""
        width, height = paint.picture.size
        for _ in range(self._random.choice((0, 0, 8, 20))):
            x, y = self._random.uniform(0, width), self._random.uniform(horizon, height)
            paint.line([(x, y), (x + self._random.uniform(-4, 4), y - 10)], width=2)

    def _table(self, width: int, height: int) -> Image.Image:
        """Draw things on a table or a floor in front of a wall."""
        paint = self._paint(width, height, *_PALE)
        top = height * self._random.uniform(0.5, 0.8)
        table = paint.pick(*_TABLES)
        paint.polygon([(0, top), (width, top), (width, height), (0, height)], table)
        self._paste(paint, 0.3, 0.65, self._random.randint(1, 3))
        for _ in range(self._random.randint(0, 5)):
            x, y = width * self._random.random(), height * self._random.uniform(0.7, 0.98)
            people.fruit(paint, x, y, height * self._random.uniform(0.12, 0.3))
        return paint.picture

    def _close_up(self, width: int, height: int) -> Image.Image:
        """Draw one or two large things in front of hills."""
        paint = self._paint(width, height, *_SKIES)
        horizon = height * self._random.uniform(0.2, 0.8)
        for layer in range(self._random.randint(0, 3)):
            ridge = self._hill(paint, horizon + layer * 0.15 * height)
            paint.polygon(ridge, paint.pick(*_FIELDS))
        self._paste(paint, 0.65, 1.1, self._random.randint(0, 1))
        self._stand(paint, 0.5, 1.0, self._random.randint(1, 2))
        return paint.picture

    def _garden(self, width: int, height: int) -> Image.Image:
        """Draw large flowers on white paper."""
        uniform = self._random.uniform
        paint = self._paint(width, height)
        for _ in range(self._random.randint(3, 8)):
            size = height * uniform(0.25, 0.7)
            parts.flower(paint, width * uniform(0.05, 0.95), uniform(size, height), size)
        self._paste(paint, 0.3, 0.6, self._random.randint(0, 2))
        return paint.picture

    def _things_only(self, width: int, height: int) -> Image.Image:
        """Draw and paste several things on white paper."""
        paint = self._paint(width, height)
        self._paste(paint, 0.25, 0.6, self._random.randint(0, 4))
        self._stand(paint, 0.3, 0.8, self._random.randint(1, 4))
        return paint.picture

    def _map(self, width: int, height: int) -> Image.Image:
        """Draw an island with mountains, trees and houses."""
        random, uniform = self._random, self._random.uniform
        paint = self._paint(width, height, *_WATER, (175, 215, 235))
        corners = random.randint(14, 30)
        points = [
            (
                width * (0.5 + uniform(0.32, 0.46) * math.cos(2 * math.pi * index / corners)),
                height * (0.5 + uniform(0.28, 0.42) * math.sin(2 * math.pi * index / corners)),
            )
            for index in range(corners)
        ]
        paint.polygon(points, paint.pick((235, 215, 165), (180, 205, 130), (225, 225, 170)))
        for _ in range(random.randint(4, 12)):
            part = random.choice((parts.mountain, parts.conifer, parts.tree, parts.house))
            part(
                paint,
                width * uniform(0.3, 0.7),
                height * uniform(0.35, 0.7),
                height * uniform(0.06, 0.12),
            )
        return paint.picture

    def _comic(self, page_width: int, page_height: int) -> Image.Image:
        """Draw panels with speech bubbles."""
        random = self._random
        page = Image.new("RGB", (page_width, page_height), "white")
        rows, gap = random.randint(1, 3), round(0.02 * page_height)
        height = (page_height - gap) // rows - gap
        for row in range(rows):
            columns = random.randint(1 if rows > 1 else 2, 2)
            width = (page_width - gap) // columns - gap
            for column in range(columns):
                kinds = (self._landscape, self._close_up, self._table)
                panel = random.choices(kinds, (5, 3, 2))[0](width, height)
                paint = Painter(panel, random, max(2, self._outline))
                if random.random() < 0.6:
                    self._bubble(paint)
                frame = [(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1), (0, 0)]
                paint.line(frame, width=4)
                page.paste(panel, (gap + column * (width + gap), gap + row * (height + gap)))
        return page

    def _bubble(self, paint: Painter) -> None:
        """Draw a speech bubble with lines of text."""
        width, height = paint.picture.size
        uniform = self._random.uniform
        x, y = width * uniform(0.25, 0.75), height * uniform(0.15, 0.3)
        wide, high = width * uniform(0.15, 0.24), height * uniform(0.08, 0.14)
        white = (255, 255, 255)
        paint.polygon(
            [(x - 0.2 * wide, y), (x + 0.2 * wide, y), (x + uniform(-1, 1) * wide, y + 1.8 * high)],
            white,
        )
        paint.ellipse(x, y, wide, high, white)
        for line in (-0.3, 0.1, 0.5):
            paint.line(
                [(x - 0.6 * wide, y + line * high), (x + uniform(0, 0.6) * wide, y + line * high)],
                width=2,
            )


def _cut_out(thing: Tensor) -> Image.Image:
    """Return a picture [1, 3, S, S] in 0..1 with its white paper transparent."""
    rgb = (255 * thing[0]).round().to(torch.uint8)
    alpha = torch.from_numpy(np.where(_paper(rgb), 0, 255).astype(np.uint8))
    return Image.fromarray(torch.cat((rgb, alpha[None])).permute(1, 2, 0).numpy())


def _paper(picture: Tensor) -> NDArray[np.bool_]:
    """Find the white paper around a picture, uint8 [3, H, W]: [H, W]."""
    areas = measure.label((picture.amin(0) > _WHITE).numpy(), connectivity=1)
    sides = np.concatenate((areas[0], areas[-1], areas[:, 0], areas[:, -1]))
    return np.isin(areas, sides[sides > 0])
