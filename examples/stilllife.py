"""A table with fruit, a jug and a bottle: what oil.py paints, found by sphere tracing.

Sphere tracing: Hart, "Sphere Tracing: A Geometric Method for the Antialiased Ray Tracing of
Implicit Surfaces", 1996. Lengths are in decimeters; x is right, y up, z toward the painter.
"""

from dataclasses import dataclass

import numpy as np

from light import Array, mix, noise_tile, rgb, sample, step

COLUMNS, ROWS = 720, 540
EYE, AIM, LENS = rgb(0.0, 2.75, 7.4), rgb(0.18, 0.98, 0.0), 2.72
KEY = rgb(-0.74, 0.50, 0.42) / np.linalg.norm(rgb(-0.74, 0.50, 0.42))  # toward the window
WALL, TABLE, CLOTH, JUG, BOTTLE, ORANGE, APPLE, PEAR, LEMON, GRAPE, PLATE, STEM = range(12)

ORANGES = ((0.62, 0.40, 0.55, 0.40), (1.28, 0.38, 0.20, 0.38), (0.98, 0.98, 0.28, 0.37))
APPLES = ((-0.42, 0.38, 1.10, 0.40), (1.92, 0.37, 0.62, 0.39))
PEARS = ((-1.72, 0.40, 0.72, 0.10), (0.18, 0.40, -0.05, -0.16))
LEMONS = ((-1.10, 0.27, 1.50, 0.4), (2.35, 0.27, 1.15, -0.7))


def grapes() -> Array:
    """Return the middles and radii [n, 4] of a bunch of grapes that lies on the cloth."""
    rng = np.random.default_rng(4)
    spots = []
    for k in range(46):
        t = k / 46
        wide = 0.46 * (1 - t) + 0.10
        spots.append(
            (
                0.25 + 0.95 * t + rng.uniform(-0.2, 0.2) * wide,
                0.15 + rng.uniform(0, 0.75) * wide * (1 - 0.4 * t),
                1.62 + rng.uniform(-1, 1) * wide * 0.75 + 0.2 * t,
                rng.uniform(0.115, 0.14),
            )
        )
    return np.array(spots)


GRAPES = grapes()


def folds(x: Array, z: Array) -> tuple[Array, Array]:
    """Return height and share of the white cloth on the table."""
    edge = 0.25 * np.sin(1.7 * z) + 0.12 * np.sin(4.1 * z + 1)
    share = step(-3.55, -3.50, x + edge) * step(1.75, 1.70, x - 0.42 * z + edge)
    share = share * step(0.10, 0.14, z + 0.15 * np.sin(2.3 * x))
    wave = 1 - np.abs(np.sin(1.5 * x - 0.8 * z + 0.6 * np.sin(1.3 * z + x)))
    wave = wave**1.5 + 0.6 * (1 - np.abs(np.sin(1.3 * x + 1.7 * z + 1.0))) ** 2
    return share * (0.03 + 0.15 * wave * step(0.2, 1.9, z)), share


def turned(p: Array, profile: Array) -> Array:
    """Return the distance to a surface of revolution; profile [n, 2] holds heights and radii."""
    radius = np.interp(p[:, 1], profile[:, 0], profile[:, 1])
    out = (np.hypot(p[:, 0], p[:, 2]) - radius) * 0.72
    cap = np.maximum(profile[0, 0] - p[:, 1], p[:, 1] - profile[-1, 0])
    away: Array = np.maximum(out, cap)
    return away


def spline(points: tuple[tuple[float, float], ...]) -> Array:
    """Return a smooth profile [n, 2] through heights and radii."""
    knots = np.array(points)
    y = np.linspace(knots[0, 0], knots[-1, 0], 200)
    r = np.interp(y, knots[:, 0], knots[:, 1])
    kernel = np.hanning(17) / np.hanning(17).sum()
    smooth = np.convolve(np.pad(r, 8, mode="edge"), kernel, mode="valid")
    return np.stack([y, smooth], axis=1)


