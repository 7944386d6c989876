"""The subject and the brush strokes of painting.jpg.

Strokes take their color from a picture and their direction from a field (Haeberli, "Paint by
Numbers", 1990), and are layered from large to small (Hertzmann, "Painterly Rendering with Curved
Brush Strokes of Multiple Sizes", 1998). Different from both: the bristles of one brush hold
different colors, and the paint has a height, which is lit.
"""

import numpy as np

from light import Array, blur, mix, noise_tile, rgb, sample, step

WIDTH, HEIGHT = 1000, 800

ULTRAMARINE, COBALT, TEAL = rgb(0.07, 0.09, 0.36), rgb(0.13, 0.28, 0.62), rgb(0.05, 0.42, 0.47)
AQUA, CREAM, YELLOW = rgb(0.44, 0.70, 0.66), rgb(0.97, 0.91, 0.74), rgb(0.96, 0.76, 0.22)
OCHER, VERMILION, MADDER = rgb(0.82, 0.55, 0.15), rgb(0.88, 0.25, 0.11), rgb(0.45, 0.08, 0.15)
PINE, INK = rgb(0.05, 0.19, 0.15), rgb(0.05, 0.05, 0.14)


class Motif:
    """A red sun over a bay with sailboats, between umbrella pines.

    Attributes
    ----------
    color : [H, W, 3], the picture that the strokes should make, sRGB
    angle : [H, W], direction of the strokes, in radians clockwise from the right
    detail : [H, W], contrast nearby: fine strokes go there
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the subject from back to front; lengths are in picture heights."""
        y, x = (a / HEIGHT for a in np.mgrid[:HEIGHT, :WIDTH].astype(float))
        self.x, self.y = x, y
        self.noise = noise_tile(rng, 1.8)
        self.wobble = 0.012 * sample(self.noise, x * 0.9, y * 0.9)  # outlines are uneven
        self.dapple = sample(self.noise, x * 1.7, y * 3.1)
        self.color = np.empty((HEIGHT, WIDTH, 3))
        self.angle = np.empty((HEIGHT, WIDTH))
        self.sky()
        swell = self.bay()
        self.boat(0.46, 0.60, 0.17, swell)
        self.boat(0.66, 0.555, 0.085, swell)
        self.field()
        self.pine(0.17, 0.84, 0.36, 0.06, 0.21)
        self.pine(0.03, 0.93, 0.52, -0.03, 0.13)
        self.pine(1.17, 1.02, 0.57, -0.02, 0.17)
        down, right = (np.gradient(blur(self.color, 1.5), axis=axis) for axis in (0, 1))
        edges = (np.abs(down) + np.abs(right)).max(axis=2, keepdims=True)
        self.detail = blur(edges, 5)[..., 0]

    def put(self, where: Array, color: Array, angle: Array) -> None:
        """Set the color and the stroke direction of a region."""
        region = where.astype(bool)
        self.color[region] = np.broadcast_to(color, self.color.shape)[region]
        self.angle[region] = np.broadcast_to(angle, region.shape)[region]

    def sky(self) -> None:
        """Draw the sun, and rings of light around it, bent by wind."""
        x, y, wobble = self.x, self.y, self.wobble
        sun = np.hypot(x - 0.80, y - 0.33)
        rings = sun.copy()
        left, right = (0.06, 0.10, 0.15, -0.9), (1.15, 0.10, 0.13, 0.9)
        winds = (left, (0.36, 0.16, 0.16, 1.0), (0.60, 0.02, 0.13, -0.8), right)
        for at_x, at_y, size, push in winds:
            away = (x - at_x) ** 2 + (y - at_y) ** 2
            rings += 0.9 * push * size * np.exp(-away / size**2)
        gy, gx = np.gradient(rings + 0.8 * wobble)
        band = np.sin(rings * 52 + 60 * wobble)
        far = step(0.12, 0.70, rings + 0.5 * wobble)
        sky = mix(mix(YELLOW, AQUA, step(0.0, 0.35, far)), ULTRAMARINE, step(0.25, 0.95, far))
        patch = sample(self.noise, x * 0.8 + 0.4, y * 0.8)
        streak = mix(COBALT, AQUA, step(0.2, 1.2, patch))
        streak = mix(mix(VERMILION, CREAM, step(0.0, 0.3, far)), streak, step(0.35, 0.7, far))
        sky = mix(sky, streak, 0.75 * step(0.1, 0.9, band))
        self.put(np.ones_like(x), sky, np.arctan2(-gx, gy))
        around = np.arctan2(y - 0.33, x - 0.80) + np.pi / 2
        disc = sun < 0.125 + 0.4 * wobble
        self.put(disc, mix(CREAM, YELLOW, step(0.0, 0.09, sun)), around)
        self.put(disc & (sun > 0.085), mix(VERMILION, OCHER, step(0.5, 1.0, band)), around)

    def bay(self) -> Array:
        """Draw hills, the sea and the sun's reflection; return the waves, -1..1."""
        x, y, wobble = self.x, self.y, self.wobble
        crest = 0.470 - 0.060 * np.sin(2.9 * x + 0.5) - 0.03 * np.sin(7 * x) + wobble
        slope = np.arctan(-0.17 * np.cos(2.9 * x + 0.5) - 0.2 * np.cos(7 * x))
        hills = mix(MADDER, COBALT, step(-0.6, 0.8, self.dapple))
        self.put(y > crest, mix(hills, VERMILION, 0.6 * step(0.02, 0.0, y - crest)), slope)
        near = np.sqrt(np.maximum(y - 0.44, 0))  # waves get larger toward the viewer
        swell: Array = np.sin(83 * near + 3 * np.sin(5 * x) + 40 * wobble)
        sea = mix(TEAL, ULTRAMARINE, step(-0.3, 1.2, swell + self.dapple))
        sea = mix(sea, AQUA, step(0.45, 1.0, -swell))
        path = step(0.07 + 0.12 * (y - 0.5), 0.0, np.abs(x - 0.80 + 0.02 * swell))
        path = 0.95 * path * step(-0.2, 0.5, swell)
        sea = mix(sea, mix(YELLOW, VERMILION, step(0.5, 0.75, y)), path)
        roll = 0.25 * np.cos(5 * x + 30 * wobble) * step(0.5, 0.7, y)
        self.put(y > 0.515 + 0.2 * wobble, sea, roll)
        return swell

    def boat(self, at_x: float, at_y: float, size: float, swell: Array) -> None:
        """Draw a boat, its sails, and its broken reflection."""
        u, v = (self.x - at_x) / size + 0.15 * self.wobble, (at_y - self.y) / size
        level = np.zeros_like(u)
        image = (v < 0) & (v > -0.9) & (swell > 0.1 + 3 * u**2)
        self.put(image, mix(OCHER, VERMILION, step(0.0, -0.2, u)), level)
        leech = 0.46 * np.maximum(1 - (v - 0.12) / 1.15, 0) ** 0.8
        main = (v > 0.12) & (u > 0.02) & (u < leech)
        self.put(main, mix(CREAM, OCHER, step(0.15, 0.4, u)), 1.45 + 0.5 * u)
        jib = (v > 0.15) & (u < -0.03) & (u > -0.30 * (1 - (v - 0.15) / 0.95))
        self.put(jib, mix(VERMILION, OCHER, step(-0.3, 0.0, u) * 0.5), 1.8 + 0.5 * u)
        hull = (v < 0.12) & (v > -0.10) & (np.abs(u) < 0.48 + 0.6 * v)
        self.put(hull, mix(INK, MADDER, step(-0.1, 0.1, v)), level)

    def field(self) -> None:
        """Draw the near shore, with furrows that run toward the water."""
        x, y, wobble = self.x, self.y, self.wobble
        shore = 0.86 - 0.17 * step(0.75, 0.0, x) + 0.03 * np.sin(6 * x) + wobble
        furrow = np.sin(9 * (x - 0.35) / np.maximum(y - 0.45, 0.1) + 60 * wobble)
        soil = mix(mix(OCHER, YELLOW, step(0.0, 0.9, furrow)), VERMILION, step(0.1, 0.9, -furrow))
        soil = mix(soil, TEAL, step(0.7, 1.0, -furrow) * 0.8)
        self.put(y > shore, soil, np.arctan2(y - 0.45, x - 0.35))

    def pine(self, foot_x: float, foot: float, fork: float, lean: float, size: float) -> None:
        """Draw a pine: a trunk from the foot up to the fork, and a crown wider than high."""
        x, y = self.x, self.y
        t = np.clip((foot - y) / (foot - fork), 0, 1)
        stem = x - foot_x - lean * t**2 - 0.006 * np.sin(9 * t)
        wood = mix(MADDER, VERMILION, step(0.0, 0.010, stem))
        wood = mix(INK, wood, step(-0.016, -0.004, stem))
        trunk = (np.abs(stem) < 0.019 - 0.007 * t) & (y < foot) & (y > fork)
        self.put(trunk, wood, np.arctan2(fork - foot, 2 * lean * t))
        top = foot_x + lean
        for side in (-0.75, -0.3, 0.35, 0.8):  # branches spread from the fork into the crown
            rise = np.clip((fork + 0.01 - y) / (0.42 * size), 0, 1)
            off = np.abs(x - top - side * size * rise**0.8)
            branch = (off < 0.007) & (y < fork + 0.01) & (y > fork - 0.42 * size)
            self.put(branch, MADDER, np.arctan2(-0.42, side + 0 * x))
        fan = np.arctan2(y - fork - 0.25 * size, x - top)  # needles point away from the fork
        lobes = ((-0.1, -0.71, 0.55), (0.5, -0.56, 0.55), (-0.62, -0.5, 0.55))
        for dx, dy, r in (*lobes, (1.0, -0.32, 0.42), (-1.05, -0.27, 0.42), (0.1, -0.38, 0.62)):
            u = (x - top - dx * size) / (size * r)
            v = (y - fork - dy * size) / (size * r * 0.62)
            light = 0.45 * u - 0.85 * v + 0.35 * self.dapple
            crown = mix(mix(INK, PINE, step(-0.9, 0.1, light)), TEAL, step(0.15, 0.6, light))
            tuft = mix(OCHER, YELLOW, step(0.8, 1.2, light))
            crown = mix(crown, tuft, step(0.62, 0.85, light))
            self.put(np.hypot(u, v) + 5 * self.wobble < 1.0, crown, fan + 0.5 * self.dapple)


