"""Watercolor: autumn by a river below snowy mountains, in transparent washes on rough paper.

Each wash is a layer of pigment that filters the light of the paper (Beer-Lambert law). Pigment
gathers at the edges of a wash and in the valleys of the paper (Curtis et al., "Computer-Generated
Watercolor", 1997).
"""

import numpy as np

from canvas import reduced
from light import Array, blur, noise_tile, rgb, sample, step

SCALE = 1.25  # painted this much larger, then reduced, for anti-aliasing
WIDTH, HEIGHT = int(1400 * SCALE), int(1000 * SCALE)
ASPECT = WIDTH / HEIGHT

# what a wash of strength 1 lets through
CERULEAN, COBALT, INDIGO = rgb(0.45, 0.72, 0.86), rgb(0.36, 0.50, 0.80), rgb(0.20, 0.27, 0.42)
PEACH, GOLD, ORANGE = rgb(0.98, 0.82, 0.68), rgb(0.98, 0.78, 0.25), rgb(0.93, 0.50, 0.14)
CRIMSON, VIOLET, SAP = rgb(0.76, 0.20, 0.17), rgb(0.50, 0.42, 0.62), rgb(0.52, 0.62, 0.22)
PINE, UMBER, SEPIA = rgb(0.16, 0.33, 0.28), rgb(0.50, 0.36, 0.24), rgb(0.26, 0.20, 0.18)


