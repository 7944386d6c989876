"""Palette knife: a street at night in the rain, in slabs of orange and ultramarine.

The street is seen in one-point perspective. What stands on it is drawn twice: upright, and upside
down for the wet pavement.
"""

import numpy as np

from canvas import GAP, Brush, Canvas, contrast, resized, weave
from light import Array, blur, mix, noise_tile, rgb, sample, step

SCALE = 1.5  # painted this much larger, then reduced, for anti-aliasing
SIZE = (int(1400 * SCALE), int(1050 * SCALE))
WIDTH, HEIGHT = 1050, 788  # size of the motif, which needs no more than the strokes show
VANISH_X, VANISH_Y = 0.70, 0.500  # vanishing point, in picture heights
EYE = 0.60  # height of the painter's eye; the left row of houses is at a distance of 1 sideways

NIGHT, ULTRAMARINE, VIOLET = rgb(0.03, 0.04, 0.17), rgb(0.09, 0.15, 0.52), rgb(0.30, 0.16, 0.50)
TURQUOISE, LEMON, AMBER = rgb(0.10, 0.48, 0.58), rgb(1.0, 0.90, 0.48), rgb(0.99, 0.64, 0.12)
ORANGE, SCARLET, MAROON = rgb(0.95, 0.40, 0.07), rgb(0.84, 0.14, 0.10), rgb(0.30, 0.05, 0.14)
GREEN = rgb(0.16, 0.36, 0.16)

# sideways place and nearness (1 / distance) of lamps and trees, from far to near
LAMPS = (
    (0.62, 0.08),
    (-0.72, 0.10),
    (0.62, 0.13),
    (-0.72, 0.19),
    (0.62, 0.24),
    (-0.72, 0.42),
    (0.62, 0.58),
)
TREES = ((0.98, 0.075), (0.98, 0.11), (0.98, 0.165), (0.98, 0.26), (0.98, 0.43), (0.98, 0.70))