class Canvas:
    """Wet paint: color [H, W, 3] in sRGB and height [H, W] in pixels."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start with a dark red ground, which shows between the strokes."""
        self.rng = rng
        self.color = np.tile(MADDER * 0.8, (HEIGHT, WIDTH, 1))
        self.height = np.zeros((HEIGHT, WIDTH))
        # bristles: noise stretched along the stroke (rows); columns run across the brush
        self.bristles = noise_tile(rng, 0.55, 512)
        smooth = np.cumsum(np.vstack([self.bristles, self.bristles]), axis=0)
        self.bristles = smooth[90:602] - smooth[:512]
        self.bristles /= self.bristles.std()

    def layer(self, motif: Motif, width: float, length: float, keep: Array) -> None:
        """Cover the canvas with strokes of a width and length in pixels, in random order.

        keep [H, W] is the probability that a place gets its stroke.
        """
        gap = width * 0.62
        rows, columns = np.mgrid[0 : HEIGHT + gap : gap, 0 : WIDTH + gap : gap]
        at = np.stack([columns.ravel(), rows.ravel()], axis=1)
        at = np.clip(at + self.rng.uniform(-gap, gap, at.shape) * 0.6, 0, (WIDTH - 1, HEIGHT - 1))
        inside = at.astype(int)
        at = self.rng.permutation(at[self.rng.random(len(at)) < keep[inside[:, 1], inside[:, 0]]])
        for place in at:
            self.stroke(motif, place, width * self.rng.uniform(0.75, 1.25), length)

    def stroke(self, motif: Motif, at: Array, width: float, length: float) -> None:
        """Paint one stroke through a place: a cubic along the flow, while the color is similar."""
        i, j = int(at[1]), int(at[0])
        target = motif.color[i, j]
        angle = motif.angle[i, j] + self.rng.normal(0, 0.10)
        ends, reach = [], []
        for sign in (1.0, -1.0):  # follow the flow both ways until the color changes
            spot, way = at.copy(), sign * rgb(np.cos(angle), np.sin(angle))
            for travelled in range(8):
                ahead = spot + way * length / 16
                k, m = int(ahead[1]), int(ahead[0])
                if not (0 <= k < HEIGHT and 0 <= m < WIDTH) or (
                    travelled and np.abs(motif.color[k, m] - target).max() > 0.30
                ):
                    break
                spot = ahead
                turn = rgb(np.cos(motif.angle[k, m]), np.sin(motif.angle[k, m]))
                way = way * 0.4 + turn * np.sign(turn @ way) * 0.6
                way /= np.linalg.norm(way)
            local = spot - at
            u = local[0] * np.cos(angle) + local[1] * np.sin(angle)
            v = local[1] * np.cos(angle) - local[0] * np.sin(angle)
            reach.append(sign * max(abs(u), width * 0.4))
            ends.append(np.clip(v, -0.7 * abs(u), 0.7 * abs(u)))  # a steeper cubic folds
        # v = a u² + b u³ through both ends, in the frame of the stroke's middle
        (u1, u2), (v1, v2) = reach, ends
        b = (v1 / u1**2 - v2 / u2**2) / (u1 - u2)
        a = v1 / u1**2 - b * u1
        self.press(at, angle, (u2, u1), (a, b), width, self.mixed(target))

    def mixed(self, target: Array) -> tuple[Array, Array]:
        """Return the two colors on the brush, near the target, different in hue and brightness."""
        value = self.rng.normal(1.0, 0.09)
        base = np.clip(target * value + self.rng.normal(0, 0.035, 3), 0.01, 1)
        other = CREAM if self.rng.random() < 0.5 else ULTRAMARINE
        return base, mix(base, other, np.array(self.rng.uniform(0.08, 0.38)))

    def press(
        self,
        at: Array,
        angle: float,
        reach: tuple[float, float],
        curve: tuple[float, float],
        width: float,
        colors: tuple[Array, Array],
    ) -> None:
        """Move the loaded brush over the canvas along a curve."""
        radius = max(-reach[0], reach[1]) + width
        left, top = (max(int(c - radius), 0) for c in at)
        right, bottom = min(int(at[0] + radius), WIDTH), min(int(at[1] + radius), HEIGHT)
        y, x = np.mgrid[top:bottom, left:right]
        if x.size == 0:
            return
        x, y = x - at[0], y - at[1]
        u = x * np.cos(angle) + y * np.sin(angle)
        c = np.clip(u, *reach)
        v = y * np.cos(angle) - x * np.sin(angle) - curve[0] * c**2 - curve[1] * c**3
        lean = 2 * curve[0] * c + 3 * curve[1] * c**2
        t = 2 * v / np.sqrt(1 + lean**2) / width  # -1..1 across the brush
        near = (np.abs(t) < 1.15) & (u > reach[0] - width / 2) & (u < reach[1] + width / 2)
        if not near.any():
            return
        u, t = u[near], t[near]
        place = self.rng.random(2)
        hair = sample(self.bristles, place[0] + t * width / 512 * 0.42, place[1] + u / 512)
        patch = sample(self.bristles, place[1] + t * 0.012, place[0] + u / 1024)
        # a stroke starts round, and ends ragged where the brush runs dry
        start = (u - reach[0]) / width + 0.45 - 0.35 * t**2
        finish = (reach[1] - u) / width + 0.45 - 0.25 * t**2 + 0.16 * hair
        sides = (1 - np.abs(t) + 0.05 * hair) * width * 0.5
        run = (u - reach[0]) / (reach[1] - reach[0])
        dry = np.clip(1.25 + 0.55 * hair - 1.1 * step(0.55, 1.1, run), 0, 1)
        alpha = np.clip(np.minimum(sides, np.minimum(start, finish) * width * 0.5), 0, 1) * dry
        ridge = np.exp(-(((np.abs(t) - 0.85) / 0.16) ** 2)) + np.exp(-((finish / 0.22) ** 2))
        paint = width**0.5 * (0.55 + 0.30 * hair + 0.45 * ridge)
        tone = mix(colors[0], colors[1], step(-0.2, 1.6, hair + 0.7 * patch))
        tone = tone * (1 + 0.07 * hair)[:, None]
        rows, columns = np.nonzero(near)
        at_rows, at_columns = rows + top, columns + left
        self.color[at_rows, at_columns] = mix(self.color[at_rows, at_columns], tone, alpha)
        below = self.height[at_rows, at_columns]
        self.height[at_rows, at_columns] = below + alpha * (0.35 * below + paint - below)

    def lit(self) -> Array:
        """Return the picture lit from the upper left, which shows the relief."""
        gy, gx = np.gradient(blur(self.height[..., None], 0.6)[..., 0])
        facing: Array = np.add(gx, gy)  # paint that rises to the lower right faces the light
        shade = np.clip(1 + 0.13 * facing, 0.72, 1.3)
        gloss = 0.08 * step(0.5, 1.6, facing)
        shown: Array = self.color * shade[..., None] + gloss[..., None]
        return np.clip(shown, 0, 1)


def paint(rng: np.random.Generator) -> Array:
    """Return the painting [H, W, 3] in sRGB 0..1."""
    motif, canvas = Motif(rng), Canvas(rng)
    detail = motif.detail / np.quantile(motif.detail, 0.95)
    for width, length, plain, least_detail in (
        (40, 190, 1.0, 0.0),
        (25, 140, 0.9, 0.0),
        (15, 90, 0.40, 0.25),
        (9, 54, 0.06, 0.45),
        (6, 32, 0.0, 0.75),
    ):
        # plain areas keep broad strokes; finer brushes need more detail
        canvas.layer(
            motif, width, length, np.maximum(plain, step(least_detail, least_detail + 0.4, detail))
        )
    return canvas.lit()
