"""Impasto oil: a still life in evening light, with thick strokes that follow the forms."""

import numpy as np

import stilllife
from canvas import Brush, Canvas, contrast, resized, weave
from light import Array, blur, noise_tile, rgb, sample, step, to_srgb

SCALE = 1.5  # painted this much larger, then reduced, for anti-aliasing
WIDTH, HEIGHT = int(1400 * SCALE), int(1050 * SCALE)

LAYERS = (  # with the probability of a stroke where the motif is plain
    (Brush(110, 460, 0.0, 0.8, 0.06, 0.45), 1.0),
    (Brush(66, 330, 0.015, 1.0, 0.06, 0.28), 0.9),
    (Brush(42, 210, 0.03, 1.15, 0.055, 0.22), 0.55),
    (Brush(25, 140, 0.04, 1.15, 0.05, 0.20), 0.16),
    (Brush(15, 90, 0.05, 1.0, 0.04, 0.18), 0.02),
    (Brush(9, 55, 0.06, 0.9, 0.03, 0.16), 0.0),
)


def graded(linear: Array) -> Array:
    """Return linear light as the painter's colors: stronger, with violet shadows."""
    shown = to_srgb(1 - np.exp(-1.25 * linear))
    gray = shown.mean(axis=2, keepdims=True)
    shown = gray + (shown - gray) * 1.28
    dark = (1 - step(0.0, 0.35, gray[..., 0]))[..., None]
    strong: Array = np.clip(shown + dark * rgb(0.055, 0.02, 0.085), 0, 1)
    return strong


def directions(seen: stilllife.View, rng: np.random.Generator) -> Array:
    """Return the directions of the strokes [H, W, 2]: cosine and sine of twice their angle.

    Strokes go around round forms and along folds; where a form faces the painter, they slant.
    """
    nx, ny = np.moveaxis(blur(seen.normal, 2.0), -1, 0)
    y, x = np.mgrid[: seen.kind.shape[0], : seen.kind.shape[1]] / 700
    loose = sample(noise_tile(rng, 1.9), x, y)
    around = np.arctan2(nx, -ny) + 0.3 * loose
    slant = np.where(seen.kind == stilllife.WALL, 0.8 * loose - 0.9, 0.35 * loose - 0.8)
    slant = np.where(seen.kind == stilllife.TABLE, 0.12 + 0.25 * loose, slant)
    weight = 1.6 * np.hypot(nx, ny) ** 1.3
    weight = np.where(np.isin(seen.kind, (stilllife.WALL, stilllife.TABLE)), 0, weight)
    pair = [weight * f(2 * around) + 0.45 * f(2 * slant) for f in (np.cos, np.sin)]
    return np.stack(pair, axis=2)


def paint(rng: np.random.Generator) -> Array:
    """Return the painting [H, W, 3] in sRGB 0..1."""
    seen = stilllife.view(rng)
    size = (WIDTH, HEIGHT)
    motif = np.clip(resized(graded(seen.color), size), 0, 1)
    pair = resized(directions(seen, rng), size)
    angle = np.arctan2(pair[..., 1], pair[..., 0]) / 2
    detail = contrast(motif)
    canvas = Canvas(rng, weave(HEIGHT, WIDTH, noise_tile(rng, 1.4), rgb(0.42, 0.20, 0.12)))
    for brush, plain in LAYERS:
        canvas.layer(blur(motif, brush.width * 0.1), angle, brush, np.maximum(plain, detail))
    return canvas.lit(SCALE, 0.15)