class Paper:
    """A sheet of rough paper, its washes [H, W, 3] and what is masked [H, W], 0..1."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Make the paper; lengths are in picture heights, distances of washes in pixels."""
        self.rng = rng
        self.y, self.x = (a / HEIGHT for a in np.mgrid[:HEIGHT, :WIDTH].astype(float))
        self.broad = noise_tile(rng, 1.9)
        self.rough = noise_tile(rng, 1.35)
        grain = blur(rng.standard_normal((HEIGHT, WIDTH, 1)), 0.9 * SCALE)[..., 0]
        coarse = blur(rng.standard_normal((HEIGHT, WIDTH, 1)), 2.2 * SCALE)[..., 0]
        self.tooth = 0.8 * grain / grain.std() + 0.5 * coarse / coarse.std()
        self.sheet = np.tile(rgb(0.985, 0.972, 0.938), (HEIGHT, WIDTH, 1))
        self.masked = np.zeros((HEIGHT, WIDTH))
        self.wobble = self.noise(2.6, self.broad) * 2.6 + self.noise(5, self.broad) * 1.3

    def noise(self, times: float, tile: Array, tall: float = 1.0) -> Array:
        """Return noise over the sheet from a random place; `times` periods fit in its height."""
        dx, dy = self.rng.random(2)
        return sample(tile, self.x * times + dx, self.y * times * tall + dy)

    def wash(
        self,
        inside: Array,
        pigment: Array,
        strength: Array | float = 1.0,
        *,
        wet: float = 0.0,
        edge: float = 0.55,
        grain: float = 0.08,
        dry: float = 0.0,
        flow: float = 0.28,
        steady: float = 0.0,
    ) -> None:
        """Lay a wash where `inside` [H, W], the distance from its edge in pixels, is positive.

        wet is the width in pixels of an edge that bleeds; edge the pigment that gathers at a dry
        edge; grain the pigment in the valleys of the paper; dry, 0..1, how much of the paper a dry
        brush leaves white; flow the unevenness; steady, 0..1, how exactly the edge is drawn.
        """
        ragged = inside + SCALE * (1 - steady) * self.wobble + SCALE * 0.35 * self.tooth
        if wet:
            bleeding = ragged + wet * 0.7 * self.noise(3.2, self.rough)
            cover = step(-wet, wet, bleeding)
            rim: Array | float = 0.0
        else:
            cover = step(-0.9, 0.9, ragged)
            width = 2.6 * SCALE
            rim = np.exp(-np.maximum(ragged, 0) / width) * (0.7 + 0.4 * self.noise(3, self.rough))
        cloud = self.noise(1.7, self.broad)
        # a backrun: water that pushed pigment into a ragged line
        run = self.noise(2.2, self.broad) + 0.12 * self.noise(14, self.rough)
        back = np.exp(-(((run - 0.8) / 0.05) ** 2)) - 0.7 * step(0.8, 1.1, run)
        much = 1 + flow * (cloud + 0.55 * back) + edge * rim - grain * 1.2 * self.tooth
        if dry:
            streaks = 0.8 * sample(self.rough, self.x * 1.3, self.y * 16)
            cover = cover * step(-0.3, 0.3, 1.0 - 2.2 * dry + 0.55 * self.tooth + streaks)
        density = strength * cover * np.clip(much, 0.05, 3.0) * (1 - self.masked)
        self.sheet *= pigment ** density[..., None]

    def ridge(self, base: float, tall: float, times: float, sharp: float) -> Array:
        """Return the height [1, W] of a skyline, as y; sharp 1 makes peaks."""
        dx, dy = self.rng.random(2)
        x = self.x[:1] * times
        smooth = sample(self.broad, x + dx, 0 * x + dy)
        peaks = 0.9 - 1.3 * np.abs(smooth)
        small = 0.16 * sample(self.broad, x * 3.7 + dy, 0 * x + dx)
        return base - tall * (sharp * peaks + (1 - sharp) * smooth + small)

    def dabs(self, spots: Array) -> Array:
        """Return the distance to the edge of many round dabs [n, 4]: x, y, radius, flatness."""
        inside = np.full((HEIGHT, WIDTH), -60.0)
        for x, y, radius, flat in spots:
            reach = radius * 1.3 + 8 / HEIGHT
            rows = slice(max(int((y - reach) * HEIGHT), 0), max(int((y + reach) * HEIGHT), 0))
            columns = slice(max(int((x - reach) * HEIGHT), 0), max(int((x + reach) * HEIGHT), 0))
            dx, dy = self.x[rows, columns] - x, self.y[rows, columns] - y
            c, s = np.cos(flat * 40), np.sin(flat * 40)  # each dab is turned in its own way
            u, v = dx * c + dy * s, (dy * c - dx * s) * flat
            lobes = 1 + 0.22 * np.sin(3 * np.arctan2(v, u) + radius * 9e3)
            near = (radius * lobes - np.hypot(u, v)) * HEIGHT
            inside[rows, columns] = np.maximum(inside[rows, columns], near)
        return inside

    def line(self, points: Array, wide: float, end: float) -> Array:
        """Return the distance inside a brush line through points [n, 2]; its width tapers."""
        inside = np.full((HEIGHT, WIDTH), -60.0)
        for k in range(len(points) - 1):
            (x0, y0), (x1, y1) = points[k], points[k + 1]
            t0, t1 = k / (len(points) - 1), (k + 1) / (len(points) - 1)
            r0, r1 = wide + (end - wide) * t0, wide + (end - wide) * t1
            pad = max(r0, r1) + 6 / HEIGHT
            top, bottom = (int(v * HEIGHT) for v in (min(y0, y1) - pad, max(y0, y1) + pad))
            left, right = (int(v * HEIGHT) for v in (min(x0, x1) - pad, max(x0, x1) + pad))
            rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
            x, y = self.x[rows, columns] - x0, self.y[rows, columns] - y0
            long = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
            t = np.clip((x * (x1 - x0) + y * (y1 - y0)) / long, 0, 1)
            off = np.hypot(x - t * (x1 - x0), y - t * (y1 - y0))
            near = (r0 + (r1 - r0) * t - off) * HEIGHT
            inside[rows, columns] = np.maximum(inside[rows, columns], near)
        return inside

    def pencil(self, points: Array) -> None:
        """Draw a soft pencil line that skips over the valleys of the paper."""
        inside = self.line(points, 0.9 / HEIGHT, 0.6 / HEIGHT)
        cover = step(-0.9, 0.9, inside) * step(-0.8, 0.5, self.tooth) * 0.5
        self.sheet *= 1 - 0.5 * cover[..., None]


def crown(rng: np.random.Generator, x: float, y: float, size: float, count: int) -> Array:
    """Return the dabs [n, 4] of a tree's leaves: clusters around a middle."""
    turn, far = rng.uniform(0, 2 * np.pi, 18), np.sqrt(rng.random(18)) * size
    middles = np.column_stack([x + 0.85 * far * np.cos(turn), y + 0.75 * far * np.sin(turn)])
    chosen = middles[rng.integers(18, size=count)]
    at = chosen + rng.normal(0, 1, (count, 2)) * (0.15 * size, 0.10 * size)
    radius = np.clip(size * 0.020 * rng.gamma(2.5, 0.5, count), 0.0018, 0.013)
    return np.column_stack([at, radius, rng.uniform(1.0, 1.7, count)])


