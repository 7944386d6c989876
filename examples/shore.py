"""Lighthouse, cottage, trees and grass of photo.jpg, drawn as polygons in space."""

from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from landscape import CAMERA_HEIGHT, FOCAL, HEIGHT, HORIZON, OVER, SKYLIGHT, SUN, SUNLIGHT, WIDTH
from light import Array, blur, rgb, to_linear, to_srgb

WHITE = 4.0  # radiance of the value 255 in a layer: lamps are brighter than white paper


class Layer:
    """A transparent sheet for polygons given in meters; draw the far ones first."""

    def __init__(self, upright: bool = True) -> None:
        """Start with an empty sheet; upright=False draws things as the lake mirrors them."""
        self.sheet = Image.new("RGBA", (WIDTH, HEIGHT))
        self.pen = ImageDraw.Draw(self.sheet)
        self.sign = 1 if upright else -1  # -1: mirrored in the lake

    def polygon(self, points: Array, light: Array) -> None:
        """Fill the polygon with corners [n, 3] with a radiance [3]."""
        x = WIDTH / 2 + points[:, 0] / points[:, 2] * FOCAL
        y = HORIZON - (self.sign * points[:, 1] - CAMERA_HEIGHT) / points[:, 2] * FOCAL
        red, green, blue = (int(v) for v in to_srgb(light / WHITE) * 255 + 0.5)
        corners = np.stack([x, y], axis=-1).ravel().tolist()
        self.pen.polygon(corners, fill=(red, green, blue, 255))

    def onto(self, picture: Array, radius: float = 0.0) -> Array:
        """Return picture [H, W, 3] with this layer over it, blurred by radius pixels."""
        sheet = np.asarray(self.sheet, float) / 255
        alpha = sheet[..., 3:]
        cut = np.concatenate([to_linear(sheet[..., :3]) * WHITE * alpha, alpha], axis=-1)
        if radius:
            cut = blur(cut, radius)
        over: Array = cut[..., :3] + picture * (1 - cut[..., 3:])
        return over


def matte(albedo: Array, normal: Array) -> Array:
    """Return the radiance of a matte surface; the glow around the sun lights its far side too."""
    facing = float(normal @ SUN)
    sky = SKYLIGHT * (0.6 + 0.4 * normal[1]) + SUNLIGHT * 0.17 * (0.5 + 0.5 * facing) ** 1.5
    shown: Array = albedo * (SUNLIGHT * max(facing, 0) * 0.55 + sky * 0.8)
    return shown


def lighthouse(layer: Layer, foot: Array, rng: np.random.Generator) -> None:
    """Draw a round white tower with a lit lamp under a red dome."""
    turns = np.linspace(-np.pi / 2, np.pi / 2, 37)
    stains = 1 + 0.07 * rng.standard_normal(36)  # streaks of rain on the plaster

    def drum(low: float, high: float, wide: float, narrow: float, albedo: Array) -> None:
        for (a, b), stain in zip(pairwise(turns), stains, strict=True):
            normal = rgb(np.sin((a + b) / 2), 0.1, -np.cos((a + b) / 2))
            ring = [(low, wide, a), (low, wide, b), (high, narrow, b), (high, narrow, a)]
            points = [foot + rgb(r * np.sin(t), h, -r * np.cos(t)) for h, r, t in ring]
            layer.polygon(np.array(points), matte(albedo, normal) * stain * rng.normal(1, 0.03))

    white, red, iron = rgb(0.74, 0.71, 0.66), rgb(0.42, 0.045, 0.03), rgb(0.05, 0.05, 0.05)
    for k in range(12):  # rows of stone, each weathered differently
        low, high = 12.5 * k / 12, 12.5 * (k + 1) / 12
        band = red if k in (8, 9) else white * (0.84 + 0.16 * k / 12)
        drum(low, high, 2.1 - 0.055 * low, 2.1 - 0.055 * high, band)
    drum(12.4, 12.9, 2.0, 2.15, white)
    drum(12.9, 13.0, 2.15, 2.15, iron)
    for t in turns[::4]:  # the lantern: glass between iron bars
        at = foot + rgb(1.05 * np.sin(t), 13.0, -1.05 * np.cos(t))
        pane = np.array([at, at + rgb(0.55, 0, 0), at + rgb(0.55, 1.9, 0), at + rgb(0, 1.9, 0)])
        if t < 1.5:
            layer.polygon(pane, rgb(2.8, 1.7, 0.6))
    for t in turns[::4]:
        at = foot + rgb(1.1 * np.sin(t), 12.9, -1.1 * np.cos(t))
        layer.polygon(np.array([at, at + rgb(0.1, 0, 0), at + rgb(0.1, 2.0, 0)]), iron)
        rail = foot + rgb(2.1 * np.sin(t), 13.0, -2.1 * np.cos(t))
        layer.polygon(np.array([rail, rail + rgb(0.07, 0, 0), rail + rgb(0.07, 0.9, 0)]), iron)
    drum(13.85, 13.95, 2.1, 2.1, iron)
    for k in range(6):  # the dome: a quarter circle in six rings
        a, b = np.pi / 12 * k, np.pi / 12 * (k + 1)
        low, high = 14.9 + 0.9 * float(np.sin(a)), 14.9 + 0.9 * float(np.sin(b))
        drum(low, high, 1.3 * float(np.cos(a)), 1.3 * float(np.cos(b)), red)
    drum(15.8, 16.5, 0.08, 0.03, iron)
    for high in (4.2, 8.4):  # windows of the staircase
        at = foot + rgb(-0.3, high, -2.2)
        pane = at + np.array([(0, 0, 0), (0.6, 0, 0), (0.6, 1.1, 0), (0, 1.1, 0)])
        layer.polygon(pane, rgb(0.04, 0.04, 0.05))