class Street:
    """The motif: color [H, W, 3] in sRGB and the direction of the strokes [H, W]."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Build the street from the far end forward."""
        self.rng = rng
        self.y, self.x = (a / HEIGHT for a in np.mgrid[:HEIGHT, :WIDTH].astype(float))
        self.broad, self.rough = noise_tile(rng, 1.8), noise_tile(rng, 1.2)
        self.seed = int(rng.integers(1 << 30))
        upright, standing, turn = self.view(1.0)
        mirror, _, _ = self.view(-1.0)
        self.color = mix(self.pavement(mirror), upright, standing)
        loose = 0.5 * sample(self.broad, self.x * 1.5, self.y * 1.5)
        ground = np.where(sample(self.broad, self.x * 0.8, self.y * 2.4) > 0.7, 0.0, np.pi / 2)
        self.angle = np.where(standing > 0.5, turn, ground) + 0.4 * loose

    def view(self, sign: float) -> tuple[Array, Array, Array]:
        """Return color, share of what stands and direction; sign -1 is the view in the wet."""
        self.sign, self.things = sign, np.random.default_rng(self.seed)
        x, y = self.x, VANISH_Y + sign * (self.y - VANISH_Y)
        self.standing = step(VANISH_Y + 0.004, VANISH_Y, y)
        cloud = sample(self.broad, x * 0.8, y * 1.9) + 0.3 * sample(self.broad, x * 3, y * 6)
        sky = mix(NIGHT, ULTRAMARINE, step(-0.1, 0.42, y + 0.10 * cloud))
        sky = mix(sky, VIOLET, step(0.22, 0.46, y + 0.07 * cloud) * 0.85)
        sky = mix(sky, TURQUOISE, 0.75 * step(0.5, 1.5, cloud) * step(0.45, 0.15, y))
        glow = np.exp(-(np.hypot((x - VANISH_X) / 0.30, (y - VANISH_Y) / 0.20) ** 1.3))
        self.picture = mix(sky, ORANGE, 0.85 * glow)
        self.picture = mix(self.picture, LEMON, 0.85 * glow**3)
        self.turn = -0.5 + 0.5 * cloud
        self.tower()
        self.houses()
        order = sorted([(d, s, 0) for s, d in LAMPS] + [(d, s, 1) for s, d in TREES])
        order.append((0.50, -0.02, 2))
        for near, side, kind in sorted(order):
            (self.lamp, self.tree, self.couple)[kind](side, near)
        return self.picture, self.standing, self.turn

    def put(self, mask: Array, color: Array, turn: Array | float | None = None) -> None:
        """Put a color where mask [H, W], 0..1, is set."""
        self.picture = mix(self.picture, np.broadcast_to(color, self.picture.shape), mask)
        self.standing = np.maximum(self.standing, mask)
        if turn is not None:
            self.turn = np.where(mask > 0.5, turn, self.turn)

    def height(self, near: Array | float) -> Array:
        """Return the height above the street of each place, at a nearness."""
        above: Array = self.sign * (EYE - (self.y - VANISH_Y) / near)
        return above

    def blob(self, side: float, high: float, near: float, wide: float, tall: float) -> Array:
        """Return the distance, 1 at the rim, from an ellipse that stands in the street."""
        u = (self.x - VANISH_X) / near - side
        away: Array = np.hypot(u / wide, (self.height(near) - high) / tall)
        return away

    def tower(self) -> None:
        """Put a church and roofs at the end of the street, dark against the glow."""
        near = 0.06
        h, u = self.height(near), (self.x - VANISH_X) / near
        skyline = 1.7 + 0.7 * np.floor(2 * np.sin(u * 1.1) + 2 * np.sin(u * 0.47 + 2)) * 0.4
        spire = np.where(np.abs(u + 0.9) < 0.42, 4.2, 0) + np.maximum(
            0, np.where(np.abs(u + 0.9) < 0.5, 2.6 * (1 - np.abs(u + 0.9) / 0.5), 0)
        )
        mask = step(0, 0.1, np.maximum(skyline, spire) - h) * step(-0.05, 0.0, h)
        self.put(mask, mix(VIOLET * 0.7, MAROON, step(0, 3, h)), np.pi / 2)
        lit = (np.abs(u + 0.9) < 0.12) & (np.abs(h - 3.4) < 0.3)
        self.put(lit.astype(float), LEMON)

    def houses(self) -> None:
        """Put the row of houses on the left, with lit windows and shops."""
        near = np.maximum(VANISH_X - 0.02 - self.x, 1e-3)
        deep, h = 1 / near, self.height(near)
        number = np.floor((deep - 1.3) / 1.5).astype(int).clip(0, 7)
        tops = rgb(1.75, 1.45, 1.9, 1.55, 1.8, 1.5, 1.7, 1.6)[number]
        walls = np.stack([MAROON * 1.2, ULTRAMARINE * 0.75, VIOLET * 0.8, MAROON + 0.06] * 2)[
            number
        ]
        gable = 0.25 * (1 - 2 * np.abs(((deep - 1.3) / 1.5) % 1 - 0.5))
        mask = step(0, 0.03, tops + gable - h) * step(-0.02, 0.0, h) * (near > 0.05)
        shade = 0.75 + 0.5 * step(1.2, 0.2, h) + 0.12 * sample(self.rough, deep, h)
        self.put(mask, walls * shade[..., None], np.pi / 2)
        self.put(mask * step(0, 0.02, h - tops), NIGHT + 0.06, 0.5)
        column, row = (deep - 1.3) / 0.375, (h - 0.5) / 0.36
        cell = (np.floor(column).astype(int) * 7 + np.floor(row).astype(int) * 13) % 19
        across, up = column % 1, row % 1
        window = (np.abs(across - 0.5) < 0.24) & (np.abs(up - 0.45) < 0.32) & (h > 0.5)
        window &= (h < tops - 0.12) & (mask > 0.5)
        lit = np.isin(cell, (0, 2, 3, 5, 8, 9, 12, 14, 17))
        warm = mix(AMBER, LEMON, step(0.8, 0.2, up))
        self.put((window & lit).astype(float), warm, np.pi / 2)
        self.put((window & ~lit).astype(float), ULTRAMARINE * 0.9, np.pi / 2)
        self.put((window & (np.abs(across - 0.5) < 0.03)).astype(float), MAROON)
        shop = (h > 0.06) & (h < 0.34) & (mask > 0.5) & (np.abs((column / 2) % 1 - 0.5) < 0.40)
        self.put(shop.astype(float), mix(ORANGE, LEMON, step(0.05, 0.30, h)), np.pi / 2)
        awning = (h > 0.34) & (h < 0.43) & (mask > 0.5)
        stripes = mix(SCARLET, TURQUOISE, (number % 2).astype(float))
        self.put(awning.astype(float), stripes, np.pi / 3)

    def lamp(self, side: float, near: float) -> None:
        """Put a lamp and the glow around it."""
        u, h = (self.x - VANISH_X) / near - side, self.height(near)
        post = step(0.022, 0.016, np.abs(u)) * (h > 0) * (h < 1.0)
        self.put(post, NIGHT, np.pi / 2)
        away = self.blob(side, 1.08, near, 1.0, 1.0)
        halo = np.exp(-away / 0.22)
        self.picture = self.picture + (halo * 0.75)[..., None] * rgb(1.0, 0.62, 0.22)
        self.picture = np.clip(self.picture, 0, 1)
        self.put(step(0.10, 0.08, away), LEMON + rgb(0, 0.05, 0.25))
        ring = np.arctan2(self.height(near) - 1.08, u) * -self.sign + np.pi / 2
        self.turn = np.where((away < 0.42) & (self.standing > 0.5), ring, self.turn)

    def tree(self, side: float, near: float) -> None:
        """Put a tree, whose leaves the lamps light from the left and from below."""
        u, h = (self.x - VANISH_X) / near - side, self.height(near)
        bend = 0.04 * np.sin(5 * h + side + 30 * near)
        trunk = step(0.055, 0.045, np.abs(u - bend) - 0.02 * step(0.3, 0, h)) * (h > 0) * (h < 1.4)
        bark = mix(MAROON * 0.7, ORANGE, step(0.01, -0.05, u - bend) * 0.8)
        self.put(trunk, bark, np.pi / 2)
        clusters = [
            (self.things.uniform(-0.55, 0.55), self.things.uniform(0.95, 1.95)) for _ in range(15)
        ]
        for dx, high in sorted(clusters, key=lambda c: -c[1]):
            radius = self.things.uniform(0.20, 0.34)
            away = self.blob(side + dx, high, near, radius, radius * 0.85)
            away = away + 0.22 * sample(self.rough, self.x * 0.3 / near, self.y * 0.3 / near)
            lit = -0.65 * (u - dx) / radius - 0.55 * (h - high) / radius - 1.1 * (high - 1.35)
            lit = (
                lit
                + self.things.normal(0, 0.35)
                + 0.45 * sample(self.rough, self.x * 2, self.y * 2)
            )
            tone = mix(MAROON, SCARLET, step(-1.6, -0.5, lit))
            tone = mix(tone, ORANGE, step(-0.6, 0.3, lit))
            tone = mix(tone, AMBER, step(0.2, 1.0, lit))
            tone = mix(tone, LEMON, step(0.9, 1.7, lit))
            if self.things.random() < 0.12:
                tone = mix(tone, GREEN, np.array(0.4))
            self.put(step(1.04, 0.96, away), tone, -0.8 + self.things.normal(0, 0.6))

    def couple(self, side: float, near: float) -> None:
        """Put two people under a red umbrella."""
        h = self.height(near)
        for dx, coat, tall in ((-0.055, NIGHT + 0.02, 0.50), (0.065, TURQUOISE * 0.8, 0.46)):
            u = (self.x - VANISH_X) / near - side - dx
            wide = np.interp(
                h, (0, 0.17, 0.20, 0.36, tall - 0.07), (0.034, 0.042, 0.068, 0.060, 0.03)
            )
            body = step(0.006, 0, np.abs(u) - wide) * (h > 0.0) * (h < tall - 0.06)
            self.put(body, mix(coat, ORANGE, step(0.02, 0.06, u) * 0.75), np.pi / 2)
            legs = (np.abs(u) < 0.009) & (h > 0) & (h < 0.15)
            self.put(legs.astype(float), ORANGE * 0.8)
            head = self.blob(side + dx, tall - 0.03, near, 0.034, 0.042)
            self.put(step(1.05, 0.95, head), mix(MAROON, AMBER, step(-0.01, 0.03, u)))
        u = (self.x - VANISH_X) / near - side
        dome = self.blob(side, 0.50, near, 0.24, 0.15)
        ribs = 0.025 * np.abs(np.sin(u * 26))
        mask = step(1.03, 0.97, dome) * step(0.50, 0.505, h - ribs)
        shade = mix(SCARLET, AMBER, step(0.05, 0.24, np.abs(u + 0.02)) * 0.8)
        shade = mix(shade, MAROON, step(0.56, 0.50, h) * 0.6)
        self.put(mask, shade, np.arctan2(0.6 * u, 0.25 + 0 * u))

    def pavement(self, mirror: Array) -> Array:
        """Return the wet street: the mirror view, smeared downward and broken by ripples."""
        shift = (0.012 * sample(self.rough, self.x * 0.6, self.y * 7) * HEIGHT).astype(int)
        columns = np.clip(np.arange(WIDTH)[None] + shift, 0, WIDTH - 1)
        wavy = mirror[np.arange(HEIGHT)[:, None], columns]
        tall = np.zeros_like(wavy)
        for k in range(-4, 5):
            tall += np.roll(wavy, 6 * k, axis=0) / 9
        smeared = 0.55 * tall + 0.45 * wavy
        down = np.clip((self.y - VANISH_Y) / (1 - VANISH_Y), 0, 1)
        stone = mix(VIOLET * 0.75, NIGHT + 0.05, down)
        wet = 0.86 - 0.30 * step(0.2, 1.4, sample(self.broad, self.x * 0.9, self.y * 3.2))
        street = mix(stone, smeared, wet)
        joint = step(0.9, 1.0, np.sin(26 / np.maximum(down, 0.02) ** 0.5) * 0.5 + 0.5) * 0.18
        street = mix(street, ULTRAMARINE * 0.6, joint * step(0.0, 0.15, down))
        return np.clip(street * 1.06, 0, 1)


