"""Oil paint on canvas: curved strokes with bristles, whose thickness is lit.

Strokes follow a field of directions and end where the color changes; layers go from broad to fine
brushes, and finer strokes go only where the canvas still differs from the motif (Hertzmann,
"Painterly Rendering with Curved Brush Strokes of Multiple Sizes", 1998).
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from light import Array, blur, mix, noise_tile, rgb, sample, step

GAP = 0.7  # distance between the samples of a stroke, in pixels; below 0.71 leaves no holes


@dataclass(frozen=True)
class Brush:
    """A brush and how it is used.

    Attributes
    ----------
    width : in pixels
    length : longest stroke, in pixels
    error : strokes go only where canvas and motif differ by this much, 0..1
    body : thickness of the paint; 1 is thick
    spread : random variation of the colors, 0..1
    same : a stroke ends where the motif differs this much from its start, 0..1
    """

    width: float
    length: float
    error: float
    body: float = 1.0
    spread: float = 0.06
    same: float = 0.22


class Canvas:
    """Wet paint: color [H, W, 3] in sRGB and height [H, W] in pixels."""

    def __init__(self, rng: np.random.Generator, ground: Array) -> None:
        """Start with a painted ground [H, W, 3]; it shows between the strokes."""
        self.rng = rng
        self.color = ground.copy()
        self.rows, self.columns = ground.shape[:2]
        self.relief = np.zeros(ground.shape[:2])
        noise = noise_tile(rng, 0.45, 1024)
        # bristles: noise averaged along the stroke (rows); columns run across the brush
        total = np.cumsum(np.vstack([noise, noise]), axis=0)
        self.bristles: Array = total[160:1184] - total[:1024]
        self.bristles /= self.bristles.std()

    def layer(self, motif: Array, angle: Array, brush: Brush, keep: Array | None = None) -> None:
        """Paint motif [H, W, 3] with strokes along angle [H, W], in radians.

        keep [H, W] is the probability that a place gets its stroke; by default 1.
        """
        gap = brush.width * 0.55
        grid = np.mgrid[0 : self.rows : gap, 0 : self.columns : gap].reshape(2, -1)
        at = grid[::-1].T + self.rng.uniform(-gap, gap, (grid.shape[1], 2)) * 0.7
        at = np.clip(at, 0, (self.columns - 1, self.rows - 1))
        i, j = at[:, 1].astype(int), at[:, 0].astype(int)
        error = blur(np.abs(self.color - motif).mean(axis=2, keepdims=True), brush.width * 0.4)
        chosen = error[i, j, 0] >= brush.error
        if keep is not None:
            chosen &= self.rng.random(len(at)) < keep[i, j]
        for place in self.rng.permutation(at[chosen]):
            spine = self.follow(motif, angle, place, brush)
            width = brush.width * self.rng.uniform(0.7, 1.2)
            colors = self.mixed(motif[int(place[1]), int(place[0])], brush.spread)
            body = brush.body * (0.75 + 0.5 * colors[0].mean())  # lights are thick, darks thin
            self.stroke(spine, width, colors, body)

    def follow(self, motif: Array, angle: Array, at: Array, brush: Brush) -> Array:
        """Return the points [n, 2] of a stroke through a place, as x, y."""
        target = motif[int(at[1]), int(at[0])]
        stride = max(brush.width * 0.4, 3.0)
        half = max(int(brush.length * self.rng.uniform(0.35, 0.6) / stride), 1)
        tilt = self.rng.normal(0, 0.12)
        arms = []
        for sign in (1.0, -1.0):
            x, y = float(at[0]), float(at[1])
            turn = angle[int(y), int(x)] + tilt
            way_x, way_y = sign * np.cos(turn), sign * np.sin(turn)
            arm = []
            for walked in range(half):
                x, y = x + way_x * stride, y + way_y * stride
                if not (0 <= x < self.columns and 0 <= y < self.rows):
                    arm.append((x, y))  # the border is covered, too
                    break
                i, j = int(y), int(x)
                if walked and np.abs(motif[i, j] - target).max() > brush.same:
                    break
                arm.append((x, y))
                turn = angle[i, j] + tilt
                side = np.sign(np.cos(turn) * way_x + np.sin(turn) * way_y) or 1.0
                way_x = 0.45 * way_x + 0.55 * side * np.cos(turn)
                way_y = 0.45 * way_y + 0.55 * side * np.sin(turn)
                norm = np.hypot(way_x, way_y) or 1.0
                way_x, way_y = way_x / norm, way_y / norm
            arms.append(arm)
        if self.rng.random() < 0.5:  # a stroke ends ragged; let it end on either side
            arms.reverse()
        return np.array([*reversed(arms[1]), (float(at[0]), float(at[1])), *arms[0]])

    def mixed(self, target: Array, spread: float) -> tuple[Array, Array]:
        """Return two colors near the target that lie on the brush side by side."""
        value = self.rng.normal(0, spread)
        hue = self.rng.normal(0, spread * 0.6, 3)
        base = np.clip(target + value + hue, 0.01, 1)
        warm = rgb(1.0, 0.86, 0.62) if self.rng.random() < 0.5 else rgb(0.18, 0.16, 0.40)
        return base, mix(base, warm, np.array(self.rng.uniform(0.04, 0.04 + 4 * spread)))

    def stroke(
        self, spine: Array, width: float, colors: tuple[Array, Array], body: float = 1.0
    ) -> None:
        """Press a loaded brush along the points of a spine [n, 2]."""
        if len(spine) < 2:
            turn = self.rng.uniform(0, np.pi)
            away = rgb(np.cos(turn), np.sin(turn)) * width * 0.2
            spine = np.array([spine[0] - away, spine[0] + away])
        walked = np.r_[0, np.cumsum(np.hypot(*np.diff(spine, axis=0).T))]
        length = walked[-1] + width * 0.7  # the brush reaches beyond both ends
        along = np.arange(-width * 0.35, length - width * 0.35, GAP)
        middle = np.stack([np.interp(along, walked, spine[:, k]) for k in (0, 1)], axis=1)
        ends = np.clip(along, 0.5, max(walked[-1] - 0.5, 0.6))
        tangent = np.stack(
            [np.interp(ends + 1.5, walked, c) - np.interp(ends - 1.5, walked, c) for c in spine.T]
        ).T
        tangent /= np.maximum(np.hypot(*tangent.T), 1e-6)[:, None]
        beyond = along - np.clip(along, 0, walked[-1])
        middle = middle + tangent * beyond[:, None]
        across = np.arange(-width / 2, width / 2 + GAP, GAP)
        t = np.broadcast_to(across / (width / 2), (len(along), len(across)))
        u = np.broadcast_to(((along + width * 0.35) / length)[:, None], t.shape)
        x = middle[:, :1] - tangent[:, 1:] * across
        y = middle[:, 1:] + tangent[:, :1] * across
        i, j = np.round(y).astype(int), np.round(x).astype(int)
        inside = (i >= 0) & (i < self.rows) & (j >= 0) & (j < self.columns)
        i, j, t, u = i[inside], j[inside], t[inside], u[inside]
        if len(i) == 0:
            return
        start = self.rng.integers(1024, size=4)
        distance = u * length
        hair = self.bristles[
            (start[0] + distance).astype(int) % 1024,
            (start[1] + t * width * 0.55).astype(int) % 1024,
        ]
        patch = self.bristles[
            (start[2] + distance * 0.5).astype(int) % 1024,
            (start[3] + t * min(width, 30) * 0.12).astype(int) % 1024,
        ]
        head = distance / width + 0.10 - 0.32 * t**2 + 0.05 * hair
        tail = (length - distance) / width + 0.08 - 0.26 * t**2 + 0.13 * hair
        side = (1 - np.abs(t)) * 0.5 + 0.018 * hair
        edge = np.clip(np.minimum(np.minimum(head, tail), side) * width / 1.6, 0, 1)
        dry = np.clip(1.45 + 0.42 * hair - 1.15 * step(0.45, 1.1, u), 0, 1)
        alpha = edge * dry
        tone = mix(colors[0], colors[1], step(-0.3, 1.7, 0.7 * hair + 0.9 * patch))
        # the wet paint below comes along
        tone = mix(tone, self.color[i, j], 0.10 + 0.22 * u) * (1 + 0.045 * hair)[:, None]
        self.color[i, j] = np.clip(mix(self.color[i, j], tone, alpha), 0, 1)
        rim = np.exp(-(((np.abs(t) - 0.86) / 0.15) ** 2)) + np.exp(-((tail / 0.2) ** 2))
        paint = body * width**0.5 * (0.6 + 0.26 * hair + 0.5 * rim)
        below = self.relief[i, j]
        self.relief[i, j] = below + alpha * (0.35 * below + paint - below)

    def lit(self, scale: float = 1.0, depth: float = 0.12) -> Array:
        """Return the picture lit from the upper left, reduced by a scale."""
        gy, gx = np.gradient(blur(self.relief[..., None], 0.8)[..., 0])
        facing: Array = np.add(gx * 0.8, gy)
        facing = np.tanh(facing / 2.2) * 2.2
        shade = 1 + depth * facing
        gloss = 0.07 * step(0.7, 2.0, facing)
        shown = np.clip(self.color * shade[..., None] + gloss[..., None], 0, 1)
        return reduced(shown, scale)


def reduced(picture: Array, scale: float) -> Array:
    """Return [H, W, C] made smaller by a scale, with anti-aliasing."""
    size = (round(picture.shape[1] / scale), round(picture.shape[0] / scale))
    return resized(picture, size, Image.Resampling.LANCZOS)


def resized(
    picture: Array, size: tuple[int, int], method: Image.Resampling = Image.Resampling.BICUBIC
) -> Array:
    """Return [H, W, C] with a size in pixels, width first."""
    planes = [Image.fromarray(p.astype(np.float32)) for p in np.moveaxis(picture, -1, 0)]
    return np.stack([np.asarray(p.resize(size, method), float) for p in planes], axis=-1)


def weave(rows: int, columns: int, tile: Array, color: Array) -> Array:
    """Return a thinly painted ground [H, W, 3], uneven like a rag's work."""
    y, x = np.mgrid[:rows, :columns] / 1400
    uneven = 0.10 * sample(tile, x, y) + 0.05 * sample(tile, x * 7, y * 7)
    threads = 0.03 * (np.sin(x * 1400 * 1.1) + np.sin(y * 1400 * 1.1))
    ground: Array = np.clip(color * (1 + uneven + threads)[..., None], 0, 1)
    return ground


def contrast(motif: Array) -> Array:
    """Return how much the motif changes nearby [H, W], 0..1."""
    soft = blur(motif, 2.5)
    edges = sum(np.abs(np.gradient(soft, axis=axis)).max(axis=2) for axis in (0, 1))
    spread = blur(np.asarray(edges)[..., None], 9.0)[..., 0]
    return step(0.3, 1.0, spread / np.quantile(spread, 0.93))