def cottage(layer: Layer, foot: Array, rng: np.random.Generator) -> None:
    """Draw the keeper's house: clapboard walls, a slate roof, light in the windows."""
    long, deep, wall, ridge = 8.5, 5.5, 2.9, 5.4

    def quad(a: Array, b: Array, c: Array, d: Array, light: Array) -> None:
        layer.polygon(foot + np.array([a, b, c, d]), light)

    paint, slate, trim = rgb(0.34, 0.062, 0.040), rgb(0.075, 0.078, 0.085), rgb(0.7, 0.68, 0.62)
    left, front = rgb(-1.0, 0, 0), rgb(0, 0, -1.0)
    half = deep / 2
    gable = [(0, 0, 0), (0, wall, 0), (0, ridge, half), (0, wall, deep), (0, 0, deep)]
    layer.polygon(foot + np.array(gable), matte(paint, left))
    for k in range(15):  # clapboards, each a little brighter or darker
        low, high = wall * k / 15, wall * (k + 1) / 15
        light = matte(paint, front) * (1 + 0.10 * rng.standard_normal())
        quad(rgb(0, low, 0), rgb(long, low, 0), rgb(long, high, 0), rgb(0, high, 0), light)
        seam = rgb(0, low, 0), rgb(long, low, 0), rgb(long, low + 0.04, 0), rgb(0, low + 0.04, 0)
        quad(*seam, light * 0.6)
    for a in np.arange(12) / 12:  # rows of slate, from the eaves up
        slope = rgb(0, 0.75, -0.66)
        for j in range(22):
            along = (long + 0.6) * j / 22 - 0.3
            eave = rgb(along, wall + (ridge - wall) * a, half * a - 0.4)
            tile = eave + np.array([(0, 0, 0), (0.42, 0, 0), (0.42, 0.21, 0.24), (0, 0.21, 0.24)])
            layer.polygon(foot + tile, matte(slate, slope) * rng.normal(1, 0.16))
    for x in (1.0, 3.2, 5.9):
        wide = 1.05
        for grow, light in ((0.14, matte(trim, front)), (0.0, rgb(1.6, 0.68, 0.14))):
            a, b, c, d = x - grow, x + wide + grow, 1.0 - grow, 2.15 + grow
            quad(rgb(a, c, 0), rgb(b, c, 0), rgb(b, d, 0), rgb(a, d, 0), light)
        for a, b, c, d in ((x + 0.48, x + 0.57, 1.0, 2.15), (x, x + wide, 1.6, 1.68)):
            quad(rgb(a, c, 0), rgb(b, c, 0), rgb(b, d, 0), rgb(a, d, 0), matte(trim, front))
    for a, b, normal in ((5.9, 6.8, front), (5.75, 5.9, left)):
        stone = matte(rgb(0.22, 0.2, 0.18), normal)
        quad(rgb(a, 4.5, 2.0), rgb(b, 4.5, 2.0), rgb(b, 6.4, 2.0), rgb(a, 6.4, 2.0), stone)