class Slabs(Canvas):
    """A canvas on which a palette knife spreads paint: flat slabs with sharp rims."""

    def stroke(
        self, spine: Array, width: float, colors: tuple[Array, Array], body: float = 1.0
    ) -> None:
        """Press the knife along the chord of a spine [n, 2]."""
        chord = spine[-1] - spine[0]
        long = max(float(np.hypot(*chord)), width * 0.9)
        turn = np.arctan2(chord[1], chord[0]) if len(spine) > 1 else self.rng.uniform(0, np.pi)
        turn += self.rng.normal(0, 0.18)
        middle = (spine[0] + spine[-1]) / 2
        along = np.arange(-long / 2, long / 2, GAP)[:, None]
        across = np.arange(-width / 2, width / 2, GAP)[None]
        u, t = (a.ravel() for a in np.broadcast_arrays(along / long * 2, across / width * 2))
        lean = self.rng.normal(0, 0.16)  # the blade's ends are not square
        px = u * long / 2 + lean * t * width / 2
        py = (
            t * width / 2 * (1 + 0.16 * u * self.rng.normal())
            + self.rng.normal(0, 0.05) * width * u**2
        )
        j = np.round(middle[0] + px * np.cos(turn) - py * np.sin(turn)).astype(int)
        i = np.round(middle[1] + px * np.sin(turn) + py * np.cos(turn)).astype(int)
        inside = (i >= 0) & (i < self.rows) & (j >= 0) & (j < self.columns)
        i, j, u, t = i[inside], j[inside], u[inside], t[inside]
        if len(i) == 0:
            return
        start = self.rng.integers(1024, size=4)
        drag = self.bristles[
            (start[0] + u * long * 0.25).astype(int) % 1024,
            (start[1] + t * width * 0.16).astype(int) % 1024,
        ]
        fine = self.bristles[
            (start[2] + u * long * 0.5).astype(int) % 1024,
            (start[3] + t * width * 0.5).astype(int) % 1024,
        ]
        tail = 1 - u + 0.10 * drag
        edge = np.minimum(1 - np.abs(t) + 0.03 * fine, np.minimum(1 + u, tail) * long / width)
        alpha = np.clip(edge * width / 2.2, 0, 1)
        # toward its end, the knife catches only what is raised
        high = self.relief[i, j] - np.median(self.relief[i, j])
        alpha = alpha * np.clip(1.5 - 1.3 * step(0.1, 1.0, u) + 0.35 * drag + 0.25 * high, 0, 1)
        tone = mix(colors[0], colors[1], step(-0.2, 1.3, drag + 0.25 * fine))
        tone = mix(tone, self.color[i, j], 0.05 + 0.20 * step(-0.4, 1.0, u + 0.4 * drag))
        self.color[i, j] = np.clip(mix(self.color[i, j], tone, alpha), 0, 1)
        rim = np.exp(-(((1 - np.abs(t)) * width / 2 / 2.4) ** 2)) + 1.4 * np.exp(
            -((tail * long / 2 / 4.5) ** 2)
        )
        paint = body * (2.8 + 0.12 * width**0.5 * drag + 3.4 * rim + 0.25 * fine)
        below = self.relief[i, j]
        self.relief[i, j] = below + alpha * (0.3 * below + paint - below)


