"""A sheet of paper and a pen: smooth curves, drawn with a hand's wobble and uneven width."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, gaussian_filter1d

Array = NDArray[np.float64]

SCALE = 4  # sheets are drawn this much larger, then reduced, for anti-aliasing
SHADE = np.array([0.45, 0.89])  # outlines are heavier where they face this way, x and y
CORNER = 0.6  # radians within one pixel of a path that make a corner


@dataclass(frozen=True)
class Pen:
    """How lines look; lengths are in pixels of the finished drawing.

    Attributes
    ----------
    width : in the middle of a stroke
    wobble : the deviation of the hand from the path
    vary : random variation of the width, as a share of it
    ends : width at both ends of a stroke, as a share
    taper : length over which the ends get thin
    swell : 0 is an even line; 1 gets thick from the ends to the middle, like a brush
    weight : how much heavier closed outlines are where they face down and right, as a share
    dark : 0..1; 1 is black
    passes : how often each line is drawn; more than 1 looks like a sketch
    piece : length after which the hand stops and starts anew; 0 is never
    """

    width: float = 4.0
    wobble: float = 0.8
    vary: float = 0.12
    ends: float = 0.55
    taper: float = 14.0
    swell: float = 0.0
    weight: float = 0.3
    dark: float = 1.0
    passes: int = 1
    piece: float = 0.0


def trace(
    text: str,
    at: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    turn: float = 0.0,
    flip: bool = False,
) -> Array:
    """Return the smooth path [n, 2] through the points of a text, one sample per pixel.

    The text is "x,y x,y! x,y z": ! makes a corner, z at the end closes the path. Then the path is
    mirrored left to right (flip), scaled, turned clockwise by degrees, and moved.
    """
    words = text.split()
    closed = words[-1] == "z"
    words = words[:-1] if closed else words
    knots = np.array([[float(v) for v in word.rstrip("!").split(",")] for word in words])
    if flip:
        knots[:, 0] *= -1
    angle = np.radians(turn)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return through(knots * scale @ spin + np.array(at), [w.endswith("!") for w in words], closed)


def mirrored(text: str, at: tuple[float, float] = (0.0, 0.0), scale: float = 1.0) -> Array:
    """Return a closed path that is symmetric about x = 0, from its right half, top to bottom."""
    words = text.split()
    left = []
    for word in reversed(words):
        x, y = word.rstrip("!").split(",")
        if float(x) != 0:
            left.append(f"{-float(x)},{y}" + "!" * word.endswith("!"))
    return trace(" ".join([*words, *left, "z"]), at, scale)


def through(knots: Array, sharp: list[bool], closed: bool = False) -> Array:
    """Return the smooth path [n, 2] through knots [k, 2], with corners where `sharp` says so."""
    corners = [k for k, is_sharp in enumerate(sharp) if is_sharp]
    if closed:
        first = corners[0] if corners else 0
        knots = np.vstack([np.roll(knots, -first, axis=0), knots[first]])
        corners = [k - first for k in corners] or []
        if not corners:
            return _spline(knots, periodic=True)
    cuts = sorted({0, len(knots) - 1, *corners})
    return np.vstack([_spline(knots[a : b + 1]) for a, b in pairwise(cuts)])


def _spline(knots: Array, periodic: bool = False) -> Array:
    """Return the samples [n, 2] of a cubic spline with centripetal knots."""
    chords = np.hypot(*np.diff(knots, axis=0).T)
    t = np.r_[0, np.cumsum(np.sqrt(chords) + 1e-6)]
    if len(knots) == 2:
        return even(knots)
    spline = CubicSpline(t, knots, bc_type="periodic" if periodic else "not-a-knot")
    return even(spline(np.linspace(0, t[-1], int(chords.sum()) + 8)))


def even(path: Array, gap: float = 1.0) -> Array:
    """Return the path with samples at even distances, `gap` pixels."""
    walked = np.r_[0, np.cumsum(np.hypot(*np.diff(path, axis=0).T))]
    count = max(int(walked[-1] / gap) + 1, 2)
    at = np.linspace(0, walked[-1], count)
    return np.column_stack([np.interp(at, walked, path[:, k]) for k in (0, 1)])


def oval(
    x: float,
    y: float,
    rx: float,
    ry: float | None = None,
    turn: float = 0.0,
    start: float = 0.0,
    end: float = 360.0,
) -> Array:
    """Return an ellipse or its arc [n, 2]; angles in degrees, clockwise from the right."""
    ry = rx if ry is None else ry
    angle = np.radians(np.linspace(start, end, max(int(abs(end - start) * (rx + ry) / 110), 8)))
    tilt = np.radians(turn)
    u, v = rx * np.cos(angle), ry * np.sin(angle)
    return np.column_stack(
        [x + u * np.cos(tilt) - v * np.sin(tilt), y + u * np.sin(tilt) + v * np.cos(tilt)]
    )


def scallop(rng: np.random.Generator, path: Array, size: float, depth: float = 0.4) -> Array:
    """Return a closed path [n, 2] as arcs that bulge outward: clouds, bushes, wool."""
    path = even(path)
    sign = 1.0 if _area(path) > 0 else -1.0
    count = max(round(len(path) / size), 4)
    spots = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) * len(path) / count
    spots = np.r_[spots, spots[0] + len(path)]
    arcs = []
    for a, b in pairwise(spots):
        start, stop = path[int(a) % len(path)], path[int(b) % len(path)]
        chord = stop - start
        t = np.linspace(-1, 1, 24)[:, None]
        round_ = np.sqrt(np.maximum(1.15 - t**2, 0)) - np.sqrt(0.15)
        out = np.array([chord[1], -chord[0]]) * sign * depth * rng.uniform(0.85, 1.2)
        arcs.append(start + chord * (t + 1) / 2 + out * round_)
    return np.vstack([*arcs, arcs[0][:1]])


def _area(path: Array) -> float:
    """Return twice the signed area of a closed path; positive is clockwise on paper."""
    x, y = path.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


class Sheet:
    """White paper of width × height pixels, the pen in use and the hand's random numbers."""

    def __init__(self, width: int, height: int, pen: Pen, seed: int = 1) -> None:
        """Take an empty sheet."""
        self.pen = pen
        self.rng = np.random.default_rng(seed)
        self.paper = Image.new("L", (width * SCALE, height * SCALE), 255)
        self._draw = ImageDraw.Draw(self.paper)

    def hide(self, outline: Array) -> None:
        """Make the inside of an outline [n, 2] white: what is nearer covers what is behind."""
        self._draw.polygon((outline * SCALE).ravel().tolist(), fill=255)

    def black(self, outline: Array) -> None:
        """Fill an outline [n, 2] with ink."""
        self._draw.polygon(
            (outline * SCALE).ravel().tolist(), fill=round(255 * (1 - self.pen.dark))
        )

    def shape(self, outline: Array, width: float | None = None) -> None:
        """Draw a closed outline [n, 2] that covers what is behind it."""
        if np.hypot(*(outline[0] - outline[-1])) > 0.5:
            outline = np.vstack([outline, outline[:1]])
        self.hide(outline)
        self.line(outline, width)

    def line(self, path: Array, pen: float | Pen | None = None) -> None:
        """Draw a path [n, 2] with a pen or a width, a stroke for each piece between corners."""
        if not isinstance(pen, Pen):
            pen = replace(self.pen, width=pen or self.pen.width)
        path = even(path)
        closed = bool(np.hypot(*(path[0] - path[-1])) < 1.0) and len(path) > 6
        out = np.zeros(len(path))
        if closed and pen.weight:
            along = np.gradient(path, axis=0)
            out = (along @ np.array([-SHADE[1], SHADE[0]])) * -np.sign(_area(path))
            out = np.maximum(gaussian_filter1d(out, 6, mode="wrap"), 0)
        angle = np.unwrap(np.arctan2(*np.diff(path, axis=0).T[::-1]))
        turns = np.flatnonzero(np.abs(angle[2:] - angle[:-2]) > CORNER) + 2
        cuts = [
            0,
            *(int(t) for t, last in zip(turns, np.r_[-9, turns], strict=False) if t - last > 3),
        ]
        for a, b in zip(cuts, [*cuts[1:], len(path) - 1], strict=True):
            for _ in range(pen.passes):
                whole = closed and len(cuts) == 1
                for start, end in self._pieces(b + 1 - a, pen):
                    part = slice(a + start, a + end)
                    self._stroke(path[part], 1 + pen.weight * out[part], pen, whole)

    def _pieces(self, count: int, pen: Pen) -> list[tuple[int, int]]:
        """Return where the strokes of a line of `count` pixels start and end; they overlap."""
        if not pen.piece or count < 1.5 * pen.piece:
            return [(0, count)]
        cuts = np.cumsum(pen.piece * self.rng.uniform(0.5, 1.5, int(2 * count / pen.piece) + 2))
        cuts = cuts[cuts < count - pen.piece / 3].astype(int)
        lap = int(pen.piece / 6)
        ends: list[int] = [0, *cuts.tolist(), count]
        return [(max(a - lap, 0), min(b + lap, count)) for a, b in pairwise(ends)]

    def _stroke(self, path: Array, weight: Array, pen: Pen, closed: bool) -> None:
        """Draw one stroke along a path [n, 2] whose width is multiplied by weight [n]."""
        count = len(path)
        if count < 2:
            return
        mode = "wrap" if closed else "nearest"
        off = sum(
            share * self._noise(count, length, mode) for share, length in ((0.8, 45.0), (0.3, 12.0))
        )
        fade = np.clip(count / 60, 0.3, 1)  # short strokes are surer
        path = path + pen.wobble * fade * np.asarray(off)
        width = pen.width * weight * (1 + pen.vary * self._noise(count, 25.0, mode)[:, 0])
        u = np.linspace(0, 1, count)
        width *= 1 - pen.swell + pen.swell * (0.25 + 1.1 * np.sin(np.pi * u) ** 0.8)
        if not closed or pen.piece:
            reach = min(pen.taper, count / 2)
            from_end = np.minimum(np.arange(count), np.arange(count)[::-1])
            width *= pen.ends + (1 - pen.ends) * np.sin(np.clip(from_end / reach, 0, 1) * np.pi / 2)
        dark = pen.dark * (self.rng.uniform(0.7, 1.15) if pen.dark < 1 else 1.0)
        self._stamp(path * SCALE, np.maximum(width, 0.5) * SCALE / 2, min(dark, 1.0))

    def _noise(self, count: int, length: float, mode: str) -> Array:
        """Return smooth noise [count, 2] of deviation 1 for paths longer than `length`."""
        noise = self.rng.standard_normal((count, 2))
        smooth: Array = gaussian_filter1d(noise, length / 2.5, axis=0, mode=mode)
        smooth *= np.sqrt(length / 2.5 * 3.5)
        return smooth

    def _stamp(self, path: Array, radius: Array, dark: float) -> None:
        """Press round dots along a path of enlarged pixels; darker ink stays."""
        box = (*np.floor(path.min(0) - radius.max() - 2), *np.ceil(path.max(0) + radius.max() + 2))
        left, top, right, bottom = (int(v) for v in box)
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.paper.width), min(bottom, self.paper.height)
        if right <= left or bottom <= top:
            return
        target, shift = self._draw, np.zeros(2)
        if dark < 1:
            part = Image.new("L", (right - left, bottom - top), 255)
            target, shift = ImageDraw.Draw(part), np.array([left, top])
        fill = round(255 * (1 - dark))
        t = np.linspace(0, len(path) - 1, 2 * len(path))
        x, y = (np.interp(t, np.arange(len(path)), c) for c in (path - shift).T)
        r = np.interp(t, np.arange(len(path)), radius)
        for box in np.column_stack([x - r, y - r, x + r, y + r]).tolist():
            target.ellipse(box, fill=fill)
        if dark < 1:
            below = self.paper.crop((left, top, right, bottom))
            self.paper.paste(ImageChops.darker(below, part), (left, top))

    def hatch(
        self, area: Array, turn: float, gap: float, pen: Pen, bare: Array | None = None
    ) -> None:
        """Fill the inside of an outline [n, 2] with strokes at an angle in degrees.

        The inside of the outline `bare` stays white.
        """
        low, high = area.min(0) - 4, area.max(0) + 4
        size = (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
        mask = Image.new("1", size)
        ImageDraw.Draw(mask).polygon((area - low).ravel().tolist(), fill=1)
        if bare is not None:
            ImageDraw.Draw(mask).polygon((bare - low).ravel().tolist(), fill=0)
        inside = np.asarray(mask)
        way = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        middle, reach = (low + high) / 2, float(np.hypot(*size)) / 2
        for offset in np.arange(-reach, reach, gap):
            start = middle + np.array([-way[1], way[0]]) * (offset + self.rng.normal(0, gap / 8))
            path = start + way * np.arange(-reach, reach)[:, None]
            i, j = (path - low).astype(int).T[::-1]
            seen = (i >= 0) & (i < size[1]) & (j >= 0) & (j < size[0])
            seen[seen] = inside[i[seen], j[seen]]
            edges = np.flatnonzero(np.diff(np.r_[0, seen.astype(int), 0]))
            for first, last in edges.reshape(-1, 2):
                a, b = int(first + self.rng.uniform(0, 4)), int(last - self.rng.uniform(0, 9))
                if b - a > 10:
                    bend = np.sin(np.linspace(0, np.pi, b - a))[:, None] * (b - a) * 0.02
                    self.line(path[a:b] + bend * np.array([-way[1], way[0]]), pen)

    def image(self) -> Image.Image:
        """Return the finished drawing, gray."""
        size = (self.paper.width // SCALE, self.paper.height // SCALE)
        return self.paper.resize(size, Image.Resampling.BOX)

    def pencil(self) -> Image.Image:
        """Return the finished drawing as pencil on rough paper, gray."""
        ink = 1 - np.asarray(self.paper.resize(self._double(), Image.Resampling.BOX), float) / 255
        ink = gaussian_filter(ink, 0.7)
        grain = gaussian_filter(self.rng.standard_normal(ink.shape), 0.9)
        grain /= grain.std()
        soft = np.clip(ink * 1.25 - 0.22 - 0.2 * grain, 0, 1) * np.minimum(ink * 3, 1)
        soft = 0.55 * soft + 0.35 * ink
        picture = Image.fromarray(np.round(255 * (1 - np.clip(soft, 0, 1))).astype(np.uint8))
        return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)

    def _double(self) -> tuple[int, int]:
        """Return twice the size of the finished drawing, width first."""
        return self.paper.width * 2 // SCALE, self.paper.height * 2 // SCALE