def branches(
    rng: np.random.Generator, foot: Array, turn: float, long: float, wide: float, depth: int
) -> list[tuple[Array, float, float]]:
    """Return the brush lines of a trunk and its branches: points, width, width at the end."""
    steps = [foot]
    for _ in range(5):
        turn += rng.normal(0, 0.10)
        steps.append(steps[-1] + rgb(np.cos(turn), np.sin(turn)) * long / 5)
    lines = [(np.array(steps), wide, wide * 0.45)]
    if depth:
        for k in (2, 3, 4, 5):
            side = rng.choice((-1, 1)) * rng.uniform(0.35, 0.85)
            new = long * rng.uniform(0.30, 0.48)
            lines += branches(rng, steps[k], turn + side, new, wide * 0.42, depth - 1)
    return lines


class Scene:
    """The valley, painted from the sky forward."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Sketch where things are."""
        self.rng, self.paper = rng, Paper(rng)
        p = self.paper
        self.shore = 0.600 + 0.012 * np.sin(3.1 * p.x + 1) + 0.006 * p.noise(0.9, p.broad)
        middle = 0.62 + 0.33 * np.sin((p.y - 0.60) * 5.2) - 0.42 * (p.y - 0.6)
        half = 0.05 + 0.95 * np.maximum(p.y - 0.60, 0) ** 1.25
        self.river = (half - np.abs(p.x - middle) + 0.012 * p.noise(2.5, p.broad)) * HEIGHT
        self.river = np.minimum(self.river, (p.y - self.shore - 0.012) * HEIGHT)
        self.trees = [
            (1.13, 0.36, 0.21, 0.70, GOLD, ORANGE, CRIMSON),
            (1.32, 0.30, 0.25, 0.78, ORANGE, CRIMSON, SEPIA),
            (0.955, 0.475, 0.115, 0.655, GOLD, SAP, UMBER),
            (0.10, 0.44, 0.17, 0.72, GOLD, ORANGE, UMBER),
        ]
        self.crowns = [crown(rng, x, y, s, 1300) for x, y, s, *_ in self.trees]
        self.woods = [
            branches(rng, rgb(x, foot), -np.pi / 2, (foot - y) * 0.95, s * 0.030, 2)
            for x, y, s, foot, *_ in self.trees
        ]

    def paint(self) -> Array:
        """Paint everything and return the sheet, reduced."""
        self.sky()
        p = self.paper
        leaves = np.max([p.dabs(c) for c in self.crowns], axis=0)
        p.masked = np.maximum(0.86 * step(-1, 1, leaves + p.wobble), self.church())
        self.mountains()
        self.woodland()
        self.meadows()
        p.masked[:] = 0
        self.house()
        self.water()
        for tree, dabs, lines in zip(self.trees, self.crowns, self.woods, strict=True):
            self.tree(tree, dabs, lines)
        self.foreground()
        return reduced(np.clip(p.sheet, 0, 1), SCALE)

    def sky(self) -> None:
        """Wash a blue that pales downward, around clouds that stay white."""
        p = self.paper
        cloud = p.noise(0.50, p.broad, 1.8) + 0.22 * p.noise(2.0, p.broad, 1.5)
        open_sky = (0.45 - cloud + 1.3 * (0.10 - p.y)) * 110
        p.wash(open_sky, CERULEAN, 0.85 * step(0.50, -0.1, p.y), wet=22, grain=0.07)
        p.wash(open_sky - 35, COBALT, 0.62 * step(0.30, -0.05, p.y), wet=45, grain=0.09)
        p.wash((p.y - 0.16) * 500, PEACH, 0.75 * step(0.62, 0.35, p.y), wet=110, grain=0.03)
        under = np.minimum(-open_sky - 10, (sample(p.broad, p.x * 1.1, p.y * 2.8) - 0.2) * 60)
        p.wash(under, VIOLET, 0.26 * step(0.45, 0.1, p.y), wet=18, grain=0.06)

    def mountains(self) -> None:
        """Wash the mountains: snow stays paper, its shadows are blue; mist hides their feet."""
        p = self.paper
        top = p.ridge(0.36, 0.10, 0.70, 0.8) - 0.12 * np.exp(-(((p.x[:1] - 0.40) / 0.24) ** 2))
        d = (p.y - top) * HEIGHT
        fade = step(0.58, 0.30, p.y)
        p.wash(d, COBALT, 0.13 * fade, edge=1.0)
        for times, bias, strength in ((2.3, 0.15, 0.46), (4.2, 0.35, 0.36)):
            slant = p.x + 0.55 * (p.y - top)
            facet = sample(p.broad, slant * times + bias, (p.y - top) * times * 0.55 + bias)
            facet = facet + 0.22 * sample(p.broad, slant * 9, (p.y - top) * 5)
            inside = np.minimum(d, (facet - bias) * 26)
            p.wash(inside, mixed(COBALT, VIOLET, 0.45), strength * fade, grain=0.09, edge=0.4)
        far = p.ridge(0.455, 0.055, 0.8, 0.5)
        d = (p.y - far) * HEIGHT
        p.wash(d, mixed(COBALT, VIOLET, 0.5), 0.50 * step(0.58, 0.43, p.y), grain=0.09)
        near = p.ridge(0.505, 0.045, 1.1, 0.3)
        d = (p.y - near) * HEIGHT
        p.wash(d, mixed(INDIGO, COBALT, 0.5), 0.48 * step(0.61, 0.47, p.y), grain=0.10)

    def woodland(self) -> None:
        """Wash a wood of firs in two tones along the far bank."""
        p, rng = self.paper, self.rng
        for base, tall, count, pigment, strength in (
            (0.575, 0.055, 120, mixed(PINE, COBALT, 0.5), 0.60),
            (0.592, 0.075, 80, PINE, 0.85),
        ):
            inside = np.full((HEIGHT, WIDTH), -60.0)
            spots = rng.uniform(-0.02, ASPECT + 0.02, count)
            spots = spots[np.abs(spots - 0.66) > 0.10 * (base > 0.58)]
            skyline = p.ridge(0.0, 0.5, 1.3, 0.2)[0]
            for x in spots:
                column = int(np.clip(x * HEIGHT, 0, WIDTH - 1))
                h = tall * rng.uniform(0.6, 1.15) * (1 - 0.5 * skyline[column])
                a, b = max(int((x - h) * HEIGHT), 0), max(int((x + h) * HEIGHT), 0)
                rows = slice(int((base - 1.6 * h) * HEIGHT), int((base + 0.02) * HEIGHT))
                up = (p.y[rows, a:b] - base + h) / h
                tier = 0.20 * h * up * (0.75 + 0.35 * np.abs(np.sin(up * 13 + x * 50)))
                near = (tier - np.abs(p.x[rows, a:b] - x)) * HEIGHT
                inside[rows, a:b] = np.maximum(inside[rows, a:b], near)
            inside = np.maximum(inside, np.minimum((p.y - base - 0.004) * HEIGHT, 12))
            inside = np.minimum(inside, (self.shore + 0.004 - p.y) * HEIGHT)
            p.wash(inside, pigment, strength, grain=0.10, flow=0.5, steady=0.6)

    def church(self) -> Array:
        """Return where the church stands, 0..1."""
        p = self.paper
        nave = np.minimum(0.036 - np.abs(p.x - 0.690), p.y - 0.535)
        tower = np.minimum(0.012 - np.abs(p.x - 0.640), p.y - 0.455)
        walls = np.minimum(np.maximum(nave, tower), self.shore - 0.002 - p.y)
        return step(-1.0, 1.0, np.maximum(walls, self.roofs()) * HEIGHT)

    def roofs(self) -> Array:
        """Return the distance inside the roofs of nave and tower."""
        p = self.paper
        up = (p.y - 0.505) / 0.033
        roof = np.minimum(0.030 + 0.012 * up - np.abs(p.x - 0.690), 0.033 * np.minimum(up, 1 - up))
        rise = (p.y - 0.405) / 0.055
        spire = np.minimum(0.0165 * rise - np.abs(p.x - 0.640), 0.055 * (1 - rise))
        both: Array = np.maximum(roof, spire)
        return both

    def house(self) -> None:
        """Wash the roofs red and the shaded walls violet; the lit walls stay paper."""
        p = self.paper
        both = self.roofs() * HEIGHT
        p.wash(both, CRIMSON, 0.8, edge=0.6, steady=0.8)
        p.wash(np.minimum(both, (0.636 - p.x) * HEIGHT), VIOLET, 0.7, edge=0.3, steady=0.8)
        shade = np.minimum(self.shore - 0.004 - p.y, p.y - 0.459)
        shade = np.minimum(shade, np.minimum(0.638 - p.x, p.x - 0.628)) * HEIGHT
        p.wash(shade, VIOLET, 0.65, steady=0.8)
        under = np.minimum(0.036 - np.abs(p.x - 0.690), 0.007 - np.abs(p.y - 0.543)) * HEIGHT
        p.wash(under, VIOLET, 0.55, steady=0.8)
        for x in (0.672, 0.690, 0.708):
            window = np.minimum(0.0035 - np.abs(p.x - x), 0.009 - np.abs(p.y - 0.565)) * HEIGHT
            p.wash(window, INDIGO, 0.9, steady=0.8)
        window = np.minimum(0.003 - np.abs(p.x - 0.643), 0.008 - np.abs(p.y - 0.485)) * HEIGHT
        p.wash(window, INDIGO, 0.9, steady=0.8)
        corners = ((0.652, 0.60), (0.652, 0.538), (0.66, 0.505), (0.72, 0.505), (0.732, 0.538))
        p.pencil(np.array([*corners, (0.726, 0.60)]))
        p.pencil(rgb(0.628, 0.60, 0.628, 0.46, 0.640, 0.400, 0.653, 0.46).reshape(-1, 2))

    def meadows(self) -> None:
        """Wash the banks: gold and sap green, running into each other."""
        p = self.paper
        bank = np.minimum((p.y - self.shore) * HEIGHT, -self.river - 3)
        p.wash(bank, GOLD, 0.60 * step(1.5, 0.58, p.y), flow=0.4)
        wet = np.minimum(bank - 6, (p.noise(1.1, p.broad, 2.5) + 0.2) * 50)
        p.wash(wet, SAP, 0.65, wet=24, flow=0.4, grain=0.09)
        deep = np.minimum(bank - 4, (p.noise(1.3, p.broad, 3.5) - 0.2 + (p.y - 0.7) * 2) * 60)
        p.wash(deep, mixed(SAP, PINE, 0.5), 0.45, wet=16, flow=0.4, grain=0.10)
        rim = np.minimum(bank + 1, 3 * SCALE + self.river + 7 * p.noise(4, p.broad))
        p.wash(rim, UMBER, 0.7, wet=4)

    def water(self) -> None:
        """Wash the river; the trees and the sky stand in it upside down."""
        p = self.paper
        ripple = 0.010 * np.sin(p.y * 240 + 5 * p.noise(1.5, p.broad)) * step(0.58, 0.9, p.y)
        p.wash(self.river, CERULEAN, 0.22 + 0.55 * step(0.68, 1.0, p.y), grain=0.08)
        wave = p.noise(1.0, p.rough, 9.0) + 0.35 * np.sin(p.y * 150)
        p.wash(np.minimum(self.river - 4, (wave - 0.55) * 16), COBALT, 0.40, edge=0.3)
        things = (
            (0.64, 0.014, 0.655, CRIMSON, 0.4),
            (0.93, 0.15, 0.70, ORANGE, 0.45),
            (0.50, 0.12, 0.69, mixed(PINE, COBALT, 0.3), 0.5),
            (0.80, 0.12, 0.72, mixed(SAP, PINE, 0.3), 0.45),
        )
        for x, wide, low, pigment, strength in things:
            edge = (low - p.y) * 0.8 + 0.05 * p.noise(2, p.broad)
            inside = np.minimum(wide - np.abs(p.x + ripple - x), edge) * HEIGHT
            inside = np.minimum(inside, self.river - 3)
            p.wash(inside, pigment, strength, wet=30, grain=0.06)
        dark = np.minimum(
            self.river - 2, (0.016 + 0.012 * p.noise(3, p.rough)) * HEIGHT - self.river
        )
        p.wash(dark, INDIGO, 0.40, wet=5)

    def tree(
        self,
        tree: tuple[float, float, float, float, Array, Array, Array],
        dabs: Array,
        lines: list[tuple[Array, float, float]],
    ) -> None:
        """Wash the leaves in three tones, light first, then draw trunk and branches."""
        x, y, size, foot, light, middle, dark = tree
        p, rng = self.paper, self.rng
        p.wash(p.dabs(dabs), light, 1.0, edge=0.7, flow=0.35)
        lower = dabs[rng.random(len(dabs)) < 0.25 + 0.5 * step(-0.1, 0.4, (dabs[:, 1] - y) / size)]
        moved = lower * (1, 1, 0.95, 1) + rng.normal(0, 0.012, lower.shape) * (1, 1, 0, 0)
        p.wash(p.dabs(moved), middle, 0.80, edge=0.6, flow=0.4)
        side = (dabs[:, 1] - y - 0.5 * (dabs[:, 0] - x)) / size
        few = dabs[rng.random(len(dabs)) < 0.05 + 0.32 * step(0.0, 0.6, side)]
        moved = few * (1, 1, 0.85, 1) + rng.normal(0, 0.012, few.shape) * (1, 1, 0, 0)
        p.wash(p.dabs(moved), dark, 0.75, edge=0.5)
        wood = np.max([p.line(*line) for line in lines], axis=0)
        gaps = np.where(p.dabs(dabs) > 0, p.noise(5, p.broad) * 9 - 3, 20)
        p.wash(np.minimum(wood, gaps), SEPIA, 0.85, edge=0.4, flow=0.5, steady=0.5)
        shade = np.minimum(
            0.10 - np.abs(p.x - x + 0.09 + 1.5 * (p.y - foot)), 0.012 - np.abs(p.y - foot)
        )
        p.wash(np.minimum(shade * HEIGHT, -self.river), mixed(PINE, VIOLET, 0.5), 0.6, wet=6)
        fallen = np.column_stack(
            [
                rng.normal(x, size * 0.7, 50),
                rng.normal(foot + 0.01, 0.016, 50),
                rng.uniform(0.0015, 0.004, 50),
                rng.uniform(1.2, 2.2, 50),
            ]
        )
        p.wash(p.dabs(fallen), middle, 0.8)

    def foreground(self) -> None:
        """Dry brush, blades of grass and splashes close to the painter."""
        p, rng = self.paper, self.rng
        near = np.minimum((p.y - 0.86 - 0.10 * np.abs(p.x - 0.62) * -1) * HEIGHT, -self.river - 8)
        p.wash(near + 60 * p.noise(1.5, p.broad), mixed(PINE, UMBER, 0.4), 0.6, dry=0.45, wet=20)
        blades = np.full((HEIGHT, WIDTH), -60.0)
        for _ in range(380):
            x, y = rng.uniform(0, ASPECT), 1.02 - 0.16 * rng.random() ** 1.5
            row, column = min(int(y * HEIGHT), HEIGHT - 1), min(int(x * HEIGHT), WIDTH - 1)
            if self.river[row, column] > -14:
                continue
            tall, lean = rng.uniform(0.03, 0.10) * (y - 0.55) * 2.2, rng.normal(0, 0.35)
            t = np.linspace(0, 1, 6)
            points = np.column_stack([x + lean * tall * t**2, y - tall * t])
            blades = np.maximum(blades, p.line(points, 0.0015, 0.0003))
        p.wash(blades, mixed(PINE, SEPIA, 0.35), 0.8, edge=0.2, flow=0.6, steady=0.85)
        drops = np.column_stack(
            [
                rng.uniform(0, ASPECT, 90),
                rng.uniform(0.6, 1.0, 90),
                0.0012 + 0.0035 * rng.random(90) ** 4,
                rng.uniform(0.9, 1.1, 90),
            ]
        )
        p.wash(p.dabs(drops[:40]), ORANGE, 0.6)
        p.wash(p.dabs(drops[60:]), UMBER, 0.6)


def mixed(a: Array, b: Array, share: float) -> Array:
    """Return the pigment a with a share of b."""
    return a ** (1 - share) * b**share


def paint(rng: np.random.Generator) -> Array:
    """Return the painting [H, W, 3] in sRGB 0..1."""
    return Scene(rng).paint()