LAYERS = (  # with the probability of a stroke where the motif is plain
    (Brush(120, 300, 0.0, 1.0, 0.06, 0.6), 1.0),
    (Brush(78, 200, 0.015, 1.1, 0.08, 0.40), 1.0),
    (Brush(50, 130, 0.03, 1.2, 0.08, 0.34), 0.55),
    (Brush(31, 80, 0.045, 1.2, 0.075, 0.30), 0.12),
    (Brush(19, 50, 0.06, 1.0, 0.06, 0.26), 0.0),
    (Brush(11, 32, 0.085, 0.9, 0.05, 0.22), 0.0),
)


def paint(rng: np.random.Generator) -> Array:
    """Return the painting [H, W, 3] in sRGB 0..1."""
    street = Street(rng)
    motif = np.clip(resized(street.color, SIZE), 0, 1)
    pair = resized(np.stack([np.cos(2 * street.angle), np.sin(2 * street.angle)], axis=2), SIZE)
    angle = np.arctan2(pair[..., 1], pair[..., 0]) / 2
    detail = contrast(motif)
    canvas = Slabs(rng, weave(SIZE[1], SIZE[0], noise_tile(rng, 1.4), MAROON * 0.7))
    for brush, plain in LAYERS:
        canvas.layer(blur(motif, brush.width * 0.08), angle, brush, np.maximum(plain, detail))
    return canvas.lit(SCALE, 0.16)
