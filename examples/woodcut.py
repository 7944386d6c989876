"""Woodcut: a great wave before a snowy mountain, printed from seven blocks in flat inks.

Each ink has its own block, and every shape is cut out of all blocks behind it. The prints are a
little out of register; wood grain and the baren, the pad that rubs the paper, show in the ink.
"""

import numpy as np
from PIL import Image, ImageDraw

from canvas import reduced
from light import Array, blur, noise_tile, rgb, sample, step

SCALE = 1.5  # printed this much larger, then reduced, for anti-aliasing
WIDTH, HEIGHT = int(1400 * SCALE), int(950 * SCALE)
ASPECT = WIDTH / HEIGHT
HORIZON = 0.665

ROSE, RED, OCHER, GREEN, SKY, BLUE, KEY = range(7)  # the blocks, in the order of printing
INKS = (
    rgb(0.97, 0.77, 0.63),
    rgb(0.86, 0.27, 0.17),
    rgb(0.87, 0.69, 0.38),
    rgb(0.33, 0.46, 0.36),
    rgb(0.60, 0.76, 0.80),
    rgb(0.16, 0.32, 0.52),
    rgb(0.10, 0.13, 0.24),
)

Points = list[tuple[float, float]]


def curve(points: Points, count: int = 120) -> Array:
    """Return a smooth curve [count, 2] through points (Catmull-Rom spline)."""
    p = np.array(points, float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    s = np.linspace(0, len(p) - 3 - 1e-9, count)
    k = s.astype(int)
    t = (s - k)[:, None]
    a, b, c, d = p[k], p[k + 1], p[k + 2], p[k + 3]
    smooth: Array = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return smooth


class Blocks:
    """The ink of every block, [7, H, W]; lengths are in picture heights."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start with uncut, uninked blocks."""
        self.rng = rng
        self.y, self.x = (a / HEIGHT for a in np.mgrid[:HEIGHT, :WIDTH].astype(float))
        self.ink = np.zeros((len(INKS), HEIGHT, WIDTH))
        self.broad, self.rough = noise_tile(rng, 1.9), noise_tile(rng, 1.2)

    def area(self, outline: Array) -> Array:
        """Return the inside of a polygon [n, 2] as a mask [H, W], 0..1."""
        sheet = Image.new("L", (WIDTH, HEIGHT))
        ImageDraw.Draw(sheet).polygon((outline * HEIGHT).ravel().tolist(), fill=255)
        return np.asarray(sheet, float) / 255

    def put(self, mask: Array, block: int, density: Array | float = 1.0) -> None:
        """Cut a mask out of all blocks and ink it on one."""
        self.ink *= 1 - mask
        self.ink[block] += mask * density

    def add(self, mask: Array, block: int, density: Array | float = 1.0) -> None:
        """Print one more ink over what is there."""
        self.ink[block] = np.maximum(self.ink[block], mask * density)

    def band(self, points: Array, wide: float, taper: tuple[float, float] = (0.25, 0.25)) -> Array:
        """Return a line's outline [2 n, 2]; taper gives the width of its ends."""
        slope = np.gradient(points, axis=0)
        normal = np.column_stack([-slope[:, 1], slope[:, 0]])
        normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
        t = np.linspace(0, 1, len(points))
        shape = np.interp(t, (0, 0.3, 0.7, 1), (taper[0], 1, 1, taper[1]))
        phase = self.rng.uniform(0, 6.3)
        half = wide / 2 * shape * (1 + 0.22 * np.sin(9 * t + phase) + 0.1 * np.sin(31 * t + phase))
        return np.vstack([points + normal * half[:, None], (points - normal * half[:, None])[::-1]])

    def lines(
        self, every: list[Array], wide: float, block: int = KEY, density: float = 1.0
    ) -> None:
        """Cut lines [n, 2] into a block."""
        sheet = Image.new("L", (WIDTH, HEIGHT))
        pen = ImageDraw.Draw(sheet)
        for points in every:
            pen.polygon((self.band(points, wide) * HEIGHT).ravel().tolist(), fill=255)
        self.add(np.asarray(sheet, float) / 255, block, density)

    def print(self) -> Array:
        """Return the print [H, W, 3] in sRGB 0..1."""
        rng = self.rng
        fiber = sample(self.rough, self.x * 1.1, self.y * 2.3)
        sheet = rgb(0.955, 0.915, 0.825) * (1 + 0.012 * fiber)[..., None]
        bend = 0.10 * sample(self.broad, self.x * 0.16, self.y * 0.9)
        rings = 0.5 + 0.5 * np.sin(2 * np.pi * (self.y + bend) * 34)
        streaks = sample(self.rough, self.x * 0.35, self.y * 9)
        grain = 0.55 * (rings**3 - 0.35) + 0.35 * streaks
        tooth = blur(rng.standard_normal((HEIGHT, WIDTH, 1)), 1.1)[..., 0]
        tooth /= tooth.std()
        for block, ink in enumerate(INKS):
            down, right = rng.integers(5, size=2)
            wider = np.pad(self.ink[block], 2, mode="edge")
            moved = wider[down : down + HEIGHT, right : right + WIDTH]
            soft = blur(moved[..., None], 0.9)[..., 0]
            wide = blur(moved[..., None], 4.0)[..., 0]
            squeezed = 0.14 * np.clip(soft - wide, 0, 1)  # ink is pressed toward the edges
            dx, dy = rng.random(2)
            mottle = sample(self.broad, self.x * 1.3 + dx, self.y * 1.3 + dy)
            strong = 0.35 if block == KEY else 1.0
            much = 0.94 + strong * (0.24 * grain + 0.07 * mottle) - 0.05 * tooth
            bare = step(2.1, 2.7, tooth - 0.5 * grain) * strong  # specks without ink
            much = np.clip(much * (1 - 0.7 * bare), 0.25, 1.3) + squeezed
            sheet = sheet * ink ** (soft * much)[..., None]
        return np.clip(sheet, 0, 1)


def sky(b: Blocks) -> None:
    """Print the sky: blue at the top, rose at the horizon, a red sun, bands of cloud."""
    wave = 0.012 * np.sin(4 * b.x + 1) + 0.01 * sample(b.broad, b.x * 0.7, b.y)
    b.add(np.ones_like(b.x), BLUE, 0.95 * step(0.17, -0.03, b.y + wave))
    b.add(np.ones_like(b.x), SKY, 0.75 * step(0.42, 0.02, b.y + wave))
    b.add(np.ones_like(b.x), ROSE, 1.0 * step(0.36, 0.66, b.y + wave))
    sun = step(0.001, -0.001, np.hypot(b.x - 1.22, b.y - 0.235) - 0.088)
    b.put(sun, RED, 0.9 + 0.25 * step(0.15, 0.33, b.y))
    bars = [(0.90, 0.265, 0.17, 0.018), (1.02, 0.300, 0.22, 0.018), (1.35, 0.275, 0.14, 0.016)]
    bars += [(1.30, 0.308, 0.20, 0.014), (0.72, 0.115, 0.16, 0.014), (0.60, 0.145, 0.20, 0.015)]
    bars += [(1.42, 0.09, 0.16, 0.014), (1.30, 0.12, 0.12, 0.012)]
    for x, y, half, thick in bars:
        across = np.maximum(np.abs(b.x - x) - half, 0)
        d = np.hypot(across, b.y - y) - thick
        b.put(step(0.001, -0.001, d), ROSE, 0.55 * step(y - thick, y + thick, b.y))
        b.add(step(0.0012, 0.0002, np.abs(d)), KEY, 0.85)
        t = np.linspace(x - half * 0.8, x + half * 0.55, 30)
        b.lines([np.column_stack([t, 0 * t + y + thick * 0.35])], 0.0016, KEY, 0.7)
    for k in range(5):  # birds
        x, y = 0.83 + 0.045 * k + 0.012 * (k % 2), 0.40 + 0.018 * ((k * 7) % 3)
        wing: Points = [(x - 0.015, y - 0.006), (x - 0.006, y - 0.008), (x, y)]
        b.lines([curve([*wing, (x + 0.006, y - 0.009), (x + 0.015, y - 0.005)], 30)], 0.0032)


def mountain(b: Blocks) -> None:
    """Print the mountain: blue flanks, white snow, lines that run down the slopes."""
    middle, tall, top = 1.03, 0.235, 0.027

    def slope(x: Array) -> Array:
        off = np.maximum(np.abs(x - middle) - top, 0)
        notch = 0.006 * np.sin((x - middle) * 260) * (off == 0)
        y: Array = HORIZON + 0.012 - tall * np.exp(-off / 0.165) - notch
        return y

    x = np.linspace(middle - 0.56, middle + 0.56, 700)
    outline = np.column_stack([x, slope(x)])
    mask = b.area(np.vstack([outline, rgb(2, HORIZON + 0.02), rgb(0, HORIZON + 0.02)]))
    b.put(mask, BLUE, 0.30 + 0.62 * step(HORIZON, 0.45, b.y))
    teeth = np.abs(((x - middle) * 17 + 0.15 * np.sin(x * 40)) % 1 - 0.5) * 2
    low = 0.505 + 0.058 * teeth + 0.018 * np.abs(((x * 41) % 1) - 0.5)
    edge = np.column_stack([x, np.maximum(low, slope(x))])
    snow = b.area(np.vstack([outline, edge[::-1]]))
    b.put(snow, SKY, 0.35 * step(0.0, 0.09, b.x - middle))
    inside = (low > slope(x)) & (np.abs(x - middle) < 0.2)
    b.lines([edge[inside]], 0.0016, KEY, 0.8)
    b.lines([outline], 0.0032)
    rills = []
    for k in np.linspace(-1, 1, 34):
        t = np.linspace(b.rng.uniform(0.25, 0.45), b.rng.uniform(0.6, 0.97), 24)
        across = middle + k * (top + 0.50 * t**2.2)
        down = slope(across) + (HORIZON - slope(across)) * (1 - np.abs(k)) * t * 0.8
        rills.append(np.column_stack([across, down]))
    b.lines(rills, 0.0015, KEY, 0.8)
    for base, tall2, shift in ((HORIZON + 0.004, 0.022, 0.0), (HORIZON + 0.012, 0.016, 2.0)):
        xs = np.linspace(0.5, ASPECT + 0.02, 500)
        bumps = np.abs(np.sin(xs * 31 + shift)) ** 0.7 * 0.008 + 0.005 * np.abs(np.sin(xs * 83))
        crest = base - bumps - tall2 * np.clip(np.sin(xs * 4.4 + shift + 1.2), 0, 1)
        shore = np.column_stack([xs, crest])
        b.put(b.area(np.vstack([shore, rgb(2, base + 0.006), rgb(0.5, base + 0.006)])), GREEN)
        b.lines([shore], 0.0018)


def sea(b: Blocks) -> None:
    """Print the far sea: pale blue, darker toward us, with short lines of waves."""
    b.put(step(-0.001, 0.001, b.y - HORIZON - 0.014), SKY, 0.7 + 0.5 * step(0.68, 0.9, b.y))
    strokes = []
    for _ in range(260):
        depth = b.rng.random() ** 1.4
        y, x = HORIZON + 0.022 + 0.30 * depth, b.rng.uniform(0.3, ASPECT)
        long = 0.025 + 0.13 * depth * b.rng.uniform(0.4, 1)
        t = np.linspace(0, 1, 24)
        lift = (0.002 + 0.007 * depth) * np.sin(np.pi * 2 * t * (1 + round(1.4 * depth)))
        strokes.append(np.column_stack([x + long * t, y + lift]))
    b.lines(strokes, 0.0021, BLUE)


def boat(b: Blocks, x: float, y: float, s: float, tilt: float) -> None:
    """Print a boat with a ribbed sail at x, y, of size s."""
    c, r = np.cos(tilt), np.sin(tilt)
    turn = np.array([[c, r], [-r, c]])

    def moved(points: Array) -> Array:
        there: Array = points @ turn * s + rgb(x, y)
        return there

    def place(points: Points) -> Array:
        return moved(np.array(points))

    def smooth(points: Points) -> Array:
        return moved(curve(points, 60))

    sail = smooth(
        [(-0.30, -0.98), (-0.36, -0.6), (-0.30, -0.16), (0.30, -0.16), (0.35, -0.55), (0.26, -0.98)]
    )
    sail = np.vstack([sail, sail[:1]])
    b.put(b.area(sail), OCHER, 0.42)
    b.lines([sail], 0.0030)
    ribs = [place([(k, -0.96), (k * 1.14, -0.55), (k, -0.17)]) for k in (-0.16, -0.03, 0.10, 0.2)]
    b.lines([curve([(float(u), float(v)) for u, v in rib], 30) for rib in ribs], 0.0017)
    b.lines([place([(0, -1.12), (0, -0.1)])], 0.0042)
    top: Points = [(-0.62, -0.26), (-0.42, -0.08), (0, -0.03), (0.42, -0.09), (0.72, -0.33)]
    hull = np.vstack([smooth(top), smooth([(0.60, -0.10), (0.38, 0.09), (0, 0.13), (-0.4, 0.08)])])
    b.put(b.area(hull), OCHER, 1.25)
    b.lines([np.vstack([hull, hull[:1]])], 0.0032)
    b.lines([smooth([(u * 0.92, v + 0.075) for u, v in top])], 0.0022)


def claws(b: Blocks, path: Array, count: int, size: float) -> None:
    """Print the fingers of foam that reach out from a breaking crest, a path [n, 2]."""
    slope = np.gradient(path, axis=0)
    for k in np.linspace(0, len(path) - 1, count).astype(int):
        out = np.arctan2(slope[k, 1], slope[k, 0]) + b.rng.normal(0, 0.15)
        long, turn = size * b.rng.uniform(0.7, 1.2), out + 0.25
        spots = [path[k]]
        for _ in range(5):  # the finger curls downward
            turn += 0.34
            spots.append(spots[-1] + rgb(np.cos(turn), np.sin(turn)) * long / 5)
        middle = curve([(float(x), float(y)) for x, y in spots], 30)
        finger = b.band(middle, size * 0.30, (0.9, 0.12))
        b.put(b.area(finger), SKY, 0.0)
        b.lines([finger[:30], finger[30:]], 0.0024)
        b.lines([middle[8:26]], 0.0014, BLUE)


def foam(b: Blocks, path: Array, size: float, count: int) -> None:
    """Print foam along a path: white knobs with key lines, and spray above them."""
    rng = b.rng
    spots = []
    for k in np.linspace(0, len(path) - 1, count).astype(int):
        grow = 0.45 + 0.55 * np.sin(np.pi * k / len(path)) ** 0.6
        for _ in range(3):
            x, y = path[k] + rng.normal(0, 0.38 * size * grow, 2)
            spots.append((x, y, size * grow * rng.uniform(0.35, 0.75)))
    rng.shuffle(spots)
    for layer in range(3):
        for x, y, radius in spots[layer::3]:
            rows = slice(
                *(int(np.clip((y + s * radius * 1.5) * HEIGHT, 0, HEIGHT)) for s in (-1, 1))
            )
            columns = slice(
                *(int(np.clip((x + s * radius * 1.5) * HEIGHT, 0, WIDTH)) for s in (-1, 1))
            )
            dx, dy = b.x[rows, columns] - x, b.y[rows, columns] - y
            if dx.size == 0:
                continue
            d = np.hypot(dx, dy) - radius * (1 + 0.02 * np.sin(7 * np.arctan2(dy, dx) + x * 90))
            b.ink[:, rows, columns] *= 1 - step(0.0009, -0.0009, d)
            shade = step(0.001, -0.001, d) * step(0.15, 0.6, (dx * 0.5 + dy) / radius)
            b.ink[SKY, rows, columns] += 0.6 * shade
            arc = step(0.0018, 0.0006, np.abs(d)) * step(-0.9, 0.2, (dx + dy) / radius)
            b.ink[KEY, rows, columns] = np.maximum(b.ink[KEY, rows, columns], arc)
    for _ in range(count * 3):
        x, y = path[rng.integers(len(path))] + rng.normal(0, 1, 2) * size * (1.5, 1.2)
        dot = np.hypot(b.x - x, b.y - y + size * 0.9) - rng.uniform(0.0012, 0.0035)
        b.ink *= 1 - step(0.0006, -0.0006, dot)


def wave(
    b: Blocks, back: Points, face: Points, stripes: int, base: float = 1.05, wide: float = 0.011
) -> None:
    """Print one wave: its back, its hollow face from the tip down, stripes between them."""
    rear, front = curve(back, 200), curve(face, 200)
    body = np.vstack([rear, front, rgb(front[-1, 0], base), rgb(rear[0, 0], base)])
    b.put(b.area(body), SKY, 1.1)
    rising = rear[::-1]  # both from the crest downward
    dark, thin = [], []
    for k in range(stripes):
        share = (k + 0.5) / stripes
        path = front * (1 - share) + rising * share
        dark.append(path[int(18 + 34 * b.rng.random()) : 200 - int(25 * b.rng.random())])
        share = (k + 1) / stripes
        thin.append((front * (1 - share) + rising * share)[int(30 * b.rng.random()) :])
    b.lines(dark, wide, BLUE)
    b.lines(thin[:-1], 0.0017)
    thick = 0.2 * np.clip(1.4 * np.linspace(1, 0, 200), 0, 1)[:, None]
    shade = b.area(np.vstack([front, (front * (1 - thick) + rising * thick)[::-1]]))
    b.add(shade, BLUE, 0.95)
    b.lines([rear, front], 0.0036)


def paint(rng: np.random.Generator) -> Array:
    """Return the print [H, W, 3] in sRGB 0..1."""
    b = Blocks(rng)
    sky(b)
    mountain(b)
    sea(b)
    boat(b, 1.27, 0.735, 0.085, 0.05)
    boat(b, 0.80, 0.715, 0.055, -0.05)
    great: Points = [
        (-0.22, 0.95),
        (-0.10, 0.70),
        (-0.03, 0.60),
        (0.10, 0.47),
        (0.22, 0.31),
        (0.36, 0.19),
        (0.50, 0.155),
    ]
    great += [(0.62, 0.20), (0.68, 0.30)]
    hollow: Points = [(0.68, 0.30), (0.60, 0.275), (0.52, 0.32), (0.475, 0.42), (0.49, 0.55)]
    hollow += [(0.56, 0.67), (0.68, 0.755), (0.86, 0.80), (1.05, 0.83)]
    wave(b, great, hollow, 9)
    crest = np.vstack([curve(great, 200)[130:], curve(hollow, 200)[:45]])
    claws(b, curve(great, 200)[150:196], 18, 0.06)
    foam(b, crest, 0.026, 50)
    boat(b, 0.93, 0.845, 0.20, 0.16)
    swell: Points = [(0.62, 1.02), (0.82, 0.955), (1.00, 0.86), (1.14, 0.80), (1.24, 0.815)]
    wave(b, swell, [(1.24, 0.815), (1.21, 0.86), (1.27, 0.92), (1.40, 0.95), (1.52, 0.96)], 6)
    foam(b, curve(swell, 200)[110:], 0.024, 24)
    near: Points = [(-0.20, 0.98), (-0.05, 0.80), (0.08, 0.76), (0.22, 0.765), (0.31, 0.82)]
    wave(b, near, [(0.31, 0.82), (0.30, 0.87), (0.40, 0.93), (0.60, 0.97), (0.85, 1.0)], 6)
    foam(b, curve(near, 200)[90:], 0.024, 24)
    return reduced(b.print(), SCALE)