JUG_PROFILE = spline(
    (
        (0, 0.50),
        (0.1, 0.58),
        (0.6, 0.84),
        (1.0, 0.86),
        (1.5, 0.62),
        (1.85, 0.40),
        (2.2, 0.40),
        (2.42, 0.50),
        (2.46, 0.50),
    )
)
BOTTLE_PROFILE = spline(
    (
        (0, 0.40),
        (0.05, 0.42),
        (1.7, 0.42),
        (2.05, 0.30),
        (2.3, 0.15),
        (2.95, 0.13),
        (3.0, 0.17),
        (3.12, 0.17),
    )
)


def ball(p: Array, place: tuple[float, float, float, float], dent: float = 0.0) -> Array:
    """Return the distance to a fruit; dent is the depth of its hollow at the stem."""
    q = p - rgb(*place[:3])
    far = np.linalg.norm(q, axis=1)
    cosine = q[:, 1] / np.maximum(far, 1e-6)
    radius = place[3] * (1 + 0.05 * dent - dent * np.exp(-((1 - cosine) / 0.10)) * 0.5)
    away: Array = (far - radius * (1 - 0.06 * dent * (1 - cosine))) * 0.85
    return away


def soft_union(a: Array, b: Array, k: float) -> Array:
    """Return the union of two distances with a smooth seam of width k."""
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    blend: Array = b + (a - b) * h - k * h * (1 - h)
    return blend


def pear(p: Array, place: tuple[float, float, float, float]) -> Array:
    """Return the distance to a standing pear that leans sideways."""
    q = p - rgb(*place[:3])
    low = np.linalg.norm(q, axis=1) - 0.40
    high = np.linalg.norm(q - rgb(place[3], 0.52, 0.0), axis=1) - 0.19
    return soft_union(low, high, 0.32) * 0.9


def lemon(p: Array, place: tuple[float, float, float, float]) -> Array:
    """Return the distance to a lying lemon, turned about the vertical."""
    q = p - rgb(*place[:3])
    c, s = np.cos(place[3]), np.sin(place[3])
    along, side = q[:, 0] * c + q[:, 2] * s, q[:, 2] * c - q[:, 0] * s
    radius = 0.28 * np.sqrt(np.clip(1 - (along / 0.44) ** 2, 0, 1))
    tips = 0.075 * np.exp(-(((np.abs(along) - 0.42) / 0.08) ** 2))
    reach = np.maximum(np.abs(along) - 0.47, 0)
    away: Array = np.hypot(np.hypot(side, q[:, 1]), reach) - np.maximum(radius, tips)
    return away * 0.55


def stems(p: Array) -> Array:
    """Return the distance to the stems of apples and pears."""
    tops = [(x, y + r * 0.75, z, 0.30, 0.10) for x, y, z, r in APPLES]
    tops += [(x + lean, y + 0.66, z, 0.26, lean) for x, y, z, lean in PEARS]
    best = np.full(len(p), np.inf)
    for x, y, z, tall, lean in tops:
        q = p - rgb(x, y, z)
        t = np.clip(q[:, 1] / tall, 0, 1)
        off = np.hypot(q[:, 0] - lean * t**2, q[:, 2])
        gone = np.maximum(np.maximum(-q[:, 1], q[:, 1] - tall), 0)
        best = np.minimum(best, np.hypot(off, gone) - 0.028)
    return best


def distances(p: Array) -> Array:
    """Return the distances [12, n] from points [n, 3] to every material."""
    jug, bottle, dish = p - rgb(-0.82, 0, -0.45), p - rgb(2.0, 0, -0.65), p - rgb(0.95, 0, 0.35)
    body = turned(jug, JUG_PROFILE)
    loop = jug - rgb(0.78, 1.55, 0.1)
    ring = np.hypot(loop[:, 0] * 1.05, loop[:, 1] * 0.8) - 0.42
    handle = np.hypot(ring, loop[:, 2]) - 0.075
    around = np.hypot(dish[:, 0], dish[:, 2])
    bowl = np.abs(dish[:, 1] - 0.05 - 0.16 * np.clip(around / 1.05, 0, 1) ** 4) - 0.03
    height, share = folds(p[:, 0], p[:, 2])
    cloth = np.where(share > 0.5, (p[:, 1] - height) * 0.75, p[:, 1] + 0.05)
    far = [np.linalg.norm(p - g[:3], axis=1) - g[3] for g in GRAPES]
    return np.stack(
        [
            p[:, 2] + 2.6,
            p[:, 1],
            cloth,
            np.minimum(body, handle),
            turned(bottle, BOTTLE_PROFILE),
            np.min([ball(p, o) for o in ORANGES], axis=0),
            np.min([ball(p, a, 1.0) for a in APPLES], axis=0),
            np.min([pear(p, q) for q in PEARS], axis=0),
            np.min([lemon(p, q) for q in LEMONS], axis=0),
            np.min(far, axis=0),
            np.maximum(bowl, around - 1.12) * 0.7,
            stems(p),
        ]
    )