def tree(layer: Layer, foot: Array, tall: float, leaf: float, rng: np.random.Generator) -> None:
    """Draw a broad-leaved tree: branches that fork at random, then leaves, far ones first."""
    tips: list[Array] = []

    def branch(start: Array, way: Array, length: float, girth: float, level: int) -> None:
        bend = way + rgb(0, 0.05, 0) + 0.10 * rng.standard_normal(3)
        end = start + length * bend / np.linalg.norm(bend)
        wide = rgb(girth / 2, 0, 0)
        flare = 1.5 if level == 5 else 1.0
        ribs = np.linspace(-1, 1, 13 if level > 3 else 4)
        for a, b in pairwise(ribs):  # bark: furrows along the branch
            u = (a + b) / 2
            wood = matte(rgb(0.10, 0.078, 0.06), rgb(u, 0.1, -np.sqrt(1 - u * u)))
            foot, head = start + rgb(0, -0.02, 0), end + bend * 0.02
            rib = [foot + wide * a * flare, foot + wide * b * flare, head + wide * b * 0.72]
            layer.polygon(np.array([*rib, head + wide * a * 0.72]), wood * rng.uniform(0.55, 1.25))
        if level < 3:
            tips.extend([end, (start + end) / 2])
        if level:
            for _ in range(3 if level > 1 else 2):
                spread = way + rng.normal(0, 0.52, 3) + rgb(0, 0.06, 0)
                shrink = rng.uniform(0.66, 0.86)
                spread /= np.linalg.norm(spread)
                branch(end, spread, length * shrink, girth * 0.62, level - 1)

    branch(foot, rgb(0.06, 1.0, 0), tall * 0.27, tall * 0.045, 5)
    twigs = np.array(tips)
    middle, reach = twigs.mean(axis=0), twigs.std(axis=0)
    leaves = np.repeat(twigs, 24, axis=0)
    leaves = leaves + rng.normal(0, tall * 0.034, leaves.shape)
    leaves = leaves[np.argsort(-leaves[:, 2])]
    for at in leaves:
        # light enters from the sun's side: bright at that edge, dark inside the crown
        depth = float(((at - middle) / reach) @ SUN * 1.0 + rng.normal(0, 0.55))
        sunny = 1 / (1 + np.exp(-1.7 * (depth - 0.7)))
        glow = rgb(0.040, 0.062, 0.018) * rng.uniform(0.5, 1.4) * SKYLIGHT
        through = rgb(0.16, 0.17, 0.03) * SUNLIGHT * 0.55 * sunny * rng.uniform(0.3, 1.2)
        turn = rng.uniform(0, np.pi)
        along = leaf * rgb(np.cos(turn), np.sin(turn), 0) * rng.uniform(0.6, 1.2)
        over = leaf * 0.55 * rgb(-np.sin(turn), np.cos(turn), 0) * rng.uniform(0.3, 1.0)
        layer.polygon(np.array([at - along, at + over, at + along, at - over]), glow + through)


def meadow(picture: Array, rng: np.random.Generator, count: int = 42000) -> Array:
    """Return picture with grass in front, drawn blade by blade; near blades are blurred."""

    def turf(x: Array, z: Array) -> Array:
        wave = 0.10 * np.sin(0.9 * x + 0.4 * z) + 0.07 * np.sin(2.3 * x - 0.7 * z + 1)
        return 6.75 - 0.095 * z - 0.035 * x + wave

    z = 18.5 - 15.3 * np.sort(rng.random(count)) ** 0.85
    x = rng.uniform(-0.56, 0.56, count) * z
    y = turf(x, z)
    patch = np.sin(1.3 * x + 0.5 * np.sin(1.1 * z)) + np.sin(0.8 * z - 0.6 * x)
    patch += rng.normal(0, 0.5, count)
    layers = Layer(), Layer()
    edge = np.linspace(-12, 12, 60)
    bank = [(a, float(turf(rgb(a), rgb(18.3))[0]), 18.3) for a in edge]
    layers[0].polygon(np.array([*bank, (12, 4.5, 3.3), (-12, 4.5, 3.3)]), rgb(0.012, 0.016, 0.006))
    for i in range(count):
        layer = layers[int(z[i] < 6.2)]
        root = rgb(x[i], y[i] - 0.05, z[i])
        tall = 0.32 * rng.uniform(0.5, 1.35) * (1 + 0.15 * patch[i])
        lean = rgb(rng.normal(0.05, 0.16), 0, rng.normal(0, 0.1))
        wide = rgb(0.0055 * rng.uniform(0.6, 1.5) * (1 + z[i] / 14), 0, 0)
        dry = np.clip(0.35 + 0.22 * patch[i] + rng.normal(0, 0.2), 0, 1)
        albedo = rgb(0.085, 0.125, 0.022) * (1 - dry) + rgb(0.26, 0.19, 0.07) * dry
        sunny = rng.uniform(0.25, 1.0) * (0.75 + 0.25 * np.tanh(patch[i]))
        last, thick = root, wide
        for part, share in ((0.4, 0.06), (0.75, 0.30), (1.0, 0.80)):
            tip = root + rgb(0, tall * part, 0) + lean * part**2
            thin = wide * (1 - part) + 1e-3
            light = albedo * (SKYLIGHT * (0.25 + 0.5 * part) + SUNLIGHT * 0.55 * share * sunny)
            layer.polygon(np.array([last - thick, last + thick, tip + thin, tip - thin]), light)
            last, thick = tip, thin
        if i % 160 == 0:  # some daisies
            size = 0.028 * rgb(1, 0.6, 0)
            turns = np.linspace(0, 2 * np.pi, 9)[:, None]
            ring = last + size * np.concatenate([np.cos(turns), np.sin(turns), 0 * turns], axis=1)
            layer.polygon(ring, rgb(0.85, 0.78, 0.66) * rng.uniform(0.5, 1.1))
            layer.polygon(last + (ring - last) * 0.35, rgb(0.75, 0.42, 0.03))
    picture = layers[0].onto(picture, 0.5)
    return layers[1].onto(picture, 2.6 * OVER)