@dataclass(frozen=True)
class View:
    """What the painter sees, [H, W, …]: color in linear light, normals in the picture, material."""

    color: Array
    normal: Array
    kind: Array


def trace(start: Array, way: Array, steps: int, reach: float) -> Array:
    """Return how far rays go until they meet something, at most reach."""
    far = np.full(len(start), 0.02)
    live = np.arange(len(start))
    for _ in range(steps):
        gap = distances(start[live] + way[live] * far[live, None]).min(axis=0)
        far[live] += gap
        live = live[(gap > 0.0015) & (far[live] < reach)]
        if len(live) == 0:
            break
    stop: Array = np.minimum(far, reach)
    return stop


def shadow(start: Array, way: Array) -> Array:
    """Return the share of a large lamp that is visible, 0..1 (soft shadow)."""
    light, far = np.ones(len(start)), np.full(len(start), 0.05)
    live = np.arange(len(start))
    for _ in range(36):
        gap = distances(start[live] + way * far[live, None])[1:].min(axis=0)
        light[live] = np.minimum(light[live], np.clip(0.5 + 5.0 * gap / far[live], 0, 1))
        far[live] += np.clip(gap, 0.03, 0.35)
        live = live[(far[live] < 6) & (light[live] > 0.01)]
        if len(live) == 0:
            break
    return light


def view(rng: np.random.Generator) -> View:
    """Look at the table in the light of a low sun from the left."""
    tile = noise_tile(rng, 1.6)
    ahead = (AIM - EYE) / np.linalg.norm(AIM - EYE)
    right = np.cross(ahead, rgb(0, 1, 0))
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    y, x = np.mgrid[:ROWS, :COLUMNS] + 0.5
    u, v = (x - COLUMNS / 2) / ROWS * 2, (ROWS / 2 - y) / ROWS * 2
    way = (ahead * LENS + right * u[..., None] + up * v[..., None]).reshape(-1, 3)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    start = np.tile(EYE, (len(way), 1))
    p = start + way * trace(start, way, 90, 16.0)[:, None]
    kind = distances(p).argmin(axis=0)
    eps = 0.004
    slopes = [
        distances(p + eps * axis).min(axis=0) - distances(p - eps * axis).min(axis=0)
        for axis in np.eye(3)
    ]
    normal = np.stack(slopes, axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    sun = np.clip(normal @ KEY, 0, 1) * shadow(p + normal * 0.02, KEY)
    near = np.clip(distances(p + normal * 0.22).min(axis=0) / 0.22, 0, 1)
    near = near * np.clip(distances(p + normal * 0.6).min(axis=0) / 0.6, 0.35, 1)
    cool = rgb(0.20, 0.21, 0.36) * (0.55 + 0.45 * normal[:, 1:2] + 0.25 * normal[:, :1])
    bounce = rgb(0.30, 0.17, 0.09) * np.clip(0.6 - normal[:, 1:2], 0, 1) * 0.9
    light = rgb(1.75, 1.28, 0.78) * sun[:, None] + (cool + bounce) * (0.25 + 0.75 * near[:, None])
    color = albedo(p, normal, kind, tile) * light
    mirror = way - 2 * (way * normal).sum(axis=1, keepdims=True) * normal
    shine = np.clip(mirror @ KEY, 0, 1)
    hard = np.isin(kind, (JUG, BOTTLE, GRAPE, APPLE, PLATE))
    spot = np.where(hard, 1.5 * step(0.955, 0.985, shine), 0.35 * step(0.80, 0.98, shine))
    glossy = ~np.isin(kind, (WALL, TABLE, CLOTH, STEM))
    color = color + (spot * glossy * (sun > 0.02))[:, None] * rgb(1.0, 0.93, 0.80)
    rim = np.where(hard, 0.35, 0.0) * np.clip(1 + (way * normal).sum(axis=1), 0, 1) ** 3
    color = color + rim[:, None] * rgb(0.30, 0.36, 0.60)
    seen = np.stack([normal @ right, -(normal @ up)], axis=1)
    shape = (ROWS, COLUMNS)
    return View(color.reshape(*shape, 3), seen.reshape(*shape, 2), kind.reshape(shape))


def albedo(p: Array, normal: Array, kind: Array, tile: Array) -> Array:
    """Return the colors [n, 3] of the things, in linear light."""
    x, y, z = p.T
    blotch = sample(tile, x * 0.13 + 0.3, y * 0.13 + z * 0.07)
    fine = sample(tile, x * 0.9, y * 0.9 + z * 0.5)
    wall = mix(rgb(0.10, 0.11, 0.045), rgb(0.19, 0.10, 0.05), step(-1.6, 1.6, blotch))
    wall = mix(wall, rgb(0.05, 0.12, 0.13), 0.8 * step(-0.8, 2.4, sample(tile, x * 0.1, y * 0.1)))
    wall = wall * (0.35 + 1.15 * step(-3.2, 2.6, x + 0.25 * y - 0.4))[:, None]
    table = mix(rgb(0.20, 0.055, 0.025), rgb(0.27, 0.11, 0.04), step(-2, 2, blotch))
    linen = mix(rgb(0.78, 0.75, 0.68), rgb(0.86, 0.83, 0.80), step(-1, 1, blotch))
    stripe = step(0.86, 0.93, np.sin(2.6 * (x - 0.42 * z) + 0.5))
    linen = mix(linen, rgb(0.13, 0.22, 0.52), stripe * 0.8)
    glaze = mix(rgb(0.035, 0.17, 0.30), rgb(0.06, 0.30, 0.32), step(-1, 1, fine))
    glaze = mix(glaze, rgb(0.70, 0.60, 0.40), step(1.42, 1.50, y + 0.03 * fine))
    band = np.abs(y - 1.36) < 0.06
    glaze = np.where(band[:, None], rgb(0.55, 0.22, 0.07), glaze)
    glass = mix(rgb(0.012, 0.05, 0.025), rgb(0.03, 0.10, 0.03), step(-1, 1, fine))
    label = (y > 0.55) & (y < 1.35) & (x < 2.22)
    glass = np.where(label[:, None], rgb(0.62, 0.52, 0.30), glass)
    orange = mix(rgb(0.85, 0.26, 0.02), rgb(0.95, 0.40, 0.04), step(-1, 1, fine))
    streak = sample(tile, np.arctan2(normal[:, 0], normal[:, 2]) * 0.5, y * 0.12)
    apple = mix(
        rgb(0.55, 0.025, 0.03), rgb(0.80, 0.42, 0.06), step(-0.1, 2.0, streak + normal[:, 1])
    )
    skin = mix(rgb(0.72, 0.50, 0.06), rgb(0.42, 0.46, 0.07), step(-1, 1.2, blotch + normal[:, 0]))
    skin = mix(skin, rgb(0.72, 0.16, 0.05), step(0.1, 1.5, streak * 0.5 + 0.6 - normal[:, 0]) * 0.7)
    zest = mix(rgb(0.95, 0.68, 0.04), rgb(0.88, 0.78, 0.14), step(-1, 1, fine))
    berry = mix(rgb(0.10, 0.02, 0.10), rgb(0.24, 0.05, 0.20), step(-1, 1.3, blotch * 2))
    bloom = np.clip(normal[:, 1:2], 0, 1) ** 2 * rgb(0.10, 0.12, 0.22)
    dish = mix(
        rgb(0.72, 0.72, 0.74), rgb(0.12, 0.20, 0.50), step(0.96, 1.0, np.hypot(x - 0.95, z - 0.35))
    )
    twig = np.tile(rgb(0.12, 0.06, 0.02), (len(p), 1))
    every = [wall, table, linen, glaze, glass, orange, apple, skin, zest, berry + bloom, dish, twig]
    chosen: Array = np.stack(every)[kind, np.arange(len(p))]
    return chosen
